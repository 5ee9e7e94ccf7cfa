package handler_test

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// What the tables write is what their streams' reader understands.
func TestStreamsOfTables(t *testing.T) {
	w := newWorld(t)
	w.grant(t, arn(1), "unit", unit)
	w.grant(t, arn(2), "direct", unit+"/direct")
	w.grant(t, arn(3), "tag", "tag:env=prod")
	w.grant(t, arn(4), "account", member)
	w.grant(t, arn(5), "organization", "o-exampleorgid")
	changes := w.tableChanges()
	listen := func(event events.DynamoDBEvent) {
		raw, err := json.Marshal(event)
		check(t, err)
		if failed := deliver(t, t.Context(), changes, raw); failed != nil {
			t.Errorf("reported as failed: %v", failed)
		}
	}
	w.grants.Changes(listen)
	w.accounts.Changes(listen)

	account := directory.Account{ID: member, State: directory.StateActive, Organization: "o-exampleorgid", ReadAt: at}
	step := func(what string, do func() error, want []string) {
		t.Helper()
		w.reconciler.causes = nil
		check(t, do())
		if diff := cmp.Diff(want, w.reconciler.reconciled()); diff != "" {
			t.Errorf("%s: -want +got\n%s\n%s", what, diff, w.log.String())
		}
	}
	write := func() error { _, err := w.accounts.Write(t.Context(), account); return err }

	step("the account joins", write, arns(4, 5))
	account.Path = []string{unit}
	step("it moves", write, arns(1, 2, 5))
	account.Tags = map[string]string{"env": "prod"}
	step("it is tagged", write, arns(3))
	account.ReadAt = at.Add(1)
	step("it is read again", write, nil)
	account.State = directory.StateSuspended
	step("it is suspended", write, arns(1, 2, 3, 4, 5))
	step("it leaves", func() error { _, err := w.accounts.Remove(t.Context(), member, account.ReadAt); return err }, arns(1, 2, 3, 4, 5))
	step("a listing ends", func() error { return w.accounts.MarkSynced(t.Context(), at) }, nil)
	step("a row is added", func() error {
		return w.grants.Put(t.Context(), grant.Attributes{"gateway": arn(9), "grant": "x", "principal": "no principal"}, true)
	}, arns(9))
	step("a row is removed", func() error {
		_, err := w.grants.Delete(t.Context(), grant.Key{Gateway: arn(9), ID: "x"})
		return err
	}, arns(9))
	if w.metrics.counts["EventsMalformed"] != 0 {
		t.Errorf("something was not understood:\n%s", w.log.String())
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
	"github.com/gateway-grants/gateway-grants/pkg/store"
	"github.com/gateway-grants/gateway-grants/pkg/store/storetest"
)

var listedSince = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// listed is a world with one row of every kind, judged on gatewayARN where the
// product would have done so.
func listed(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	put := func(attributes grant.Attributes) grant.Row {
		w.must(w.grants.Put(t.Context(), attributes, true))
		return grant.Parse(attributes)
	}
	named := func(gateway, id, principal string, more ...string) grant.Attributes {
		attributes := grant.Attributes{grant.AttrGateway: gateway, grant.AttrGrant: id, grant.AttrPrincipal: principal}
		for i := 0; i < len(more); i += 2 {
			attributes[more[i]] = more[i+1]
		}
		return attributes
	}
	admitted := put(named(gatewayARN, "a-admitted", "444455556666", grant.AttrRole, "AgentRole", grant.AttrExpires, "2099-01-31"))
	full := put(named(gatewayARN, "b-full", "555566667777"))
	changed := put(named(gatewayARN, "c-changed", "666677778888"))
	ended := put(named(gatewayARN, "d-ended", "777788889999", grant.AttrExpires, "2020-01-01"))
	put(named(gatewayARN, "e-invalid", "444455556666", "condition", "misspelt"))
	kept := put(named(gatewayARN, "e-kept", "888899990000", "condition", "misspelt"))
	edited := put(named(gatewayARN, "e-unseen", "999900001111", "expires", "soon"))
	everywhere := put(named("*", "f-everywhere", "o-exampleorgid"))
	put(named("*", "g-new", "ou-abcd-11112222"))
	put(named("my gateway", "h-nowhere", "444455556666"))

	since := listedSince
	status := func(row grant.Row, phase grant.Phase, reason grant.Code, message string) grant.Status {
		return grant.Status{Phase: phase, Reason: reason, Message: message, Since: since, Revision: row.Revision}
	}
	in := status(admitted, grant.PhaseAdmitted, "", "")
	in.Admitted = []string{"arn:aws:iam::444455556666:role/AgentRole"}
	keeps := status(kept, grant.PhaseInvalid, grant.CodeUnknownAttribute, "read attribute \"condition\": no such attribute; the access that its last valid revision gave is kept until 2027-01-31T00:00:00Z at the latest")
	keeps.Admitted = []string{"arn:aws:iam::888899990000:root"}
	unseen := status(edited, grant.PhaseAdmitted, "", "")
	unseen.Revision, unseen.Admitted = "of an older row", []string{"arn:aws:iam::999900001111:root"}
	stale := status(changed, grant.PhaseAdmitted, "", "")
	stale.Revision = "of an older row"
	storetest.Record(t, w.states, gatewayNamed(t), ledger.State{Gateway: ledger.Ledger{Authorizer: "AWS_IAM"}, Grants: map[grant.Key]grant.Status{
		admitted.Key:   in,
		kept.Key:       keeps,
		edited.Key:     unseen,
		full.Key:       status(full, grant.PhaseLeftOut, grant.CodePolicyFull, "the gateway's policy has no room left"),
		changed.Key:    stale,
		ended.Key:      status(ended, grant.PhaseAdmitted, "", ""),
		everywhere.Key: status(everywhere, grant.PhaseLeftOut, grant.CodeNoDirectory, "no complete listing yet"),
	}})
	return w
}

func gatewayNamed(t *testing.T) grant.Gateway {
	t.Helper()
	gateway, err := grant.ParseGateway(gatewayARN)
	if err != nil {
		t.Fatal(err)
	}
	return gateway
}

func TestGrantsAreListedWithWhereTheyStandAndWhy(t *testing.T) {
	w := listed(t)
	tests := []struct {
		reason string
		args   []string
		want   string
	}{
		{"on one gateway", []string{"list", "tools-abcdefghij"}, `
GATEWAY           GRANT         PRINCIPAL                    PHASE     REASON            EXPIRES               AGE  MESSAGE
*                 f-everywhere  o-exampleorgid               LeftOut   NoDirectory       -                     OLD   no complete listing yet
*                 g-new         ou-abcd-11112222             Pending   -                 -                     -    -
tools-abcdefghij  a-admitted    444455556666 role/AgentRole  Admitted  -                 2099-02-01T00:00:00Z  OLD   -
tools-abcdefghij  b-full        555566667777                 LeftOut   PolicyFull        -                     OLD   the gateway's policy has no room left
tools-abcdefghij  c-changed     666677778888                 Pending   -                 -                     -    -
tools-abcdefghij  d-ended       777788889999                 Expired   -                 2020-01-02T00:00:00Z  OLD   not yet taken out of the policy
tools-abcdefghij  e-invalid     -                            Invalid   UnknownAttribute  -                     -    read attribute "condition": the attributes are gateway, grant, principal, expires, role, follow, exclude, conditions, reason, requestedBy, source
tools-abcdefghij  e-kept        -                            Invalid   UnknownAttribute  -                     OLD   read attribute "condition": no such attribute; the access that its last valid revision gave is kept until 2027-01-31T00:00:00Z at the latest
tools-abcdefghij  e-unseen      -                            Invalid   InvalidExpiry     -                     -    read expires "soon": write a date such as 2027-01-31 (to its end, UTC) or a time such as 2027-01-31T18:00:00Z; the access that its last valid revision gave is kept
`},
		{"for every gateway", []string{"list", "*"}, `
GATEWAY  GRANT         PRINCIPAL         PHASE       REASON  EXPIRES  AGE  MESSAGE
*        f-everywhere  o-exampleorgid    PerGateway  -       -        -    gateway-grants list GATEWAY shows it
*        g-new         ou-abcd-11112222  PerGateway  -       -        -    gateway-grants list GATEWAY shows it
`},
		{"that end soon", []string{"list", "tools-abcdefghij", "--expiring", "2099-12-31"}, `
GATEWAY           GRANT       PRINCIPAL                    PHASE     REASON  EXPIRES               AGE  MESSAGE
tools-abcdefghij  a-admitted  444455556666 role/AgentRole  Admitted  -       2099-02-01T00:00:00Z  OLD  -
`},
		{"that end within a month", []string{"list", "--expiring", "30d"}, "No grants.\n"},
		{"in a phase", []string{"list", "tools-abcdefghij", "--phase", "leftout", "--phase", "Expired"}, `
GATEWAY           GRANT         PRINCIPAL       PHASE    REASON       EXPIRES               AGE  MESSAGE
*                 f-everywhere  o-exampleorgid  LeftOut  NoDirectory  -                     OLD  no complete listing yet
tools-abcdefghij  b-full        555566667777    LeftOut  PolicyFull   -                     OLD  the gateway's policy has no room left
tools-abcdefghij  d-ended       777788889999    Expired  -            2020-01-02T00:00:00Z  OLD  not yet taken out of the policy
`},
		{"of an account", []string{"list", "tools-abcdefghij", "--principal", "444455556666"}, `
GATEWAY           GRANT       PRINCIPAL                    PHASE     REASON  EXPIRES               AGE  MESSAGE
tools-abcdefghij  a-admitted  444455556666 role/AgentRole  Admitted  -       2099-02-01T00:00:00Z  OLD  -
`},
		{"of a role, in other words", []string{"list", "tools-abcdefghij", "--principal", "arn:aws:iam::444455556666:role/AgentRole"}, `
GATEWAY           GRANT       PRINCIPAL                    PHASE     REASON  EXPIRES               AGE  MESSAGE
tools-abcdefghij  a-admitted  444455556666 role/AgentRole  Admitted  -       2099-02-01T00:00:00Z  OLD  -
`},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			got := w.done(test.args...)
			want := strings.ReplaceAll(strings.TrimPrefix(test.want, "\n"), "OLD", age(listedSince, w.now()))
			if diff := cmp.Diff(squeezed(want), squeezed(got.out)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestTheWholeTableIsListedRowByRow(t *testing.T) {
	w := listed(t)
	var rows []listedRow
	w.must(json.Unmarshal([]byte(w.done("list", "-o", "json").out), &rows))
	phases := map[string]grant.Phase{}
	for _, row := range rows {
		phases[row.Grant] = row.Phase
	}
	want := map[string]grant.Phase{
		"a-admitted": "Admitted", "b-full": "LeftOut", "c-changed": "Pending", "d-ended": "Expired",
		"e-invalid": "Invalid", "e-kept": "Invalid", "e-unseen": "Invalid", "f-everywhere": "PerGateway", "g-new": "PerGateway", "h-nowhere": "Invalid",
	}
	if diff := cmp.Diff(want, phases); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	admitted := rows[2]
	if diff := cmp.Diff(listedRow{
		Gateway: gatewayARN, Grant: "a-admitted", Principal: "444455556666", Role: "AgentRole", Follow: "identity",
		Expires: "2099-02-01T00:00:00Z", Phase: "Admitted", Since: "2026-11-20T12:00:00Z",
		Admitted: []string{"arn:aws:iam::444455556666:role/AgentRole"},
	}, admitted); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestListOfEmptyTable(t *testing.T) {
	w := newWorld(t)
	if got := w.done("list"); got.out != "No grants.\n" {
		t.Errorf("said %q", got.out)
	}
	if got := w.done("list", "-o", "json"); got.out != "[]\n" {
		t.Errorf("said %q", got.out)
	}
}

func TestATableThatCannotProveItselfIsNotEmpty(t *testing.T) {
	w := newWorld(t)
	got := w.with(func(aws.Config, settings.Tables) opened {
		return opened{grants: failingGrants{}, states: w.states}
	}, "list")
	if got.code != exitError || got.out != "" || !strings.Contains(got.err, "gateway * grant #meta is missing") {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
	}
}

func TestListWithoutStatuses(t *testing.T) {
	w := listed(t)
	got := w.with(func(aws.Config, settings.Tables) opened {
		return opened{grants: w.grants, states: failingStates{}, directory: w.accounts}
	}, "list", "tools-abcdefghij")
	if got.code != exitDone || strings.Count(got.out, "\n") != 10 || !strings.Contains(got.out, "a-admitted    444455556666 role/AgentRole  Pending") {
		t.Errorf("exit %d\n%s", got.code, got.out)
	}
	if want := "Note: statuses are missing, as the state table could not be read: no luck\n"; got.err != want {
		t.Errorf("said %q, want %q", got.err, want)
	}
}

func TestListShowsFailedReconcile(t *testing.T) {
	w := listed(t)
	state, err := w.states.Load(t.Context(), gatewayNamed(t))
	w.must(err)
	state.Gateway.LastError, state.Gateway.LastMessage = reconcile.CodeThrottled, "AWS asks\nfor fewer calls"
	storetest.Record(t, w.states, gatewayNamed(t), state)
	got := w.done("list", "tools-abcdefghij")
	if want := "Note: the last reconcile of tools-abcdefghij failed (Throttled): AWS asks for fewer calls\n"; got.err != want {
		t.Errorf("said %q, want %q", got.err, want)
	}
}

// failingGrants is a table without the sentinel row.
type failingGrants struct{ grantsTable }

func (failingGrants) All(context.Context) ([]grant.Row, error) {
	return nil, store.NoSentinel("gateway-grants")
}

// failingStates is a table that cannot be read.
type failingStates struct{ statesTable }

func (failingStates) Load(context.Context, grant.Gateway) (ledger.State, error) {
	return ledger.State{}, errors.New("no luck")
}

package handler_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func TestGatewaysOfAChange(t *testing.T) {
	cases := map[string]struct {
		reason     string
		grants     [][3]string // gateway, id, principal
		batch      []byte
		reconciled []string
		requested  []string
	}{
		"a row": {
			reason: "a row is for one gateway",
			batch:  batchOf(recordOf(1, arn(1), "a")), reconciled: arns(1),
		},
		"two rows for one gateway": {
			reason: "a gateway is reconciled once, by what it is then",
			batch:  batchOf(recordOf(1, arn(1), "a"), recordOf(2, arn(1), "b")), reconciled: arns(1),
		},
		"a row for every gateway": {
			reason: "it takes a sweep to find them",
			batch:  batchOf(recordOf(1, "*", "a")), requested: []string{"*"},
		},
		"the sentinel": {
			reason: "it is no grant",
			batch:  batchOf(recordOf(1, "*", "#meta")),
		},
		"a row whose id is reserved": {
			reason: "its author wants to see why it admits no principal",
			batch:  batchOf(recordOf(1, arn(1), "#note")), reconciled: arns(1),
		},
		"only attributes of AWS's": {
			reason: "replication says nothing about access",
			batch: batchOf(
				imagesOf(1, arn(1), plainRow, `"aws:rep:updatetime":{"N":"1795165201.260001"},`+plainRow),
				imagesOf(2, arn(2), `"aws:rep:updatetime":{"N":"1"},`+plainRow, `"aws:rep:updatetime":{"N":"2"},`+plainRow),
				imagesOf(3, arn(3), `"aws:rep:deleting":{"BOOL":false},`+plainRow, plainRow),
			),
		},
		"an attribute of AWS's and one of the admin's": {
			reason: "the admin's counts",
			batch: batchOf(
				imagesOf(1, arn(1), plainRow, `"aws:rep:deleting":{"BOOL":false},"principal":{"S":"555566667777"}`),
				imagesOf(2, arn(2), plainRow, `"awsrep":{"S":"x"},`+plainRow),
			),
			reconciled: arns(1, 2),
		},
		"images that are missing": {
			reason: "what changed is not known, as with a stream of keys only",
			batch:  batchOf(imagesOf(1, arn(1), "", ""), imagesOf(2, arn(2), "", plainRow), imagesOf(3, arn(3), plainRow, "")), reconciled: arns(1, 2, 3),
		},
		"an account left, and rows are Invalid": {
			reason: "what their last valid revisions gave is kept, and ends for the account; one that names no principal may be of any",
			grants: [][3]string{{arn(1), strings.Repeat("x", 300), member}, {arn(2), strings.Repeat("x", 300), "everyone"}, {arn(3), strings.Repeat("x", 300), "777788889999"}},
			batch:  batchOf(accountRecord(1, member, inUnit, "")), reconciled: arns(1, 2),
		},
		"an account moved": {
			reason: "grants for the unit, for what it keeps, and directly in it",
			grants: [][3]string{
				{arn(1), "a", unit}, {arn(2), "b", unit + "/direct"}, {arn(3), "c", "o-exampleorgid"},
				{arn(4), "d", "ou-ab12-99999999"}, {arn(5), "e", member},
			},
			batch: batchOf(accountRecord(1, member, inRoot, inUnit)), reconciled: arns(1, 2, 3),
		},
		"an account joined": {
			reason: "an account that is no member is not admitted by name either, so joining concerns grants within the account",
			grants: [][3]string{
				{arn(1), "a", member}, {arn(2), "b", "arn:aws:iam::" + member + ":role/AgentRole"},
				{arn(3), "c", "arn:aws:iam::" + member + ":root"}, {arn(4), "d", "777788889999"}, {arn(5), "e", unit},
			},
			batch: batchOf(accountRecord(1, member, "", inRoot)), reconciled: arns(1, 2, 3),
		},
		"an account left": {
			reason: "leaving is the same",
			grants: [][3]string{{arn(1), "a", member}, {arn(2), "b", unit}, {arn(3), "c", "ou-ab12-99999999"}},
			batch:  batchOf(accountRecord(1, member, inUnit, "")), reconciled: arns(1, 2),
		},
		"an account, granted everywhere": {
			reason: "a grant for every gateway concerns every managed one",
			grants: [][3]string{{"*", "a", unit}},
			batch:  batchOf(accountRecord(1, member, inRoot, inUnit)), requested: []string{"*"},
		},
		"an account, granted everywhere and on one": {
			reason: "the one is known, and does not wait for the sweep",
			grants: [][3]string{{"*", "a", unit}, {arn(5), "b", unit}},
			batch:  batchOf(accountRecord(1, member, inRoot, inUnit)), reconciled: arns(5), requested: []string{"*"},
		},
		"an account granted everywhere by its id": {
			reason: "no index lists it, but its row does",
			grants: [][3]string{{"*", "a", member}},
			batch:  batchOf(accountRecord(1, member, inUnit, "")), requested: []string{"*"},
		},
		"an account read again": {
			reason: "nothing changed but when",
			grants: [][3]string{{arn(1), "a", unit}},
			batch:  batchOf(accountRecord(1, member, inUnit, strings.Replace(inUnit, "{", `{"readAt":{"S":"2026-11-20T09:00:00Z"},`, 1))),
		},
		"a tag set": {
			reason: "a tag is a selector",
			grants: [][3]string{{arn(1), "a", "tag:env=prod"}, {arn(2), "b", "tag:env=test"}},
			batch:  batchOf(accountRecord(1, member, inUnit, strings.Replace(inUnit, "{", `{"tags":{"M":{"env":{"S":"prod"}}},`, 1))), reconciled: arns(1),
		},
		"rows that are Invalid": {
			reason: "a key that is no gateway admits no principal anywhere",
			grants: [][3]string{{"my-gateway", "a", unit}},
			batch:  batchOf(recordOf(1, "my-gateway", "b"), accountRecord(2, member, inRoot, inUnit)),
		},
		"an item that makes accounts findable": {
			reason: "it says nothing that the account's own does not",
			grants: [][3]string{{arn(1), "a", unit}},
			batch: []byte(`{"Records":[{"eventName":"INSERT","eventSourceARN":"arn:aws:dynamodb:us-east-1:111122223333:table/gateway-grants-accounts/stream/x",
				"dynamodb":{"SequenceNumber":"1","Keys":{"pk":{"S":"OU#ou-ab12-11111111"},"sk":{"S":"444455556666"}},"NewImage":` + inUnit + `}}]}`),
		},
		"a trusted account": {
			reason: "whether grants to the account and to roles in it count may be another matter",
			grants: [][3]string{{arn(1), "a", member}, {arn(2), "b", "arn:aws:iam::444455556666:role/Agent"}, {arn(3), "c", "777788889999"}},
			batch:  batchOf(listRecord(1, "TRUSTED", member)), reconciled: arns(1, 2),
		},
		"owners that came and went": {
			reason: "one request takes their gateways apart",
			batch:  batchOf(listRecord(1, "OWNER", member), listRecord(2, "OWNER", "777788889999"), listRecord(3, "OWNER", member)), requested: []string{"* of 444455556666 777788889999"},
		},
		"a list's sentinel": {
			reason: "it is no account",
			grants: [][3]string{{arn(1), "a", member}},
			batch:  batchOf(listRecord(1, "TRUSTED", "#meta"), listRecord(2, "OWNER", "#meta")),
		},
		"both tables": {
			reason: "each record is read by its own table's rules",
			grants: [][3]string{{arn(2), "b", unit}},
			batch:  batchOf(recordOf(1, arn(1), "a"), accountRecord(2, member, inRoot, inUnit)), reconciled: arns(1, 2),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, g := range c.grants {
				w.grant(t, g[0], g[1], g[2])
			}
			if failed := deliver(t, t.Context(), w.tableChanges(), c.batch); failed != nil {
				t.Errorf("%s: reported as failed: %v", c.reason, failed)
			}
			if diff := cmp.Diff(c.reconciled, w.reconciler.reconciled()); diff != "" {
				t.Errorf("%s: -want +got\n%s\n%s", c.reason, diff, w.log.String())
			}
			if diff := cmp.Diff(c.requested, w.requests.requested()); diff != "" {
				t.Errorf("%s: requested -want +got\n%s", c.reason, diff)
			}
		})
	}
}

func TestManyGatewaysAreAskedForInstead(t *testing.T) {
	cases := map[string]struct {
		reason     string
		batch      []byte
		reconciled []string
		requested  []string
	}{
		"five by name": {
			reason: "these are few", batch: batchOf(recordOf(1, arn(1), "a"), recordOf(2, arn(2), "a"), recordOf(3, arn(3), "a"), recordOf(4, arn(4), "a"), recordOf(5, arn(5), "a")),
			reconciled: arns(1, 2, 3, 4, 5),
		},
		"seven by name": {
			reason: "the first five are on the spot", batch: batchOf(recordOf(1, arn(1), "a"), recordOf(2, arn(2), "a"), recordOf(3, arn(3), "a"), recordOf(4, arn(4), "a"), recordOf(5, arn(5), "a"), recordOf(6, arn(6), "a"), recordOf(7, arn(7), "a")),
			reconciled: arns(1, 2, 3, 4, 5), requested: arns(6, 7),
		},
		"every gateway": {
			reason: "one request, which a sweep takes apart", batch: batchOf(recordOf(1, "*", "a"), recordOf(2, "*", "b")),
			requested: []string{"*"},
		},
		"one by name behind every gateway": {
			reason: "a row for one gateway waits behind no wide change", batch: batchOf(recordOf(1, "*", "a"), recordOf(2, arn(3), "b")),
			reconciled: arns(3), requested: []string{"*"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if failed := deliver(t, t.Context(), w.tableChanges(), c.batch); failed != nil {
				t.Errorf("%s: reported as failed: %v", c.reason, failed)
			}
			if diff := cmp.Diff(c.reconciled, w.reconciler.reconciled()); diff != "" {
				t.Errorf("%s: reconciled -want +got\n%s", c.reason, diff)
			}
			if diff := cmp.Diff(c.requested, w.requests.requested()); diff != "" {
				t.Errorf("%s: requested -want +got\n%s", c.reason, diff)
			}
		})
	}
}

func TestOnlyLostRecordsAreReportedAsFailed(t *testing.T) {
	unrecorded := errors.New("reconcile: outcome not recorded")
	batch := batchOf(recordOf(10, arn(1), "a"), recordOf(11, arn(2), "b"), recordOf(12, "*", "c"), recordOf(13, arn(3), "d"), accountRecord(14, member, inRoot, inUnit))
	cases := map[string]struct {
		reason string
		fault  func(*world)
		failed []string
	}{
		"nothing": {"everything was recorded", func(*world) {}, nil},
		"a gateway failed": {
			"the failure is recorded and tried again by itself",
			func(w *world) { w.reconciler.failing = &grant.Error{Code: "Throttled"} }, nil,
		},
		"an outcome was not recorded": {
			"every record that concerns the gateway, and no other",
			func(w *world) { w.reconciler.fails = map[string]error{arn(3): unrecorded} }, []string{"13", "14"},
		},
		"the gateway of a wide change": {
			"the wide change asks for it by itself",
			func(w *world) { w.reconciler.fails = map[string]error{arn(1): unrecorded} }, []string{"10"},
		},
		"the request for every gateway is lost": {
			"it comes again",
			func(w *world) { w.requests.loses = map[string]bool{"*": true} }, []string{"12"},
		},
		"no bus": {
			"nothing was asked for, so all of that comes again",
			func(w *world) { w.requests.err = errors.New("ResourceNotFoundException") }, []string{"12"},
		},
		"a panic": {
			"a bug that one gateway brings to light fails no other",
			func(w *world) {
				w.reconciler.before = func(_ context.Context, g grant.Gateway) {
					if g.ARN() == arn(2) {
						panic("index out of range")
					}
				}
			}, []string{"11"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.grant(t, arn(3), "e", unit)
			c.fault(w)
			failed := deliver(t, t.Context(), w.tableChanges(), batch)
			if diff := cmp.Diff(c.failed, failed); diff != "" {
				t.Errorf("%s: -want +got\n%s", c.reason, diff)
			}
			if name != "nothing" && !strings.Contains(w.log.String(), "level=") {
				t.Errorf("%s: nothing was logged", c.reason)
			}
		})
	}
}

func TestFailedLookupFailsRecord(t *testing.T) {
	w := newWorld(t)
	_, err := w.grants.Delete(t.Context(), grant.Key{Gateway: grant.EveryGateway, ID: grant.SentinelID})
	check(t, err)
	failed := deliver(t, t.Context(), w.tableChanges(), batchOf(accountRecord(1, member, "", inRoot), recordOf(2, arn(1), "a")))
	if diff := cmp.Diff([]string{"1"}, failed); diff != "" {
		t.Errorf("without a sentinel it is unknown what is granted: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(arns(1), w.reconciler.reconciled()); diff != "" {
		t.Errorf("the row's gateway is known: -want +got\n%s", diff)
	}
}

func TestMalformedRecordsBlockNothing(t *testing.T) {
	good := recordOf(99, arn(1), "good")
	cases := map[string]struct{ reason, record string }{
		"no object":            {"a record is an object", `"x"`},
		"no sequence number":   {"it could not be reported", strings.Replace(recordOf(1, arn(2), "a"), `"SequenceNumber":"1",`, "", 1)},
		"another table":        {"nothing is known about it", strings.Replace(recordOf(1, arn(2), "a"), "table/gateway-grants", "table/orders", 1)},
		"no table":             {"nothing is known about it", strings.Replace(recordOf(1, arn(2), "a"), "eventSourceARN", "x", 1)},
		"no keys":              {"it concerns nothing", strings.Replace(recordOf(1, arn(2), "a"), `"Keys"`, `"x"`, 1)},
		"keys of another type": {"a key is text", strings.Replace(recordOf(1, arn(2), "a"), `{"S":"a"}`, `{"N":"1"}`, 1)},
		"an odd value":         {"a value is an object", strings.Replace(recordOf(1, arn(2), "a"), `{"S":"a"}`, `["a"]`, 1)},
		"a broken value":       {"text is text", strings.Replace(recordOf(1, arn(2), "a"), `{"S":"a"}`, `{"S":1}`, 1)},
		"no gateway":           {"the row is Invalid", recordOf(1, "gateway-two", "a")},
		"a large key":          {"and so is this one", recordOf(1, strings.Repeat("x", 1<<20), "a")},
		"an odd account":       {"an id has twelve digits", accountRecord(1, "x", "", inRoot)},
		"an odd image":         {"a path is a list", accountRecord(1, member, "", `{"path":{"S":"x"}}`)},
		"an odd old image":     {"a path is a list", accountRecord(1, member, `{"path":{"M":{}}}`, inRoot)},
		"a set of bytes":       {"no path holds them", accountRecord(1, member, "", `{"path":{"SS":[1]}}`)},
		"a deep image":         {"DynamoDB nests 32 levels", accountRecord(1, member, "", `{"state":{"S":"ACTIVE"},"more":`+strings.Repeat(`{"L":[`, 40)+`{"S":"x"}`+strings.Repeat(`]}`, 40)+`}`)},
		"keys only":            {"the stream shows the wrong view", accountRecord(1, member, "", "")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if failed := deliver(t, t.Context(), w.tableChanges(), batchOf(c.record, good)); failed != nil {
				t.Errorf("%s: reported as failed: %v", c.reason, failed)
			}
			if diff := cmp.Diff(arns(1), w.reconciler.reconciled()); diff != "" {
				t.Errorf("%s: -want +got\n%s", c.reason, diff)
			}
			lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
			lines = slices.DeleteFunc(lines, func(line string) bool { return !strings.Contains(line, "level=ERROR") })
			if len(lines) != 1 || len(lines[0]) > 1000 || w.metrics.counts["EventsMalformed"] != 1 {
				t.Errorf("%s: want one line that says so, got %d: %.2000v", c.reason, len(lines), lines)
			}
		})
	}
}

func TestMalformedBatchIsDropped(t *testing.T) {
	for name, raw := range map[string]string{
		"empty": `{}`, "no records": `{"Records":[]}`, "null": `null`, "text": `"x"`, "a list": `[1]`,
		"records of another type": `{"Records":{"a":1}}`, "large": `{"x":"` + strings.Repeat("x", 1<<20) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if failed := deliver(t, t.Context(), w.tableChanges(), []byte(raw)); failed != nil || len(w.reconciler.causes) > 0 {
				t.Errorf("failed %v, reconciled %v", failed, w.reconciler.reconciled())
			}
			if !strings.Contains(w.log.String(), "level=ERROR") || w.log.Len() > 1000 {
				t.Errorf("want one line that says so, got %.2000s", w.log.String())
			}
		})
	}
}

func TestRecordsMayComeTwiceAndInAnyOrder(t *testing.T) {
	w := newWorld(t)
	w.grant(t, arn(2), "b", unit)
	records := []string{
		accountRecord(7, member, inRoot, inUnit), recordOf(3, arn(1), "a"), recordOf(9, arn(1), "a"),
		accountRecord(7, member, inRoot, inUnit), recordOf(3, arn(1), "a"), accountRecord(5, member, inUnit, inRoot),
	}
	if failed := deliver(t, t.Context(), w.tableChanges(), batchOf(records...)); failed != nil {
		t.Errorf("reported as failed: %v", failed)
	}
	if diff := cmp.Diff(arns(1, 2), w.reconciler.reconciled()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for arn, causes := range w.reconciler.causes {
		if len(causes) != 1 {
			t.Errorf("%s was reconciled %d times", arn, len(causes))
		}
	}
}

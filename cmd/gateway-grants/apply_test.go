package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/grantfile"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// piped runs the command line with something on its standard input.
func (w *world) piped(input string, args ...string) said {
	w.t.Helper()
	var out, err bytes.Buffer
	p := &program{
		in: strings.NewReader(input), out: &out, err: &err, clock: agentcore.Clock{Now: w.now, Sleep: w.sleep},
		open: func(aws.Config, settings.Tables) opened {
			return opened{grants: w.grants, states: w.states, directory: w.accounts}
		},
		notices: func(aws.Config, string) reconcile.Notices { return w.bus },
	}
	code := p.run(w.t.Context(), args)
	return said{code, out.String(), err.String()}
}

func (w *world) file(name, text string) string {
	w.t.Helper()
	w.must(os.WriteFile(name, []byte(text), 0o600))
	return name
}

// table is the table, row by row, as it was written.
func (w *world) table() []grant.Attributes {
	w.t.Helper()
	rows, err := w.grants.Written(w.t.Context())
	w.must(err)
	return rows
}

// ids are the ids of the table's rows.
func (w *world) ids() []string {
	w.t.Helper()
	list := []string{}
	for _, row := range w.rows() {
		list = append(list, row.ID)
	}
	return list
}

func TestTheTablePrintedAsAFileChangesNothing(t *testing.T) {
	w := listed(t) // a row of every kind, invalid ones too
	before := w.table()
	file := w.done("list", "-o", "yaml").out
	for _, args := range [][]string{{"apply", "-f", "-"}, {"apply", "-f", "-", "--yes"}, {"plan", "-f", "-", "--detailed-exitcode"}} {
		got := w.piped(file, args...)
		if got.code != exitDone || got.out != "Nothing to do: the table is what the file says.\n" || got.err != "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if diff := cmp.Diff(before, w.table()); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
	one := w.done("list", "tools-abcdefghij", "-o", "yaml").out
	if strings.Contains(one, "h-nowhere") || !strings.Contains(one, "f-everywhere") || !strings.Contains(one, "a-admitted") {
		t.Errorf("the rows of one gateway:\n%s", one)
	}
}

func TestAFileIsAppliedOnceItIsShown(t *testing.T) {
	w := newWorld(t)
	arn := w.created().GatewayARN
	for _, account := range []string{"555566667777", "666677778888", "777788889999"} {
		w.must(w.directory.AddAccount(account))
	}
	w.done("grant", accountB, "--id", "by hand")
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": arn, "grant": "gone", "principal": "777788889999", "source": "git"}, true))
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": arn, "grant": "later", "principal": "666677778888", "expires": "2098-01-31", "source": "git", "requestedBy": "bob"}, true))
	w.done("reconcile")
	file := w.file("grants.yaml", `source: git
grants:
  - {gateway: `+arn+`, grant: new, principal: 555566667777, reason: pilot}
  - {gateway: `+arn+`, grant: later, principal: 666677778888, expires: 2099-01-31}
`)
	before := w.table()
	shown := `+ new on ` + strings.SplitN(arn, "/", 2)[1] + `: 555566667777
~ later on ` + strings.SplitN(arn, "/", 2)[1] + `: expires 2098-01-31 → 2099-01-31, requestedBy bob → arn:aws:sts::111122223333:assumed-role/AdminRole/session
- gone on ` + strings.SplitN(arn, "/", 2)[1] + `: 777788889999
Rows: 1 to add, 1 to change, 1 to remove.

` + arn + `
  + arn:aws:iam::555566667777:root (grant new)
  - arn:aws:iam::777788889999:root
1 to add, 1 to remove, 2 to keep, 0 left out.`
	planned := w.done("plan", "-f", file, "--prune")
	if !strings.HasPrefix(planned.out, shown) {
		t.Errorf("the plan: -want +got\n%s", cmp.Diff(shown, planned.out))
	}
	if got := w.run("plan", "-f", file, "--prune", "--detailed-exitcode"); got.code != exitChanges {
		t.Errorf("with changes: exit code %d", got.code)
	}
	unsure := w.run("apply", "-f", file, "--prune")
	if unsure.code != exitError || !strings.HasPrefix(unsure.out, shown) || !strings.Contains(unsure.err, "nothing was applied: answer y") {
		t.Errorf("without an answer: %+v", unsure)
	}
	if diff := cmp.Diff(before, w.table()); diff != "" {
		t.Errorf("written without an answer: -before +after\n%s", diff)
	}

	if got := w.done("apply", "-f", file, "--yes"); !strings.Contains(got.out, "Rows: 1 to add, 1 to change, 0 to remove.") {
		t.Errorf("without --prune: %s", got.out)
	}
	if diff := cmp.Diff([]string{"by hand", "gone", "later", "new"}, w.ids()); diff != "" {
		t.Errorf("without --prune: -want +got\n%s", diff)
	}
	w.done("apply", "-f", file, "--prune", "--yes")
	if diff := cmp.Diff([]string{"by hand", "later", "new"}, w.ids()); diff != "" {
		t.Errorf("with --prune: -want +got\n%s", diff)
	}
	added := grant.Attributes{
		"gateway": arn, "grant": "new", "principal": "555566667777", "reason": "pilot", "source": "git",
		"requestedBy": "arn:aws:sts::111122223333:assumed-role/AdminRole/session",
	}
	if diff := cmp.Diff(added, w.table()[2]); diff != "" {
		t.Errorf("the added row: -want +got\n%s", diff)
	}
	if got := w.done("apply", "-f", file, "--prune", "--yes"); !strings.Contains(got.out, "Nothing to do") {
		t.Errorf("applied again: %s", got.out)
	}
}

func TestARowForEveryGatewayIsPlannedOnEach(t *testing.T) {
	w, first, second := withTwo(t)
	w.done("reconcile", "*")
	file := w.file("grants.json", `{"grants": [{"gateway": "*", "grant": "everywhere", "principal": "555566667777"}]}`)
	var texts applied
	w.must(json.Unmarshal([]byte(w.done("plan", "-f", file, "-o", "json").out), &texts))
	var gateways []string
	for _, text := range texts.Gateways {
		gateways = append(gateways, text.Gateway)
		if len(text.Changes) == 0 || !text.Write {
			t.Errorf("%+v", text)
		}
	}
	if len(gateways) != 2 || !strings.Contains(strings.Join(gateways, " "), first) || !strings.Contains(strings.Join(gateways, " "), second) {
		t.Errorf("planned %v", gateways)
	}
}

func TestAFileThatIsNotValidChangesNothing(t *testing.T) {
	w := newWorld(t)
	arn := w.created().GatewayARN
	for _, test := range []struct{ reason, text, want string }{
		{"a valid row and one that is not", "grants:\n- {gateway: '*', grant: a, principal: 444455556666}\n- {gateway: " + arn + ", grant: b, principal: everyone}\n", `gateway-grants: bad.yaml:3: grant "b": read principal "everyone"`},
		{"no YAML", "grants: [", "gateway-grants: bad.yaml:1: this is no YAML"},
		{"empty", "", "gateway-grants: bad.yaml: the file is empty"},
	} {
		file := w.file("bad.yaml", test.text)
		for _, args := range [][]string{{"apply", "-f", file, "--yes"}, {"plan", "-f", file}} {
			if got := w.run(args...); got.code != exitError || got.out != "" || !strings.HasPrefix(got.err, test.want) || strings.Count(got.err, "\n") != 1 {
				t.Errorf("%s: %v: %+v", test.reason, args, got)
			}
		}
	}
	for _, args := range [][]string{
		{"apply"}, {"apply", "-f", "none.yaml"}, {"apply", "-f", "none.yaml", "tonight.plan"}, {"apply", "none.plan"}, {"apply", "none.plan", "--prune"},
		{"plan", "--prune"}, {"plan", "--out", "x"}, {"plan", "-f", "none.yaml", arn}, {"apply", "-f", "/dev/zero", "--yes"}, {"apply", "-f", ".", "--yes"},
	} {
		if got := w.run(args...); got.code != exitError || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if rows := w.ids(); len(rows) > 0 {
		t.Errorf("written: %v", rows)
	}
}

// A row that changes between the showing and the writing stays, and the others
// are written.
func TestARowIsWrittenOnlyAsItWasShown(t *testing.T) {
	w := newWorld(t)
	arn := w.created().GatewayARN
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": arn, "grant": "changed", "principal": "444455556666"}, true))
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": arn, "grant": "pruned", "principal": "444455556666", "source": "git"}, true))
	file := w.file("grants.yaml", "source: git\ngrants:\n- {gateway: "+arn+", grant: changed, principal: 555566667777}\n- {gateway: "+arn+", grant: new, principal: 555566667777}\n")
	table := lateTable{w, func() {
		w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": arn, "grant": "changed", "principal": "999900001111"}, false))
		w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": arn, "grant": "pruned", "principal": "999900001111"}, false))
	}}
	got := w.with(table.open, "apply", "-f", file, "--prune", "--yes")
	if got.code != exitError || strings.Count(got.err, "the row was changed since it was read") != 2 || !strings.Contains(got.err, "1 of 3 rows written.") {
		t.Errorf("%+v", got)
	}
	var principals []any
	for _, row := range w.table() {
		principals = append(principals, row["principal"])
	}
	if diff := cmp.Diff([]any{"999900001111", "555566667777", "999900001111"}, principals); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// lateTable is the grants table, in which something changes right after it
// was read for a file.
type lateTable struct {
	*world

	after func()
}

func (l lateTable) open(aws.Config, settings.Tables) opened {
	return opened{grants: changedTable{l.grants, l.after}, states: l.states, directory: l.accounts}
}

func TestASavedPlanIsCarriedOutUnlessItIsStale(t *testing.T) {
	const edit, other = "edit", "other"
	for _, test := range []struct {
		reason string
		change func(w *world, arn string)
		want   string // part of the rejection; "" for none
	}{
		{"nothing changed", func(*world, string) {}, ""},
		{"a row of it changed", func(w *world, arn string) {
			w.must(w.grants.Put(w.t.Context(), grant.Attributes{"gateway": arn, "grant": edit, "principal": "777788889999"}, false))
		}, "grant edit on "},
		{"a row of it is gone", func(w *world, _ string) { w.done("revoke", edit) }, "grant edit on "},
		{"a row that it adds is there", func(w *world, arn string) { w.done("grant", arn, accountB, "--id", "new") }, "grant new on "},
		{"another row of the gateway changed", func(w *world, arn string) { w.done("grant", arn, "999900001111", "--id", other) }, ":gateway/"},
		{"a row for every gateway appeared", func(w *world, _ string) { w.done("grant", "*", "999900001111", "--id", other) }, ":gateway/"},
		{"the policy changed", func(w *world, _ string) { w.done("reconcile") }, ":gateway/"},
		{"a row of another gateway changed", func(w *world, _ string) { w.done("grant", gatewayARN, "999900001111", "--id", other) }, ""},
	} {
		t.Run(test.reason, func(t *testing.T) {
			w := newWorld(t)
			arn := w.created().GatewayARN
			w.done("grant", accountB, "--id", edit)
			file := w.file("grants.yaml", "grants:\n- {gateway: "+arn+", grant: edit, principal: 555566667777}\n- {gateway: "+arn+", grant: new, principal: 555566667777}\n")
			if got := w.done("plan", "-f", file, "--out", "tonight.plan"); !strings.Contains(got.err, "gateway-grants apply tonight.plan") {
				t.Errorf("saved: %+v", got)
			}
			test.change(w, arn)
			before := w.table()
			got := w.run("apply", "tonight.plan")
			if test.want == "" {
				if got.code != exitDone || !strings.Contains(got.out, "Applied: 2 rows") {
					t.Errorf("%+v", got)
				}
				if got := w.done("plan", "-f", file); !strings.Contains(got.out, "Nothing to do") {
					t.Errorf("afterwards:\n%s", got.out)
				}
				return
			}
			if got.code != exitError || !strings.Contains(got.err, "tonight.plan is stale and nothing was applied") || !strings.Contains(got.err, test.want) || strings.Count(got.err, "\n") != 1 {
				t.Errorf("%+v", got)
			}
			if diff := cmp.Diff(before, w.table()); diff != "" {
				t.Errorf("-before +after\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoSavedPlanIsRejected(t *testing.T) {
	w := newWorld(t)
	w.created()
	valid := savedPlan{Version: savedPlanVersion, Table: "gateway-grants", Region: region, Gateways: []savedGateway{}}
	text := func(change func(*savedPlan)) string {
		saved := valid
		change(&saved)
		written, err := json.Marshal(saved)
		w.must(err)
		return string(written)
	}
	step := grantfile.Step{Verb: grantfile.Add, Key: grant.Key{Gateway: "*", ID: "b"}, After: grant.Attributes{"gateway": "*", "grant": "other", "principal": accountB}}
	for _, test := range []struct{ reason, text, want string }{
		{"no JSON", "grants: []", "is no plan that plan --out wrote"},
		{"more than a plan", text(func(*savedPlan) {}) + "{}", "something follows the plan"},
		{"an unknown field", `{"version": 1, "rowz": []}`, "rowz"},
		{"another version", text(func(s *savedPlan) { s.Version = 2 }), "is a plan of version 2"},
		{"another table", text(func(s *savedPlan) { s.Table = "others" }), "is a plan for table others in region us-east-1"},
		{"another region", text(func(s *savedPlan) { s.Region = "eu-west-1" }), "in region eu-west-1"},
		{"a row under another key", text(func(s *savedPlan) { s.Rows = []grantfile.Step{step} }), "was changed after it was saved, at grant b"},
	} {
		if got := w.run("apply", w.file("bad.plan", test.text)); got.code != exitError || !strings.Contains(got.err, test.want) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: %+v", test.reason, got)
		}
	}
	if rows := w.ids(); len(rows) > 0 {
		t.Errorf("written: %v", rows)
	}
}

type changedTable struct {
	*memory.Grants

	after func()
}

func (c changedTable) Written(ctx context.Context) ([]grant.Attributes, error) {
	rows, err := c.Grants.Written(ctx)
	c.after()
	return rows, err
}

// interruptedTable is the grants table, in whose second change Ctrl-C is pressed.
type interruptedTable struct {
	*memory.Grants

	swaps  int
	cancel context.CancelFunc
}

func (i *interruptedTable) Swap(ctx context.Context, key grant.Key, shown string, attributes grant.Attributes) error {
	if i.swaps++; i.swaps == 2 {
		i.cancel()
	}
	return i.Grants.Swap(ctx, key, shown, attributes)
}

func TestInterruptedApplyListsWhatItWrote(t *testing.T) {
	w := newWorld(t)
	arn := w.created().GatewayARN
	var rows strings.Builder
	for _, id := range []string{"a", "b", "c"} {
		rows.WriteString("- {gateway: " + arn + ", grant: " + id + ", principal: 444455556666}\n")
	}
	file := w.file("grants.yaml", "grants:\n"+rows.String())
	ctx, cancel := context.WithCancel(t.Context())
	table := &interruptedTable{Grants: w.grants, cancel: cancel}
	var out, err bytes.Buffer
	p := &program{
		in: strings.NewReader(""), out: &out, err: &err, clock: agentcore.Clock{Now: w.now, Sleep: w.sleep},
		open: func(aws.Config, settings.Tables) opened {
			return opened{grants: table, states: w.states, directory: w.accounts}
		},
		notices: func(aws.Config, string) reconcile.Notices { return w.bus },
	}
	code := p.run(ctx, []string{"apply", "-f", file, "--yes"})
	if code != exitError || !strings.Contains(err.String(), "1 of 3 rows written. What is written stays.\n") || !strings.Contains(err.String(), "interrupted: run the same again to complete it") {
		t.Errorf("exit %d\n%s%s", code, out.String(), err.String())
	}
	if diff := cmp.Diff([]string{"a"}, w.ids()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// another is one more gateway, in a file of its own.
func (w *world) another(name string) gatewayConfig {
	w.t.Helper()
	w.done("gateway", "create", "--name", name, "--role-arn", roleARN, "--lambda-arn", echoARN, "--config", name+".json")
	config, err := readGatewayConfig(name + ".json")
	w.must(err)
	return *config
}

// keysOf are the rows of the table, each gateway by a short name.
func (w *world) keysOf(names map[string]string) []string {
	w.t.Helper()
	var keys []string
	for _, row := range w.rows() {
		keys = append(keys, names[row.Gateway]+"#"+row.ID)
	}
	return keys
}

func TestGrantManyIsAllOrNothing(t *testing.T) {
	all := []string{"1#444455556666", "1#555566667777", "2#444455556666", "2#555566667777"}
	tests := []struct {
		reason string
		args   []string
		want   []string
		says   string // where it is refused
	}{
		{"by ARN", []string{"444455556666", "555566667777", "--gateway", "ARN1", "--gateway", "ARN2"}, all, ""},
		{"by name", []string{"444455556666", "555566667777", "--gateway", "cross-account-test", "--gateway", "second"}, all, ""},
		{"the same gateway in two ways", []string{"444455556666", "--gateway", "second", "--gateway", "ARN2"}, []string{"2#444455556666"}, ""},
		{"the same principal in two ways", []string{"444455556666", "arn:aws:iam::444455556666:root", "--gateway", "second"}, []string{"2#444455556666"}, ""},
		{"the gateway first", []string{"second", "444455556666", "555566667777"}, []string{"2#444455556666", "2#555566667777"}, ""},
		{"the gateway of the file", []string{"444455556666", "555566667777"}, []string{"1#444455556666", "1#555566667777"}, ""},
		{"one principal is none", []string{"444455556666", "bob", "--gateway", "second"}, nil, "InvalidPrincipal"},
		{"one gateway is none", []string{"444455556666", "--gateway", "second", "--gateway", "third"}, nil, "there is no gateway named third"},
		{"one id for several rows", []string{"444455556666", "555566667777", "--id", "mine"}, nil, "--id names one row"},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			w := newWorld(t)
			first := w.created()
			second := w.another("second")
			args := []string{"grant"}
			for _, arg := range test.args {
				args = append(args, strings.NewReplacer("ARN1", first.GatewayARN, "ARN2", second.GatewayARN).Replace(arg))
			}
			got := w.run(args...)
			if (got.code == exitError) != (test.says != "") || !strings.Contains(got.err, test.says) {
				t.Errorf("exit %d, want %q: %s%s", got.code, test.says, got.out, got.err)
			}
			rows := w.keysOf(map[string]string{first.GatewayARN: "1", second.GatewayARN: "2"})
			slices.Sort(rows)
			if !slices.Equal(test.want, rows) {
				t.Errorf("rows %v, want %v", rows, test.want)
			}
		})
	}
}

func TestAmbiguousNameListsCandidates(t *testing.T) {
	other, err := grant.ParseGateway(strings.Replace(gatewayARN, "us-east-1", "eu-west-1", 1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = theOne([]grant.Gateway{gatewayNamed(t), other}, "tools")
	if want := "2 gateways are named tools: write the ARN of one: " + gatewayARN + ", " + other.ARN(); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestLaterExpiryExtendsGrant(t *testing.T) {
	w := newWorld(t)
	w.done("grant", gatewayARN, accountB, "--expires", "8h", "--reason", "pilot")
	first := w.rows()[0].Grant.Expires
	if left := first.Sub(w.now()); left > 8*time.Hour || left < 8*time.Hour-time.Minute {
		t.Errorf("8h ends in %s", left)
	}
	got := w.done("grant", gatewayARN, accountB, "--expires", "30d")
	if !strings.Contains(got.out, "Extended from "+moment(first)+": 444455556666 until ") {
		t.Errorf("said\n%s", got.out)
	}
	row := w.rows()[0].Grant
	if left := row.Expires.Sub(w.now()); left < 29*24*time.Hour || row.Reason != "pilot" {
		t.Errorf("ends in %s, because %q", left, row.Reason)
	}
	for reason, args := range map[string][]string{
		"shortened":           {"--expires", "1h"},
		"made to last":        nil,
		"extended and varied": {"--expires", "60d", "--source-ip", "203.0.113.0/24"},
	} {
		if got := w.run(append([]string{"grant", gatewayARN, accountB}, args...)...); got.code != exitError || !strings.Contains(got.err, "nothing was written") {
			t.Errorf("%s: exit %d\n%s%s", reason, got.code, got.out, got.err)
		}
	}
}

func TestRevocationsTakeAllOrNothing(t *testing.T) {
	w := newWorld(t)
	w.created()
	w.another("second")
	w.done("grant", accountB, "555566667777", "--gateway", "cross-account-test", "--gateway", "second")
	if got := w.run("revoke", accountB, "999900001111", "--gateway", "second"); got.code != exitError || len(w.rows()) != 4 {
		t.Errorf("exit %d, %d rows\n%s", got.code, len(w.rows()), got.err)
	}
	var texts []revokedText
	got := w.done("revoke", accountB, "555566667777", "--gateway", "cross-account-test", "--gateway", "second", "-o", "json")
	fits(t, "revoke", got.out)
	w.must(json.Unmarshal([]byte(got.out), &texts))
	if len(texts) != 2 || len(texts[0].Revoked) != 2 || len(w.rows()) != 0 {
		t.Errorf("%+v, %d rows left", texts, len(w.rows()))
	}
}

// runMeanwhile runs a command line, and something else once it waits.
func (w *world) runMeanwhile(meanwhile func(), args ...string) said {
	w.t.Helper()
	var out, errs bytes.Buffer
	waited := false
	p := &program{
		in: strings.NewReader(""), out: &out, err: &errs, identities: w.identities,
		clock: agentcore.Clock{Now: w.now, Sleep: func(ctx context.Context, d time.Duration) error {
			if !waited {
				waited = true
				meanwhile()
			}
			return w.sleep(ctx, d)
		}},
		open: func(aws.Config, settings.Tables) opened {
			return opened{grants: w.grants, states: w.states, directory: w.accounts}
		},
		notices: func(aws.Config, string) reconcile.Notices { return w.bus },
	}
	code := p.run(w.t.Context(), args)
	return said{code, out.String(), errs.String()}
}

func TestWaitEndsInForceOrWithReason(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	reconciled := func() { w.run("reconcile", config.GatewayARN) }
	got := w.runMeanwhile(reconciled, "grant", accountB, "--wait")
	if got.code != exitDone || !strings.HasSuffix(got.out, "In force.\n") || !strings.Contains(w.policyText(config.GatewayARN), accountB) {
		t.Errorf("granted: exit %d\n%s%s", got.code, got.out, got.err)
	}
	got = w.runMeanwhile(reconciled, "grant", "arn:aws:iam::444455556666:role/Gone", "--wait")
	if got.code != exitError || !strings.Contains(got.err, "not in force: grant 444455556666:role/Gone on "+config.GatewayID+" is LeftOut Quarantined: AWS does not know") {
		t.Errorf("a role that there is not: exit %d\n%s%s", got.code, got.out, got.err)
	}
	got = w.runMeanwhile(reconciled, "revoke", accountB, "--wait")
	if got.code != exitDone || !strings.HasSuffix(got.out, "In force.\n") || strings.Contains(w.policyText(config.GatewayARN), accountB+":root") {
		t.Errorf("revoked: exit %d\n%s%s", got.code, got.out, got.err)
	}
	got = w.runMeanwhile(func() {}, "grant", accountB, "--wait", "--timeout", "1m")
	if got.code != exitError || !strings.Contains(got.err, "not in force after 1m0s: grant 444455556666 on "+config.GatewayID+" is not recorded yet") || !strings.Contains(got.err, "Waiting until it is in force: 0 of 1\n") {
		t.Errorf("no function runs: exit %d\n%s%s", got.code, got.out, got.err)
	}
}

// tornGrants is a table that stops taking rows.
type tornGrants struct {
	grantsTable
	left int
	stop func()
}

func (g *tornGrants) Swap(ctx context.Context, key grant.Key, shown string, attributes grant.Attributes) error {
	err := g.grantsTable.Swap(ctx, key, shown, attributes)
	if g.left--; g.left == 0 {
		g.stop()
	}
	return err
}

func TestInterruptedRunPrintsWhatItWrote(t *testing.T) {
	w := newWorld(t)
	ctx, interrupt := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	p := &program{
		in: strings.NewReader(""), out: &out, err: &errs, clock: w.clock(),
		open: func(aws.Config, settings.Tables) opened {
			return opened{grants: &tornGrants{w.grants, 2, interrupt}, states: w.states, directory: w.accounts}
		},
	}
	code := p.run(ctx, []string{"grant", gatewayARN, "444455556666", "555566667777", "666677778888"})
	if code != exitError || strings.Count(out.String(), "Granted ") != 2 || !strings.Contains(errs.String(), "interrupted: run the same again to complete it") || len(w.rows()) != 2 {
		t.Errorf("exit %d, %d rows\n%s%s", code, len(w.rows()), out.String(), errs.String())
	}
}

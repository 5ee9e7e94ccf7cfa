package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// fleet is a world of so many gateways with twenty grants each, all in their policies,
// at an AWS with its published rates and five policy calls a second.
func fleet(t testing.TB, gateways int) *world {
	t.Helper()
	rates := model.DocumentedRates()
	rates[model.PolicyCalls] = agentcore.DefaultPolicyRate
	w := worldWithin(t, rates)
	for i := range 200 {
		w.must(w.directory.AddAccount(accountNumber(i)))
	}
	for i := range gateways {
		w.must(w.sleep(t.Context(), time.Second)) // within AWS's rate for making them
		made, err := w.model.CreateGateway(model.Caller{Account: accountA}, model.CreateGatewayInput{
			GatewaySettings: model.GatewaySettings{Name: fmt.Sprintf("fleet-%04d", i), RoleARN: roleARN, ProtocolType: "MCP", AuthorizerType: model.AWSIAM},
			Tags:            map[string]string{plan.ManagedTag: plan.ManagedValue},
		})
		w.must(err)
		for n := range 20 {
			w.must(w.grants.Put(t.Context(), grant.Attributes{
				grant.AttrGateway: made.ARN, grant.AttrGrant: fmt.Sprintf("agents-%02d", n), grant.AttrPrincipal: accountNumber((i*7 + n*11) % 200), grant.AttrSource: "git",
			}, true))
		}
	}
	w.must(w.sleep(t.Context(), time.Minute))
	if got := w.timed("reconcile", "*", "-o", "json"); got.code != exitDone {
		i := strings.Index(got.out, `"settled": false`)
		t.Fatalf("exit %d: %.500s%.500s", got.code, got.err, got.out[max(i, 0):])
	}
	return w
}

func accountNumber(i int) string { return fmt.Sprintf("%012d", 200000000000+i) }

// timed runs a command line, and tells for how long it waited: a call of AWS takes 20 ms,
// and the rates ask for the rest.
func (w *world) timed(args ...string) (result struct {
	said

	took time.Duration
}) {
	w.t.Helper()
	began := w.now()
	var out, err bytes.Buffer
	p := &program{
		in: strings.NewReader(""), out: &out, err: &err, clock: agentcore.Clock{Now: w.now, Sleep: w.sleep},
		open: func(aws.Config, settings.Tables) opened {
			return opened{grants: w.grants, states: w.states, directory: w.accounts}
		},
		notices:    func(aws.Config, string) reconcile.Notices { return w.bus },
		identities: w.identities,
	}
	code := p.run(context.Background(), args)
	result.said, result.took = said{code, out.String(), err.String()}, w.now().Sub(began)
	return result
}

// BenchmarkFleet is 500 gateways with 10,000 grants. The time of AWS is what the commands
// wait for its calls and rates; the other is what they compute.
func BenchmarkFleet(b *testing.B) {
	w := fleet(b, 500)
	for _, line := range []string{"list", "list -o csv", "plan *", "access *", "access --principal 200000000011", "report --out report.html", "report -o csv --out access.csv"} {
		b.Run(line, func(b *testing.B) {
			for b.Loop() {
				got := w.timed(strings.Fields(line)...)
				if got.code != exitDone {
					b.Fatalf("exit %d: %.500s", got.code, got.err)
				}
				b.ReportMetric(got.took.Seconds(), "s-of-AWS-time")
			}
		})
	}
}

func TestProgressAndRatesOfLongCommands(t *testing.T) {
	w := fleet(t, 40)
	got := w.timed("report", "-o", "json")
	var made struct {
		Gateways []struct {
			Access []struct{} `json:"access"`
		} `json:"gateways"`
		Grants []struct{} `json:"grants"`
	}
	if got.code != exitDone {
		t.Fatal(got.err)
	}
	w.must(json.Unmarshal([]byte(got.out), &made))
	if got.code != exitDone || len(made.Gateways) != 40 || len(made.Grants) != 800 || len(made.Gateways[0].Access) != 20 {
		t.Errorf("exit %d, %d gateways, %d grants", got.code, len(made.Gateways), len(made.Grants))
	}
	// A listing at five tags a second, and at the same time a policy of each gateway.
	if most := 40 / agentcore.DefaultPolicyRate * 2.3; got.took.Seconds() > most {
		t.Errorf("it took %s, of %.0f s at most", got.took, most)
	}
	if !strings.Contains(got.err, "Reading gateways: ") || strings.Contains(got.err, "\r") {
		t.Errorf("progress in a pipe: %q", got.err)
	}
}

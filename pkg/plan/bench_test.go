package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// benchWorld has n accounts granted, a tenth of them from one network only.
func benchWorld(tb testing.TB, n int) (World, Limits) {
	tb.Helper()
	gateway, err := grant.ParseGateway(aGateway)
	if err != nil {
		tb.Fatal(err)
	}
	limits := DefaultLimits()
	if n > 600 {
		limits.Accounting = SubmittedSize
	}
	w := World{Gateway: Observed{Gateway: gateway, Exists: true, Authorizer: "AWS_IAM", Status: "READY", Managed: true}, Now: moment}
	for i := range n {
		attributes := grant.Attributes{"gateway": aGateway, "grant": fmt.Sprintf("g%04d", i), "principal": fmt.Sprintf("%012d", 100000000000+i*7919)}
		if i%10 == 0 {
			attributes["conditions"] = map[string]any{"sourceIp": []any{"203.0.113.0/24"}}
		}
		w.Rows = append(w.Rows, grant.Parse(attributes))
	}
	p, err := Make(w, limits)
	if err != nil {
		tb.Fatal(err)
	}
	for _, status := range p.Status {
		if status.Phase != grant.PhaseAdmitted {
			tb.Fatalf("%d accounts do not fit", n)
		}
	}
	w.Gateway.Policy, w.Gateway.Recorded.Grants = p.Want, p.Status
	w.Gateway.Recorded.Gateway.AppliedHash = p.Hash
	return w, limits
}

var benchSizes = []int{10, 100, 600, 1300}

// BenchmarkCompileAndCompare is what must be done to know whether a policy is
// right: read the observed one, compile the wanted one, compare the two. JSON is
// the yardstick: the same document through encoding/json, once each way.
func BenchmarkCompileAndCompare(b *testing.B) {
	for _, n := range benchSizes {
		w, limits := benchWorld(b, n)
		p, d, err := makeWith(prove, w, limits)
		if err != nil {
			b.Fatal(err)
		}
		text := p.Want.Bytes()
		accesses := slices.Collect(maps.Keys(d.admitted)) // in no order, as a plan has them
		name := fmt.Sprintf("principals=%d", n)
		b.Run(name+"/json", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var value any
				if err := json.Unmarshal(text, &value); err != nil {
					b.Fatal(err)
				}
				if _, err := json.Marshal(value); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/plan", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				observed, err := policy.Parse(text)
				if err != nil {
					b.Fatal(err)
				}
				want := observed.WithStatements(d.solver.compiler.compile(accesses)...)
				if !policy.Equal(want, observed) {
					b.Fatal("not the same policy")
				}
			}
		})
	}
}

// BenchmarkMake is a whole plan, proof included, where nothing is to be done.
func BenchmarkMake(b *testing.B) {
	for _, n := range benchSizes {
		w, limits := benchWorld(b, n)
		text := w.Gateway.Policy.Bytes()
		b.Run(fmt.Sprintf("principals=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if w.Gateway.Policy, err = policy.Parse(text); err != nil {
					b.Fatal(err)
				}
				if p, err := Make(w, limits); err != nil || p.Write {
					b.Fatalf("write %t, %v", p.Write, err)
				}
			}
		})
	}
}

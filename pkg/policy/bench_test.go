package policy_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

const (
	gatewayARN = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/gw-1"
	invoke     = "bedrock-agentcore:InvokeGateway"
)

// fullPolicy has about the most that one policy holds: n accounts in four
// statements, of which one has a condition.
func fullPolicy(n int) *policy.Document {
	statements := make([]policy.Statement, 4)
	for i := range statements {
		statements[i] = policy.Statement{
			Sid: fmt.Sprintf("GatewayGrantsa1b2c3n%d", i), Effect: policy.Allow,
			Principal: &policy.Principals{}, Action: []string{invoke}, Resource: []string{gatewayARN},
		}
	}
	statements[3].Condition = policy.Condition{"StringEquals": {"aws:SourceVpce": {"vpce-0123456789abcdef0"}}}
	for i := range n {
		who := statements[i*len(statements)/n].Principal
		who.AWS = append(who.AWS, rootARN(i))
	}
	return &policy.Document{Version: policy.Version2012, Statements: statements}
}

func rootARN(i int) string { return fmt.Sprintf("arn:aws:iam::%012d:root", 100000000000+i*7919) }

// BenchmarkJSON is what BenchmarkCompare is measured against.
func BenchmarkJSON(b *testing.B) {
	for _, n := range []int{10, 100, 600} {
		text := fullPolicy(n).Bytes()
		b.Run(fmt.Sprintf("principals=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
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
	}
}

// BenchmarkCompare prints a policy that was built, and parses and compares the
// one that was observed.
func BenchmarkCompare(b *testing.B) {
	for _, n := range []int{10, 100, 600} {
		text := fullPolicy(n).Bytes()
		built := fullPolicy(n)
		b.Run(fmt.Sprintf("principals=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				observed, err := policy.Parse(text)
				if err != nil {
					b.Fatal(err)
				}
				want := built.WithStatements(built.Statements...)
				if len(want.Bytes()) != len(text) || !policy.Equal(observed, want) {
					b.Fatal("not the same policy")
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	text := fullPolicy(600).Bytes()
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := policy.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBytesOfAParsedPolicy(b *testing.B) {
	document, err := policy.Parse(fullPolicy(600).Bytes())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		document.Bytes()
	}
}

// BenchmarkEvaluate decides calls against policies as full as they get, by
// expanded and by submitted size.
func BenchmarkEvaluate(b *testing.B) {
	everything := &policy.Document{Version: policy.Version2012, Statements: []policy.Statement{
		{Effect: policy.Allow, Action: []string{"bedrock-agentcore:*"}, Resource: []string{"*"}},
	}}
	for _, n := range []int{600, 1300} {
		call := policy.Call{
			Action: invoke, Resource: gatewayARN, Identity: []*policy.Document{everything},
			ResourcePolicy: fullPolicy(n),
			Context: map[string][]string{
				"aws:SourceIp": {"192.0.2.1"}, "aws:SourceVpce": {"vpce-0123456789abcdef0"},
				"aws:CurrentTime": {"2026-11-23T00:00:00Z"}, "aws:SecureTransport": {"true"},
			},
		}
		for _, c := range []struct {
			name    string
			account string
			allowed bool
		}{
			{"first", rootARN(0)[13:25], true}, {"last with condition", rootARN(n - 1)[13:25], true}, {"unknown", "999999999999", false},
		} {
			call.Caller = policy.Role("arn:aws:iam::"+c.account+":role/Agent", "s")
			b.Run(fmt.Sprintf("principals=%d/%s", n, c.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if policy.Evaluate(call).Allowed != c.allowed {
						b.Fatal("not the right decision")
					}
				}
			})
		}
	}
}

package model_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// probe asks the question that a quirk answers.
type probe struct {
	ask            func(*world) string
	plain, quirked string
}

const (
	accepted  = "accepted"
	badOne    = "ValidationException: Invalid principal in policy"
	badAction = "ValidationException: Policy has invalid action"
)

// onGateway makes the gateway that a question is about.
func onGateway(ask func(*world, model.Gateway) string) func(*world) string {
	return func(w *world) string { return ask(w, w.gateway(iamGateway("tools"))) }
}

// putting tells what becomes of a policy.
func putting(text func(arn string) string) func(*world) string {
	return onGateway(func(w *world, g model.Gateway) string {
		_, err := w.PutResourcePolicy(ownerA, g.ARN, text(g.ARN))
		return outcome(err)
	})
}

// keeping tells how a policy comes back, without the gateway's ARN.
func keeping(text func(arn string) string) func(*world) string {
	return onGateway(func(w *world, g model.Gateway) string {
		put := w.put(g.ARN, text(g.ARN))
		if got := w.get(g.ARN); got != put {
			return "PutResourcePolicy answers otherwise: " + put
		}
		return strings.ReplaceAll(put, g.ARN, "ARN")
	})
}

func outcome(err error) string {
	if err != nil {
		return said(err)
	}
	return accepted
}

const one = `{"Version":"2012-10-17","Statement":[{"Sid":"One","Effect":"Allow","Principal":{"AWS":%s},"Action":"bedrock-agentcore:InvokeGateway","Resource":"ARN"}]}`

func two(arn string) string {
	return strings.ReplaceAll(`{"Version":"2012-10-17","Statement":[`+
		`{"Sid":"One","Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"ARN"},`+
		`{"Sid":"Two","Effect":"Deny","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":"ARN"}]}`, "ARN", arn)
}

func conditioned(condition, who string) func(string) string {
	return func(arn string) string {
		return strings.Replace(allow(arn, who), `"Action"`, `"Condition":`+condition+`,"Action"`, 1)
	}
}

var probes = map[model.Quirk]probe{
	model.GetWithoutPolicyNotFound: {
		ask: onGateway(func(w *world, g model.Gateway) string {
			text, err := w.GetResourcePolicy(ownerA, g.ARN)
			return text + string(code(err))
		}),
		plain: "", quirked: "ResourceNotFoundException",
	},
	model.DeleteWithoutPolicySucceeds: {
		ask: onGateway(func(w *world, g model.Gateway) string {
			return string(code(w.DeleteResourcePolicy(ownerA, g.ARN)))
		}),
		plain: "ResourceNotFoundException", quirked: "",
	},
	model.SizeInCharacters: {
		ask: putting(func(arn string) string {
			return padded(strings.Replace(allow(arn, `{"AWS":"444455556666"}`), `"One"`, `"é"`, 1), 20481)
		}),
		plain:   "ValidationException: 1 validation error detected: Value '{                   …' at 'policy' failed to satisfy constraint: Member must have length less than or equal to 20480",
		quirked: accepted,
	},
	model.SizeExpanded: {
		ask: putting(func(arn string) string {
			return allow(arn, `{"AWS":["444455556666"`+strings.Repeat(`,"444455556666"`, 700)+`]}`)
		}),
		plain:   accepted,
		quirked: "ValidationException: 1 validation error detected: Value '{\"Version\":\"2012-10-…' at 'policy' failed to satisfy constraint: Member must have length less than or equal to 20480",
	},
	model.OneResourceListRefused: {
		ask:   putting(func(arn string) string { return resource(`["` + arn + `"]`)(arn) }),
		plain: accepted, quirked: "ValidationException: " + wrongResource,
	},
	model.DuplicateSidsAccepted: {
		ask:   putting(func(arn string) string { return strings.Replace(two(arn), `"Two"`, `"One"`, 1) }),
		plain: "ValidationException: Statement IDs (SID) in a single policy must be unique", quirked: accepted,
	},
	model.PlainSidsOnly: {
		ask:   putting(func(arn string) string { return strings.Replace(two(arn), `"Two"`, `"Number two"`, 1) }),
		plain: accepted, quirked: "ValidationException: Statement IDs (SID) must be alpha-numeric",
	},
	model.EmptyStatementAccepted: {
		ask:   putting(func(string) string { return `{"Version":"2012-10-17","Statement":[]}` }),
		plain: "ValidationException: Policy has no statements", quirked: accepted,
	},
	model.OrgWildcardAccepted: {
		ask:   putting(conditioned(`{"StringEquals":{"aws:PrincipalOrgID":"o-example"}}`, `"*"`)),
		plain: badOne, quirked: accepted,
	},
	model.UnconditionalServiceAccepted: {
		ask:   putting(principal(`{"Service":"lambda.amazonaws.com"}`)),
		plain: badOne, quirked: accepted,
	},
	model.StaleIDsAccepted: {
		ask:   putting(principal(`{"AWS":"AROADEADBEEFDEADBEEF"}`)),
		plain: badOne, quirked: accepted,
	},
	model.PrincipalListsRefused: {
		ask: onGateway(func(w *world, g model.Gateway) string {
			_, list := w.PutResourcePolicy(ownerA, g.ARN, allow(g.ARN, fmt.Sprintf(`{"AWS":[%q,"444455556666"]}`, agent)))
			_, ofOne := w.PutResourcePolicy(ownerA, g.ARN, allow(g.ARN, `{"AWS":["444455556666"]}`))
			_, each := w.PutResourcePolicy(ownerA, g.ARN, strings.Replace(two(g.ARN), `"Deny","Principal":"*"`, fmt.Sprintf(`"Allow","Principal":{"AWS":%q}`, agent), 1))
			return outcome(list) + "; one: " + outcome(ofOne) + "; each: " + outcome(each)
		}),
		plain: "accepted; one: accepted; each: accepted", quirked: badOne + "; one: accepted; each: accepted",
	},
	model.ServiceActionsAccepted: {
		ask: onGateway(func(w *world, g model.Gateway) string {
			answers := make([]string, 0, 4)
			for _, name := range []string{"Bedrock-AgentCore:InvokeAgentRuntime", "bedrock-agentcore:*", "s3:GetObject", "*"} {
				_, err := w.PutResourcePolicy(ownerA, g.ARN, action(`"`+name+`"`)(g.ARN))
				answers = append(answers, outcome(err))
			}
			return strings.Join(answers, "\n")
		}),
		plain:   badAction + "\n" + badAction + "\n" + badAction + "\n" + badAction,
		quirked: accepted + "\n" + accepted + "\n" + badAction + "\n" + badAction,
	},
	model.WildcardAllowAccepted: {
		ask: onGateway(func(w *world, g model.Gateway) string {
			_, open := w.PutResourcePolicy(ownerA, g.ARN, allow(g.ARN, `"*"`))
			_, bounded := w.PutResourcePolicy(ownerA, g.ARN, conditioned(`{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`, `{"AWS":"*"}`)(g.ARN))
			return outcome(open) + "; bounded: " + outcome(bounded)
		}),
		plain: badOne + "; bounded: " + badOne, quirked: "accepted; bounded: accepted",
	},
	model.RepeatedNamesAccepted: {
		ask: onGateway(func(w *world, g model.Gateway) string {
			text := conditioned(`{"Bool":{"aws:SecureTransport":true,"aws:SecureTransport":false}}`, `{"AWS":"444455556666"}`)(g.ARN)
			if _, err := w.PutResourcePolicy(ownerA, g.ARN, text); err != nil {
				return string(reason(err))
			}
			effective, err := w.EffectivePolicy(g.ARN)
			if err != nil {
				w.t.Fatal(err)
			}
			return fmt.Sprintf("kept as it is: %t, decides by %v", w.get(g.ARN) == text, effective.Statements[0].Condition)
		}),
		plain: "CannotParse", quirked: "kept as it is: true, decides by map[Bool:map[aws:SecureTransport:[false]]]",
	},
	model.PrincipalsNotPinned: {
		ask: onGateway(func(w *world, g model.Gateway) string {
			w.put(g.ARN, allow(g.ARN, fmt.Sprintf("{%q:%q}", "AWS", agent)))
			w.people[agent] = "AROAAGENT2"
			return fmt.Sprint(principalsIn(w.t, w, g.ARN), strings.Contains(w.get(g.ARN), agent))
		}),
		plain: "[AROAAGENT1] false", quirked: "[" + agent + "] true",
	},
	model.AccountsAsARNs: {
		ask:   keeping(principal(`{"AWS":"444455556666"}`)),
		plain: fmt.Sprintf(one, `"444455556666"`), quirked: fmt.Sprintf(one, `"arn:aws:iam::444455556666:root"`),
	},
	model.AccountsAsIDs: {
		ask:   keeping(principal(`{"AWS":"arn:aws:iam::444455556666:root"}`)),
		plain: fmt.Sprintf(one, `"arn:aws:iam::444455556666:root"`), quirked: fmt.Sprintf(one, `"444455556666"`),
	},
	model.StatementsReordered: {
		ask:   keeping(two),
		plain: two("ARN"),
		quirked: `{"Version":"2012-10-17","Statement":[` +
			`{"Sid":"Two","Effect":"Deny","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":"ARN"},` +
			`{"Sid":"One","Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"ARN"}]}`,
	},
	model.ScalarsAsLists: {
		ask: keeping(conditioned(`{"NumericLessThan":{"aws:MultiFactorAuthAge":300}}`, `{"AWS":"444455556666"}`)),
		plain: `{"Version":"2012-10-17","Statement":[{"Sid":"One","Effect":"Allow","Principal":{"AWS":"444455556666"},` +
			`"Condition":{"NumericLessThan":{"aws:MultiFactorAuthAge":300}},"Action":"bedrock-agentcore:InvokeGateway","Resource":"ARN"}]}`,
		quirked: `{"Statement":[{"Action":["bedrock-agentcore:InvokeGateway"],"Condition":{"NumericLessThan":{"aws:MultiFactorAuthAge":[300]}},` +
			`"Effect":"Allow","Principal":{"AWS":["444455556666"]},"Resource":["ARN"],"Sid":"One"}],"Version":"2012-10-17"}`,
	},
	model.ListsAsScalars: {
		ask:   keeping(principal(`{"AWS":["444455556666"]}`)),
		plain: fmt.Sprintf(one, `["444455556666"]`),
		quirked: `{"Statement":{"Action":"bedrock-agentcore:InvokeGateway","Effect":"Allow","Principal":{"AWS":"444455556666"},` +
			`"Resource":"ARN","Sid":"One"},"Version":"2012-10-17"}`,
	},
	model.WhitespaceChanged: {
		ask:   keeping(principal(`{"AWS":"444455556666"}`)),
		plain: fmt.Sprintf(one, `"444455556666"`),
		quirked: `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "One",
      "Effect": "Allow",
      "Principal": {
        "AWS": "444455556666"
      },
      "Action": "bedrock-agentcore:InvokeGateway",
      "Resource": "ARN"
    }
  ]
}`,
	},
	model.PolicyEffectDelayed: {
		ask: onGateway(func(w *world, g model.Gateway) string {
			var seen []int
			look := func() { seen = append(seen, len(principalsIn(w.t, w, g.ARN))) }
			w.put(g.ARN, allow(g.ARN, `{"AWS":"444455556666"}`))
			look()
			w.clock.pass(30 * time.Second)
			look()
			if err := w.DeleteResourcePolicy(ownerA, g.ARN); err != nil {
				w.t.Fatal(err)
			}
			look()
			w.clock.pass(30 * time.Second)
			look()
			return fmt.Sprint(seen)
		}),
		plain: "[1 1 0 0]", quirked: "[0 1 1 0]",
	},
	model.PolicyReadsStale: {
		ask: onGateway(func(w *world, g model.Gateway) string {
			var seen []int
			look := func() { seen = append(seen, strings.Count(w.get(g.ARN), "Effect")) }
			w.put(g.ARN, allow(g.ARN, `{"AWS":"444455556666"}`))
			look()
			w.clock.pass(30 * time.Second)
			look()
			if err := w.DeleteResourcePolicy(ownerA, g.ARN); err != nil {
				w.t.Fatal(err)
			}
			look()
			w.clock.pass(30 * time.Second)
			look()
			return fmt.Sprint(seen)
		}),
		plain: "[1 1 0 0]", quirked: "[0 1 1 0]",
	},
	model.ForeignARNNotFound: {
		ask: onGateway(func(w *world, g model.Gateway) string {
			_, err := w.GetResourcePolicy(ownerB, g.ARN)
			return string(code(err))
		}),
		plain: "AccessDeniedException", quirked: "ResourceNotFoundException",
	},
	model.ClientTokenMismatchIgnored: {
		ask: func(w *world) string {
			in := iamGateway("tools")
			in.ClientToken = strings.Repeat("t", 33)
			w.gateway(in)
			in.Name = "others"
			g, err := w.CreateGateway(ownerA, in)
			return g.Name + string(reason(err))
		},
		plain: "IdempotentParameterMismatchException", quirked: "tools",
	},
}

func TestEveryQuirkAnswersBothWays(t *testing.T) {
	for _, info := range model.AllQuirks() {
		t.Run(string(info.Quirk), func(t *testing.T) {
			p, ok := probes[info.Quirk]
			if !ok {
				t.Fatal("the quirk has no probe")
			}
			if diff := cmp.Diff(p.plain, p.ask(newWorld(t))); diff != "" {
				t.Errorf("by default: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(p.quirked, p.ask(newWorld(t, withQuirks(info.Quirk)))); diff != "" {
				t.Errorf("with the quirk: -want +got\n%s", diff)
			}
		})
	}
	if len(probes) != len(model.AllQuirks()) {
		t.Errorf("%d probes for %d quirks", len(probes), len(model.AllQuirks()))
	}
}

func TestQuirksAreReadByName(t *testing.T) {
	names := make([]string, 0, len(probes))
	for _, info := range model.AllQuirks() {
		names = append(names, string(info.Quirk))
		if !strings.HasSuffix(info.Sentence, ".") {
			t.Errorf("%s: %q is no sentence", info.Quirk, info.Sentence)
		}
	}
	quirks, err := model.ParseQuirks(names)
	if err != nil || len(quirks) != len(names) {
		t.Errorf("ParseQuirks = %v, %v", quirks, err)
	}
	if _, err := model.ParseQuirks([]string{"no-such-quirk"}); err == nil || !strings.Contains(err.Error(), names[0]) {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestAllQuirksTogetherStillKeepAPolicy(t *testing.T) {
	all := make(model.Quirks, 0, len(probes))
	for _, info := range model.AllQuirks() {
		all = append(all, info.Quirk)
	}
	w := newWorld(t, withQuirks(all...))
	g := w.gateway(iamGateway("tools"))
	w.put(g.ARN, two(g.ARN))
	w.clock.pass(30 * time.Second)
	effective, err := w.EffectivePolicy(g.ARN)
	if err != nil || len(effective.Statements) != 2 {
		t.Errorf("effective is %s, %v", effective, err)
	}
	if shown := w.get(g.ARN); !strings.Contains(shown, "444455556666") {
		t.Errorf("shown is %s", shown)
	}
}

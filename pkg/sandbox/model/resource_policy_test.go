package model_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

func TestAPolicyComesBackAsItWasPut(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	text := "{ \"Version\": \"2012-10-17\",\n \"Statement\": " + fmt.Sprintf(`{"Effect":"Allow","Principal":{"AWS":["444455556666",%q]},
		"Action":["bedrock-agentcore:InvokeGateway"],"Resource":%q,"Condition":{"Bool":{"aws:ViaAWSService":false}}} }`, agent, g.ARN)
	if got := w.put(g.ARN, text); got != text {
		t.Errorf("PutResourcePolicy answers %s", got)
	}
	if got := w.get(g.ARN); got != text {
		t.Errorf("GetResourcePolicy answers %s", got)
	}
}

func TestPutReplacesAndDeleteRemovesPolicy(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	if got := w.get(g.ARN); got != "" {
		t.Errorf("a new gateway has the policy %s", got)
	}
	w.put(g.ARN, allow(g.ARN, `{"AWS":"444455556666"}`))
	second := w.put(g.ARN, allow(g.ARN, `{"AWS":"111122223333"}`))
	if got := w.get(g.ARN); got != second {
		t.Errorf("after the second put: %s", got)
	}
	if _, err := w.PutResourcePolicy(ownerA, g.ARN, "{}"); code(err) != model.Validation {
		t.Errorf("a bad policy: %v", err)
	}
	if got := w.get(g.ARN); got != second {
		t.Errorf("after a refused put: %s", got)
	}
	if err := w.DeleteResourcePolicy(ownerA, g.ARN); err != nil {
		t.Fatal(err)
	}
	if got := w.get(g.ARN); got != "" {
		t.Errorf("after the delete: %s", got)
	}
	if effective, err := w.EffectivePolicy(g.ARN); effective != nil || err != nil {
		t.Errorf("after the delete, effective is %s, %v", effective, err)
	}
}

func TestAPolicyGoesWithItsGateway(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	w.put(g.ARN, allow(g.ARN, `{"AWS":"444455556666"}`))
	if _, err := w.DeleteGateway(ownerA, g.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.GetResourcePolicy(ownerA, g.ARN); code(err) != model.ResourceNotFound {
		t.Errorf("GetResourcePolicy: %v", err)
	}
	if effective, err := w.EffectivePolicy(g.ARN); effective != nil || err != nil {
		t.Errorf("effective is %s, %v", effective, err)
	}
}

// documented lists what PutResourcePolicy refuses on an AWS_IAM gateway. The
// policy is made from the gateway's ARN.
var documented = map[string]struct {
	reason string
	policy func(arn string) string
	want   string
}{
	"Everything":   {`Resource "*" is a validation error`, resource(`"*"`), wrongResource},
	"OtherGateway": {"Resource is the gateway's own ARN", resource(`"arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/other-0123456789"`), wrongResource},
	"BelowGateway": {"Resource is the gateway's ARN itself", func(arn string) string { return resource(`"` + arn + `/*"`)(arn) }, wrongResource},
	"ResourceList": {"one ARN, not a list", func(arn string) string { return resource(`["` + arn + `","` + arn + `"]`)(arn) }, wrongResource},
	"NoResource":   {"Resource is the gateway's ARN", without("Resource"), wrongResource},
	"BrokenJSON":   {"a policy is JSON", func(arn string) string { return allow(arn, `{"AWS":"444455556666"}`)[1:] }, "This policy contains invalid Json"},
	"NotAnObject":  {"a policy is an object", func(string) string { return `"policy"` }, "policy document:"},
	"NoVersion": {"Version is required", func(arn string) string {
		return strings.Replace(allow(arn, `{"AWS":"444455556666"}`), `"Version":"2012-10-17",`, "", 1)
	}, "Missing required field Version"},
	"BadVersion": {"Version is one of two", func(arn string) string {
		return strings.Replace(allow(arn, `{"AWS":"444455556666"}`), "2012-10-17", "2024-01-01", 1)
	}, "Version"},
	"NoStatement":    {"Statement is required", func(string) string { return `{"Version":"2012-10-17"}` }, "Policy has no statements"},
	"EmptyStatement": {"a statement at least", func(string) string { return `{"Version":"2012-10-17","Statement":[]}` }, "Policy has no statements"},
	"NoEffect":       {"Effect is required", without("Effect"), "Missing required field Effect"},
	"BadEffect": {"Effect is Allow or Deny", func(arn string) string {
		return strings.Replace(allow(arn, `{"AWS":"444455556666"}`), `"Allow"`, `"Maybe"`, 1)
	}, "Effect"},
	"NoPrincipal":    {"Principal is required", without("Principal"), "Missing required field Principal"},
	"EmptyPrincipal": {"Principal names no principal", principal(`{"AWS":[]}`), "Missing required field Principal"},
	"NotPrincipal": {"NotPrincipal is no Principal", func(arn string) string {
		return strings.Replace(allow(arn, `{"AWS":"444455556666"}`), `"Principal"`, `"NotPrincipal"`, 1)
	}, "Missing required field Principal"},
	"NoAction":       {"Action is required", without("Action"), "Missing required field Action"},
	"ForeignAction":  {"only this service's actions", action(`"s3:GetObject"`), "Policy has invalid action"},
	"OtherAction":    {"of this service only InvokeGateway", action(`"bedrock-agentcore:GetGateway"`), "Policy has invalid action"},
	"AnotherAction":  {"every action counts", action(`["bedrock-agentcore:InvokeGateway","bedrock-agentcore:GetGateway"]`), "Policy has invalid action"},
	"WildcardAction": {"no wildcard is shown", action(`"bedrock-agentcore:*"`), "Policy has invalid action"},
	"Everybody":      {`"*" appears only in Deny`, principal(`"*"`), "Invalid principal in policy"},
	"EverybodyAWS":   {`{"AWS":"*"} is "*"`, principal(`{"AWS":["444455556666","*"]}`), "Invalid principal in policy"},
	"NoSuchRole":     {"the role does not exist", principal(`{"AWS":"arn:aws:iam::444455556666:role/Nobody"}`), "Invalid principal in policy"},
	"NoSuchUser":     {"the user does not exist", principal(`{"AWS":"arn:aws:iam::444455556666:user/nobody"}`), "Invalid principal in policy"},
	"NoSuchAccount":  {"the account does not exist", principal(`{"AWS":"999999999999"}`), "Invalid principal in policy"},
	"NoSuchRoot":     {"the account does not exist", principal(`{"AWS":"arn:aws:iam::999999999999:root"}`), "Invalid principal in policy"},
	"OneBadOfTwo":    {"one dead principal fails the whole put", principal(`{"AWS":["444455556666","arn:aws:iam::444455556666:role/Nobody"]}`), "Invalid principal in policy"},
	"RolePattern":    {"wildcards match nothing in a principal", principal(`{"AWS":"arn:aws:iam::444455556666:role/*"}`), "Invalid principal in policy"},
	"Session":        {"sessions are not among the principals", principal(`{"AWS":"arn:aws:sts::444455556666:assumed-role/Agent/s"}`), "Invalid principal in policy"},
	"NotAPrincipal":  {"neither id nor ARN", principal(`{"AWS":"alice"}`), "Invalid principal in policy"},
	"StaleID":        {"a deleted principal's id", principal(`{"AWS":"AROADEADBEEFDEADBEEF"}`), "Invalid principal in policy"},
	"Federated":      {"users, roles, accounts and services only", principal(`{"Federated":"cognito-identity.amazonaws.com"}`), "Invalid principal in policy"},
	"BareService":    {"a service needs aws:SourceAccount or aws:SourceArn", principal(`{"Service":"lambda.amazonaws.com"}`), "Invalid principal in policy"},
	"TooLong":        {"20,480 bytes at most", func(arn string) string { return padded(allow(arn, `{"AWS":"444455556666"}`), 20481) }, "Member must have length less than or equal to 20480"},
	"Empty":          {"one byte at least", func(string) string { return "" }, "Member must have length greater than or equal to 1"},
	"101Statements":  {"100 statements at most", func(arn string) string { return many(arn, 101) }, "more than the maximum of 100"},
	"SecondIsChecked": {"every statement is checked", func(arn string) string {
		return strings.TrimSuffix(allow(arn, `{"AWS":"444455556666"}`), "]}") + `,{"Effect":"Allow"}]}`
	}, "Missing required field Principal"},
}

const wrongResource = "Policy statement block must contain exactly one resource ARN that matches the provided resource ARN"

func resource(value string) func(string) string {
	return func(arn string) string {
		return strings.Replace(allow(arn, `{"AWS":"444455556666"}`), `"Resource":"`+arn+`"`, `"Resource":`+value, 1)
	}
}

func action(value string) func(string) string {
	return func(arn string) string {
		return strings.Replace(allow(arn, `{"AWS":"444455556666"}`), `"bedrock-agentcore:InvokeGateway"`, value, 1)
	}
}

func principal(value string) func(string) string {
	return func(arn string) string { return allow(arn, value) }
}

// without takes an element out of the one statement, by giving it a name that
// is not known.
func without(element string) func(string) string {
	return func(arn string) string {
		return strings.Replace(allow(arn, `{"AWS":"444455556666"}`), `"`+element+`"`, `"X"`, 1)
	}
}

// padded makes a policy longer with whitespace, up to a number of bytes.
func padded(text string, size int) string {
	return text[:1] + strings.Repeat(" ", size-len(text)) + text[1:]
}

func many(arn string, statements int) string {
	list := make([]string, statements)
	for i := range list {
		list[i] = fmt.Sprintf(`{"Sid":"S%d","Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"bedrock-agentcore:InvokeGateway","Resource":%q}`, i, arn)
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(list, ",") + `]}`
}

func TestWhatTheRulesForbidIsRefused(t *testing.T) {
	for name, test := range documented {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.gateway(iamGateway("tools"))
			_, err := w.PutResourcePolicy(ownerA, g.ARN, test.policy(g.ARN))
			if code(err) != model.Validation || !strings.Contains(said(err), test.want) {
				t.Errorf("%s: got %q, want a ValidationException with %q", test.reason, said(err), test.want)
			}
			if got := w.get(g.ARN); got != "" {
				t.Errorf("%s: and yet it is kept: %s", test.reason, got)
			}
		})
	}
}

func TestWhatTheRulesAllowIsAccepted(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		policy func(arn string) string
	}{
		"Account":     {"an account by its id", principal(`{"AWS":"444455556666"}`)},
		"Root":        {"an account by its root", principal(`{"AWS":"arn:aws:iam::444455556666:root"}`)},
		"RoleAndUser": {"roles and users by ARN", principal(fmt.Sprintf(`{"AWS":[%q,%q]}`, agent, user))},
		"DenyAll": {`"*" in Deny`, func(arn string) string {
			return strings.Replace(allow(arn, `"*"`), `"Allow"`, `"Deny"`, 1)
		}},
		"Service": {"a service with a source condition", func(arn string) string {
			return strings.Replace(allow(arn, `{"Service":"lambda.amazonaws.com"}`), `"Action"`,
				`"Condition":{"StringEquals":{"aws:sourceaccount":"111122223333"}},"Action"`, 1)
		}},
		"ActionCase": {"actions have no case", action(`"Bedrock-AgentCore:invokegateway"`)},
		"OneStatement": {"Statement may be a single object", func(arn string) string {
			return strings.NewReplacer("[{", "{", "}]", "}").Replace(allow(arn, `{"AWS":"444455556666"}`))
		}},
		"NoSid": {"Sid is optional", func(arn string) string {
			return strings.Replace(allow(arn, `{"AWS":"444455556666"}`), `"Sid":"One",`, "", 1)
		}},
		"20480Bytes":    {"20,480 bytes", func(arn string) string { return padded(allow(arn, `{"AWS":"444455556666"}`), 20480) }},
		"100Statements": {"100 statements", func(arn string) string { return many(arn, 100) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.gateway(iamGateway("tools"))
			if _, err := w.PutResourcePolicy(ownerA, g.ARN, test.policy(g.ARN)); err != nil {
				t.Errorf("%s: %v", test.reason, err)
			}
		})
	}
}

func TestThePrincipalOfAJWTGatewayIsEverybody(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(jwtGateway("tools"))
	for _, everybody := range []string{`"*"`, `{"AWS":"*"}`, `{"AWS":["*"]}`} {
		w.put(g.ARN, allow(g.ARN, everybody))
	}
	for _, somebody := range []string{`{"AWS":"444455556666"}`, `{"AWS":["*","444455556666"]}`, `{"Service":"lambda.amazonaws.com"}`} {
		if _, err := w.PutResourcePolicy(ownerA, g.ARN, allow(g.ARN, somebody)); said(err) != "ValidationException: Invalid principal in policy" {
			t.Errorf("%s: %v", somebody, err)
		}
	}
}

func TestBrokenJSONIsUnparsable(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	if _, err := w.PutResourcePolicy(ownerA, g.ARN, "{"); reason(err) != model.CannotParse {
		t.Errorf("reason = %q", reason(err))
	}
}

func TestDeletedRoleIsShownByUniqueID(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	text := w.put(g.ARN, allow(g.ARN, fmt.Sprintf(`{"AWS":[%q,"444455556666"]}`, agent)))
	if diff := cmp.Diff([]string{agent, "444455556666"}, principalsIn(t, w, g.ARN)); diff != "" {
		t.Errorf("effective: -want +got\n%s", diff)
	}

	delete(w.people, agent)
	want := strings.Replace(text, agent, "AROAAGENT1", 1)
	if got := w.get(g.ARN); got != want {
		t.Errorf("role deleted: got %s, want %s", got, want)
	}
	w.people[agent] = "AROAAGENT2"
	if got := w.get(g.ARN); got != want {
		t.Errorf("role created again: got %s, want %s", got, want)
	}
	if diff := cmp.Diff([]string{"AROAAGENT1", "444455556666"}, principalsIn(t, w, g.ARN)); diff != "" {
		t.Errorf("effective: -want +got\n%s", diff)
	}

	if _, err := w.PutResourcePolicy(ownerA, g.ARN, w.get(g.ARN)); said(err) != "ValidationException: Invalid principal in policy" {
		t.Errorf("putting back what was read: %v", err)
	}
	if got := w.put(g.ARN, text); got != text {
		t.Errorf("putting the new role: %s", got)
	}
}

func principalsIn(t *testing.T, w *world, arn string) []string {
	t.Helper()
	effective, err := w.EffectivePolicy(arn)
	if err != nil {
		t.Fatal(err)
	}
	if effective == nil {
		return nil
	}
	return effective.Statements[0].Principal.AWS
}

func TestThatPrincipalsCannotBeLookedUpIsAnError(t *testing.T) {
	w := newWorld(t, func(o *model.Options) { o.Principals = people(nil) })
	g := w.gateway(iamGateway("tools"))
	if _, err := w.PutResourcePolicy(ownerA, g.ARN, allow(g.ARN, `{"AWS":"444455556666"}`)); code(err) != model.InternalServer {
		t.Errorf("got %v", err)
	}
}

func TestPolicyCallsNameAGatewayOfTheCaller(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	for name, test := range map[string]struct {
		reason string
		by     model.Caller
		arn    string
		want   model.Code
	}{
		"Gone":    {"no such gateway", ownerA, "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/gone-0123456789", model.ResourceNotFound},
		"Runtime": {"runtimes are not modelled", ownerA, "arn:aws:bedrock-agentcore:us-east-1:111122223333:runtime/agent-0123456789", model.ResourceNotFound},
		"BadARN":  {"not an ARN of the service", ownerA, "arn:aws:s3:::bucket-with-a-long-name", model.Validation},
		"Short":   {"20 characters at least", ownerA, "gateway", model.Validation},
		"Foreign": {"another account's", ownerB, g.ARN, model.AccessDenied},
	} {
		t.Run(name, func(t *testing.T) {
			_, put := w.PutResourcePolicy(test.by, test.arn, allow(test.arn, `{"AWS":"444455556666"}`))
			_, get := w.GetResourcePolicy(test.by, test.arn)
			remove := w.DeleteResourcePolicy(test.by, test.arn)
			for operation, err := range map[string]error{"put": put, "get": get, "delete": remove} {
				if code(err) != test.want {
					t.Errorf("%s: %s: got %v, want %s", test.reason, operation, err, test.want)
				}
			}
		})
	}
}

func TestPoliciesMayBePutFromManyGoroutines(t *testing.T) {
	w := newWorld(t, func(o *model.Options) { o.Changed = nil })
	g := w.gateway(iamGateway("tools"))
	done := make(chan error)
	for range 8 {
		go func() {
			for range 20 {
				if _, err := w.PutResourcePolicy(ownerA, g.ARN, allow(g.ARN, `{"AWS":"444455556666"}`)); err != nil {
					done <- err
					return
				}
				if _, err := w.EffectivePolicy(g.ARN); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestTheEffectivePolicyIsADocument(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	w.put(g.ARN, allow(g.ARN, `{"AWS":"444455556666"}`))
	effective, err := w.EffectivePolicy(g.ARN)
	if err != nil {
		t.Fatal(err)
	}
	want, err := policy.Parse([]byte(allow(g.ARN, `{"AWS":"444455556666"}`)))
	if err != nil {
		t.Fatal(err)
	}
	if effective.String() != want.String() {
		t.Errorf("got %s, want %s", effective, want)
	}
}

func TestOldPoliciesAreForgotten(t *testing.T) {
	w := newWorld(t, withQuirks(model.PolicyReadsStale), func(o *model.Options) { o.PolicyDelay = 10 * time.Second })
	g := w.gateway(iamGateway("tools"))
	texts := make([]string, 0, 5)
	for i := range 5 {
		texts = append(texts, w.put(g.ARN, many(g.ARN, i+1)))
		w.clock.pass(4 * time.Second)
	}
	// Ten seconds ago was between the third put, at 8 s, and the fourth, at 12 s.
	if got := w.get(g.ARN); got != texts[2] {
		t.Errorf("got the policy with %d statements", strings.Count(got, "Effect"))
	}
}

package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/access"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// placed replaces what differs from run to run.
func placed(text string, config gatewayConfig) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, config.GatewayARN, "GATEWAY"), config.GatewayID, "ID")
}

// partnered is a gateway with a grant that is applied, one that waits, and
// statements of others.
func partnered(t *testing.T) (*world, gatewayConfig) {
	t.Helper()
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB, "--role", "AgentRole", "--expires", "2099-01-31")
	w.done("reconcile")
	stored := w.parse(w.policyText(config.GatewayARN))
	_, err := w.model.PutResourcePolicy(inA, config.GatewayARN, document(append(stored.Statements,
		policy.Statement{Sid: "Partner", Effect: policy.Allow, Principal: &policy.Principals{AWS: []string{"arn:aws:iam::" + accountB + ":role/AdminRole"}}, Action: []string{"bedrock-agentcore:InvokeGateway"}, Resource: []string{config.GatewayARN}},
		policy.Statement{Sid: "Contain", Effect: policy.Deny, Principal: &policy.Principals{AWS: []string{"arn:aws:iam::" + accountB + ":role/AdminRole"}}, Action: []string{"bedrock-agentcore:InvokeGateway"}, Resource: []string{config.GatewayARN}},
	)...).String())
	w.must(err)
	w.done("grant", "ou-abcd-11112222")
	return w, config
}

func TestAccessIsPrinted(t *testing.T) {
	w, config := partnered(t)
	const assumed = "service control policies, resource control policies, session policies and endpoint policies are assumed to allow the call\n"
	tests := []struct {
		reason string
		args   []string
		want   string
		notes  string
	}{
		{"who may call it", []string{"access"}, `
GATEWAY                         PRINCIPAL                                 ACCESS   BY                                 UNDER  EXPIRES               WHY
ID  arn:aws:iam::444455556666:role/AgentRole  Allowed  grant 444455556666:role/AgentRole  -      2099-02-01T00:00:00Z  -
ID  arn:aws:iam::444455556666:role/AdminRole  Denied   statement 2 (Sid "Partner"), foreign  -      -                     ForeignDeny: statement 3 (Sid "Contain") denies every call
ID  ou-abcd-11112222  Denied   grant ou-abcd-11112222  -  -  NoDirectory: no complete listing of the organization has ended yet; selectors match no account until one has
`, ""},
		{"an allowed role", []string{"access", config.GatewayID, "--principal", "arn:aws:iam::444455556666:role/AgentRole", "--caller-profile", "account-b"}, `
Allowed: arn:aws:iam::444455556666:role/AgentRole on ID
Gateway: Allowed: statement 1 (Sid "SID") of the gateway's policy allows it by grant 444455556666:role/AgentRole
Caller:  Allowed: the caller's own policies allow it
Assumed: ` + assumed, ""},
		{"a role that a Deny of others stops", []string{"access", config.GatewayID, "--principal", "arn:aws:sts::444455556666:assumed-role/AdminRole/session"}, `
Denied by the gateway's side: arn:aws:iam::444455556666:role/AdminRole on ID
Gateway: Denied: statement 3 (Sid "Contain") of the gateway's policy denies it
         Next: no grant goes before a Deny: the owner of statement 3 (Sid "Contain") has to remove or narrow it
Caller:  Allowed: the caller's identity policies and permissions boundary were not read: they are assumed to allow it
Assumed: a session's ARN leaves out the path of its role: the role is taken for arn:aws:iam::444455556666:role/AdminRole
Assumed: the caller's identity policies and permissions boundary are assumed to allow the call: give a profile of account 444455556666 with --caller-profile to read them
Assumed: ` + assumed, ""},
		{"every gateway", []string{"access", "--principal", "555566667777"}, `
GATEWAY  ACCESS  SIDE  WHY
ID  Denied  gateway  no statement of the gateway's policy allows it: grant ou-abcd-11112222 is LeftOut (NoDirectory): no complete listing of the organization has ended yet; selectors match no account until one has
`, "Note: of account 555566667777 any role is meant, whose identity policies and permissions boundary allow the call\nNote: " + assumed},
	}
	sid := w.parse(w.policyText(config.GatewayARN)).Statements[0].Sid
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			got := w.done(test.args...)
			out := strings.ReplaceAll(placed(got.out, config), sid, "SID")
			if diff := cmp.Diff(squeezed(strings.TrimPrefix(test.want, "\n")), squeezed(out)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if diff := cmp.Diff(test.notes, got.err); diff != "" {
				t.Errorf("notes: -want +got\n%s", diff)
			}
		})
	}
}

func TestAccessIsRefusedInOneLine(t *testing.T) {
	w, _ := partnered(t)
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"a selector":                {[]string{"--principal", "ou-abcd-11112222"}, "is not one caller"},
		"a pattern":                 {[]string{"--principal", "arn:aws:iam::444455556666:role/Agent*"}, "is not one caller"},
		"nonsense":                  {[]string{"--principal", "bob"}, "bob"},
		"half a session":            {[]string{"--principal", "arn:aws:sts::444455556666:assumed-role/AgentRole"}, "as aws sts get-caller-identity prints it"},
		"another path":              {[]string{"--principal", "arn:aws:iam::444455556666:role/other/AgentRole", "--caller-profile", "account-b"}, "there is no arn:aws:iam::444455556666:role/other/AgentRole, but arn:aws:iam::444455556666:role/AgentRole"},
		"another account's profile": {[]string{"--principal", "arn:aws:iam::444455556666:role/AgentRole", "--caller-profile", "account-a"}, "choose another --caller-profile"},
		"a place without a caller":  {[]string{"--source-ip", "203.0.113.7"}, "name it with --principal"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.run(append([]string{"access"}, test.args...)...)
			if got.code != exitError || got.out != "" || strings.Count(got.err, "\n") != 1 || !strings.Contains(got.err, test.says) {
				t.Errorf("exit %d, said %q %q, want %q", got.code, got.out, got.err, test.says)
			}
		})
	}
}

func TestUnreadableCallerPoliciesAreAssumed(t *testing.T) {
	w, _ := partnered(t)
	_, blind := w.caller(accountB, "/", "BlindRole", allowAll)
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"IAM is denied":  {[]string{"--principal", "arn:aws:iam::444455556666:role/AgentRole", "--caller-profile", blind}, "AWS does not let you read IAM of account 444455556666"},
		"no such role":   {[]string{"--principal", "arn:aws:iam::444455556666:role/Gone", "--caller-profile", "account-b"}, "arn:aws:iam::444455556666:role/Gone does not exist now"},
		"a role of mine": {[]string{"--principal", "arn:aws:iam::111122223333:role/AdminRole"}, alwaysAssumed},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.done(append([]string{"access", "-o", "json"}, test.args...)...)
			fits(t, "access", got.out)
			var texts []accessText
			w.must(json.Unmarshal([]byte(got.out), &texts))
			if len(texts) != 1 || !strings.Contains(strings.Join(texts[0].Assumed, "\n"), test.says) {
				t.Errorf("%+v", texts)
			}
		})
	}
	fits(t, "access-list", w.done("access", "-o", "json").out)
}

// A team whose agent is denied has rights on neither the gateway's account nor its tables.
func TestUnreadableGatewayIsReported(t *testing.T) {
	w, config := partnered(t)
	agent := "arn:aws:iam::" + accountB + ":role/AgentRole"
	powerless, _ := w.caller(accountB, "/", "PowerlessRole", trustNobody)
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized to perform: dynamodb:GetItem"}
	noTables := func(args ...string) said { return w.failing(map[string]error{config.GatewayARN: denied}, args...) }
	noGateway := func(args ...string) said {
		w.asked = func(r *http.Request) bool {
			return strings.Contains(r.Header.Get("Authorization"), "/bedrock-agentcore/aws4_request")
		}
		defer func() { w.asked = nil }()
		return w.run(args...)
	}
	for _, test := range []struct {
		reason          string
		run             func(...string) said
		profile, who    string
		access          access.Verdict
		side            access.Side
		gateway, assume string
	}{
		{"of another account, which may call by its own side", w.run, "account-b", agent, access.Depends, access.GatewaySide, "the gateway's policy was not read", "AWS does not let you read gateway "},
		{"of another account, and its own side denies", w.run, "account-b", powerless, access.Denied, access.CallerSide, "the gateway's policy was not read", "AWS does not let you read gateway "},
		{"no right to the gateway", noGateway, "account-a", agent, access.Depends, access.GatewaySide, "the gateway's policy was not read", "AWS does not let you read gateway "},
		{"no right to the tables: the policy still lets in", noTables, "account-a", agent, access.Allowed, "", "of the gateway's policy allows it", "AWS does not let you read the tables"},
		{"no right to the tables: the policy still lets in no one else", noTables, "account-a", "555566667777", access.Denied, access.GatewaySide, "its grants were not read", "AWS does not let you read the tables"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			args := []string{"access", config.GatewayARN, "--profile", test.profile, "--principal", test.who}
			got := test.run(append(args, "-o", "json")...)
			if got.code != exitDone {
				t.Fatalf("exit %d\n%s", got.code, got.err)
			}
			fits(t, "access", got.out)
			var texts []accessText
			w.must(json.Unmarshal([]byte(got.out), &texts))
			text := texts[0]
			if text.Access != test.access || text.Side != test.side || !strings.Contains(text.GatewaySide.Why, test.gateway) || !strings.HasPrefix(text.Assumed[0], test.assume) {
				t.Errorf("%+v", text)
			}
			if got := test.run(args...); got.code != exitDone || !strings.Contains(got.out, "\nAssumed: "+test.assume) {
				t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
			}
		})
	}
	// A gateway that is not there is no gateway that may not be read.
	gone := strings.Replace(config.GatewayARN, config.GatewayID, "gone-abcdefghij", 1)
	if got := w.run("access", gone, "--principal", agent); got.code != exitError || !strings.Contains(got.err, "there is no gateway") {
		t.Errorf("%+v", got)
	}
}

func TestDeniedCallNamesTheDenyingSide(t *testing.T) {
	w, config := partnered(t)
	_, err := w.model.PutResourcePolicy(inA, config.GatewayARN, document(policy.Statement{
		Sid: "Isolate", Effect: policy.Deny, Principal: &policy.Principals{Everyone: true}, Action: []string{"bedrock-agentcore:InvokeGateway"}, Resource: []string{config.GatewayARN},
	}).String())
	w.must(err)
	for profile, says := range map[string]string{
		"account-a": `Hint: statement 1 (Sid "Isolate") of the gateway's policy denies it. gateway-grants access GATEWAY --principal arn:aws:sts::111122223333:assumed-role/AdminRole/session, run by`,
		"account-b": "Hint: two policies must allow this call: ",
	} {
		got := w.run("invoke", "--profile", profile)
		if got.code != exitError || !strings.Contains(placed(got.out, config), says) {
			t.Errorf("%s: exit %d, did not say %q:\n%s", profile, got.code, says, got.out)
		}
	}
}

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

func TestWhatCannotBeReadOfTheCallerIsSaidToBeAssumed(t *testing.T) {
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

func TestADeniedCallSaysWhichSideDeniesWhereTheCallerMayReadThePolicy(t *testing.T) {
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

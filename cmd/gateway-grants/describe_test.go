package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestAGatewayIsDescribed(t *testing.T) {
	w, config := partnered(t)
	got := w.done("describe", config.GatewayID)
	text := placed(got.out, config)
	for _, part := range []string{
		"Gateway:    GATEWAY\nStatus:     READY, authorizer AWS_IAM, managed\nPolicy:     settled: the policy is what the grants say\n",
		" of 20480 bytes and 97 of 100 statements left\n", "Drift:      none\n",
		"\nForeign statements:\nSTATEMENT  SID      EFFECT  PRINCIPALS\n2          Partner  Allow   arn:aws:iam::444455556666:role/AdminRole\n3          Contain  Deny    arn:aws:iam::444455556666:role/AdminRole\n",
		"ou-abcd-11112222", "\nRecent changes:\nAT ", "command line  arn:aws:sts::111122223333:assumed-role/AdminRole/session  ", "  written\n",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("did not say %q:\n%s", part, text)
		}
	}
	asJSON := w.done("describe", config.GatewayARN, "-o", "json")
	fits(t, "describe", asJSON.out)
	var described describedGateway
	w.must(json.Unmarshal([]byte(asJSON.out), &described))
	if !described.Settled || len(described.Foreign) != 2 || len(described.Grants) != 2 || len(described.Changes) != 1 || described.Changes[0].PlanHash == "" {
		t.Errorf("%+v", described)
	}
	w.done("grant", "555566667777")
	if got := w.done("describe", "cross-account-test"); !strings.Contains(got.out, "not settled: gateway-grants plan shows what a reconcile would change") {
		t.Errorf("with a grant that is not applied:\n%s", got.out)
	}
}

func TestDescribeGrantOnEachGateway(t *testing.T) {
	w, first, second := withTwo(t)
	w.done("grant", second, accountB, "--role", "AgentRole")
	w.run("reconcile", "*")
	got := w.done("describe", "777788889999")
	for _, part := range []string{"Grant:        777788889999\nGateway:      *\nPrincipal:    777788889999\n", "Requested by: arn:aws:sts::111122223333:assumed-role/AdminRole/session\n", shortGateway(first) + ": ", shortGateway(second) + ": "} {
		if !strings.Contains(got.out, part) {
			t.Errorf("did not say %q:\n%s", part, got.out)
		}
	}
	asJSON := w.done("describe", first, accountB+":role/AgentRole", "-o", "json")
	fits(t, "describe-grant", asJSON.out)
	var described describedGrant
	w.must(json.Unmarshal([]byte(asJSON.out), &described))
	if len(described.On) != 1 || described.On[0].Phase != "Admitted" || described.Gateway != first {
		t.Errorf("%+v", described)
	}
	for says, args := range map[string][]string{
		"2 gateways have a grant " + accountB + ":role/AgentRole (": {accountB + ":role/AgentRole"},
		"there is no grant typo on *":                               {"*", "typo"},
		"there is no gateway named typo":                            {"typo"},
		"describe takes one gateway":                                {"*"},
	} {
		if got := w.run(append([]string{"describe"}, args...)...); got.code != exitError || !strings.Contains(got.err, says) {
			t.Errorf("%v: exit %d, said %s", args, got.code, got.err)
		}
	}
}

func TestAnAgeIsShort(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for passed, want := range map[time.Duration]string{
		30 * time.Second: "30s", 90 * time.Minute: "1h", 5 * time.Minute: "5m", 47 * time.Hour: "47h", 49 * time.Hour: "2d", -time.Minute: "0s",
	} {
		if got := age(now.Add(-passed), now); got != want {
			t.Errorf("%s ago is %s, want %s", passed, got, want)
		}
	}
	if got := age(time.Time{}, now); got != "" {
		t.Errorf("never is %q", got)
	}
}

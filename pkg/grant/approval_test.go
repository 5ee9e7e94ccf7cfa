package grant_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func TestApprovalIsOfWhatWasShown(t *testing.T) {
	gateway, err := grant.ParseGateway("arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	const role = "arn:aws:iam::444455556666:role/Agent"
	held := grant.RecreatedOf(gateway, role, now)
	approved := grant.Approvals{held.Subject: {Found: held.Found, At: now}}
	for name, test := range map[string]struct {
		reason   string
		decision grant.Decision
		at       time.Time
		want     bool
	}{
		"the same":             {"it was shown", held, now, true},
		"held again":           {"another role may be behind the name", grant.RecreatedOf(gateway, role, now.Add(1)), now, false},
		"another role":         {"each is decided alone", grant.RecreatedOf(gateway, role+"2", now), now, false},
		"a takeover":           {"it is another decision", grant.TakeoverOf(gateway, held.Found), now, false},
		"six days later":       {"an admin may be early", held, now.Add(6 * 24 * time.Hour), true},
		"a week later":         {"a restored table brings none back", held, now.Add(grant.ApprovedFor), false},
		"before it was given":  {"its time is wrong", held, now.Add(-time.Minute), false},
		"a departure":          {"it is another decision", grant.DepartureOf("444455556666", "left", now), now, false},
		"the zero decision":    {"nothing waits", grant.Decision{}, now, false},
		"a colon in its place": {"subjects are compared whole", grant.Decision{Subject: strings.ReplaceAll(held.Subject, "#", ":"), Found: held.Found}, now, false},
	} {
		if got := approved.Approve(test.decision, test.at); got != test.want {
			t.Errorf("%s: %t (%s)", name, got, test.reason)
		}
	}
	if a, b := held.ID(), grant.RecreatedOf(gateway, role, now.Add(1)).ID(); a == b || !strings.HasPrefix(a, "role-") {
		t.Errorf("ids %s and %s", a, b)
	}
}

package handler_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// A thousand accounts outside the organization are trusted. The functions learn of each
// change from the streams and the sweep alone.
func TestThousandTrustedAccounts(t *testing.T) {
	for name, deaf := range map[string]bool{"by the stream": false, "by the sweep alone": true} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, &stepped{now: at}, nil)
			tools := e.gateway("tools", true)
			check(t, e.organization.CreateAccount(member))
			e.round()
			var trusted []directory.Note
			for n := range 1000 {
				trusted = append(trusted, directory.Note{ID: fmt.Sprintf("1000%08d", n), At: at, Text: "an admin"})
			}
			trusted[0].ID, trusted[999].ID = "222233334444", "777788889999" // which there are
			first, last, stranger := trusted[0].ID, trusted[999].ID, "999900001111"
			for _, id := range []string{first, last, stranger} {
				e.grant(tools.ARN(), "of-"+id, id)
			}
			follow := func() {
				e.settle()
				if deaf {
					e.round()
				}
			}
			follow()
			if got := e.admitted(tools); len(got) > 0 {
				t.Errorf("none is trusted yet, and %v are let in", got)
			}
			e.deaf = deaf
			check(t, e.accounts.AddToList(t.Context(), directory.TopicTrusted, trusted))
			follow()
			if got, want := e.admitted(tools), []string{root(first), root(last)}; !slices.Equal(got, want) {
				t.Errorf("let in %v, want %v", got, want)
			}
			check(t, e.accounts.RemoveFromList(t.Context(), directory.TopicTrusted, trusted[999:]))
			follow()
			if got, want := e.admitted(tools), []string{root(first)}; !slices.Equal(got, want) {
				t.Errorf("after one is trusted no longer: let in %v, want %v", got, want)
			}
		})
	}
}

func root(account string) string { return "arn:aws:iam::" + account + ":root" }

package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// forwarders judges by the probes whether events of other accounts and Regions arrive.
func forwarders(f Facts, r *Result) {
	look(r, f.Forwarders, func(all []Forwarder) {
		var untried []string
		tried := false
		for _, w := range all {
			tried = tried || !w.NotTried
			note := fmt.Sprintf("no probe was sent in account %s: HubAdminRoles of %s does not name your role", w.Account, w.Template)
			switch {
			case w.NotTried && !slices.Contains(untried, note):
				untried = append(untried, note)
			case w.NotTried:
			case w.Unsent != "":
				r.Unread = append(r.Unread, fmt.Sprintf("%s of account %s, %s: %s", w.Events, w.Account, w.Region, w.Unsent))
			case !w.Arrived:
				r.found(fmt.Sprintf("in account %s: aws events enable-rule --region %s --name %s, and if it was on, read in the queue LostEvents of the stack of %s why events are not delivered (docs/operations.md, Forwarded events)",
					w.Account, w.Region, w.Rule, w.Template),
					"%s of account %s, %s, do not arrive: a probe that was sent there did not", w.Events, w.Account, w.Region)
			}
		}
		switch {
		case len(all) == 0:
			r.skip("no other account or Region forwards events")
		case !tried:
			r.skip(strings.Join(untried, "; "))
		default:
			r.Note = strings.Join(untried, "; ")
		}
	})
}

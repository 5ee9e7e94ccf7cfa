package simulation

import (
	"fmt"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

const (
	endpoint      = "vpce-0123456789abcdef0"
	otherEndpoint = "vpce-0fedcba9876543210"
	network       = "vpc-0123456789abcdef0"
	otherNetwork  = "vpc-0fedcba9876543210"
	address       = "203.0.113.7"
	address6      = "2001:db8::1"
)

// addresses are ways to write an address or a range around it.
var addresses = []string{
	address, "::ffff:203.0.113.7", "::FFFF:cb00:7107", "203.0.113.7/32", "203.0.113.0/24", "::ffff:203.0.113.0/120",
	address6, "2001:DB8::1", "2001:db8:0:0::1", "2001:db8::1/128", "2001:db8::/32", "198.51.100.7",
}

// actAdmin grants, edits and revokes.
func (w *world) actAdmin(name string, times int) *actor {
	return act(name, func(pause func(string)) {
		for range times {
			pause("edit")
			g := w.gateways[0]
			if w.oneIn(4) {
				g = w.gateways[1]
			}
			scope := g.ARN()
			if w.oneIn(6) {
				scope = grant.EveryGateway
			}
			key := grant.Key{Gateway: scope, ID: fmt.Sprintf("g%d", w.pick(5))}
			stamped, there := w.stamped(key)
			switch {
			case w.oneIn(3):
				w.revoke(key)
			case there && w.oneIn(3):
				w.grant(stamped)
			default:
				w.grant(w.row(key))
			}
		}
	})
}

// row draws what an admin may write, mistakes included.
func (w *world) row(key grant.Key) grant.Attributes {
	row := grant.Attributes{"gateway": key.Gateway, "grant": key.ID}
	exact, selector := false, false
	switch w.pick(8) {
	case 0, 1:
		row["principal"] = allAccounts[w.pick(len(allAccounts))]
	case 2, 3:
		row["principal"], exact = roles[w.pick(len(roles))], true
	case 4:
		row["principal"] = []string{inIAM(accountA, "role/Agent*"), userA, rootOf(accountB)}[w.pick(3)]
	case 5, 6:
		row["principal"], selector = []string{unitOne, unitOne + "/direct", unitTwo, orgID, "tag:Env=prod"}[w.pick(5)], true
	case 7:
		row["principal"] = []string{"everyone", "*", "arn:" + partition + ":sts::" + accountA + ":assumed-role/AgentOne/s"}[w.pick(3)]
	}
	if w.oneIn(4) {
		row["expires"] = w.now.Add([]time.Duration{20 * time.Second, 5 * time.Minute, 48 * time.Hour}[w.pick(3)]).Format(time.RFC3339)
	}
	if w.oneIn(3) {
		row["conditions"] = w.conditions()
	}
	if exact && w.oneIn(3) {
		row["follow"] = "name"
	}
	if selector && w.oneIn(4) {
		row["role"] = "AgentOne"
	}
	if selector && w.oneIn(4) {
		row["exclude"] = []any{[]string{accountA, unitSub}[w.pick(2)]}
	}
	if w.oneIn(15) {
		row["condition"] = "misspelt"
	}
	return row
}

// conditions are of every kind, and an address in any of its spellings.
func (w *world) conditions() map[string]any {
	some := func(values ...string) []any {
		picked := []any{values[w.pick(len(values))]}
		if w.oneIn(3) {
			picked = append(picked, values[w.pick(len(values))])
		}
		return picked
	}
	c := map[string]any{}
	switch w.pick(6) {
	case 0:
		c["sourceVpc"] = some(network, otherNetwork)
	case 1, 2:
		c["sourceVpce"] = some(endpoint, otherEndpoint)
	default:
		c["sourceIp"] = some(addresses...)
	}
	if w.oneIn(5) {
		c["sourceIp"] = some(addresses...)
	}
	return c
}

func (w *world) grant(row grant.Attributes) {
	w.effects++
	w.remember(row["gateway"].(string))
	must(w.grants.Put(ctx, row, false))
	w.forgetRows()
	w.notes(row)
	w.log("admin: %v", row)
	w.concern(row["gateway"].(string), "grants table")
}

func (w *world) revoke(key grant.Key) {
	w.effects++
	w.remember(key.Gateway)
	existed, err := w.grants.Delete(ctx, key)
	must(err)
	w.forgetRows()
	w.forgets(key)
	if existed {
		w.log("admin: %s is revoked", key)
		w.concern(key.Gateway, "grants table")
	}
}

// remember keeps the rows as they are before a change, for a bug that reads them.
func (w *world) remember(scope string) {
	for _, g := range w.gateways {
		if w.bug != nil && (scope == grant.EveryGateway || scope == g.ARN()) {
			g.before, g.changed = w.rows(g), w.now
		}
	}
}

// concern asks for the gateways that a row is for.
func (w *world) concern(scope, cause string) {
	for _, g := range w.gateways {
		if scope == grant.EveryGateway || scope == g.ARN() {
			w.forgetUnnamed(g)
			w.ask(g, cause)
		}
	}
}

// ask requests a reconcile, sometimes twice, because EventBridge may deliver twice.
func (w *world) ask(g *gateway, cause string) {
	w.requests = append(w.requests, request{g, cause})
	if w.faults > 0 && w.oneIn(5) {
		w.requests = append(w.requests, request{g, cause + ", again"})
	}
}

// forgetUnnamed forgets deletions of roles that no row names any more, where no invalid
// row could name them: a later grant is a new decision.
func (w *world) forgetUnnamed(g *gateway) {
	for arn := range g.gone {
		if !slices.ContainsFunc(w.rows(g), func(row grant.Row) bool { return row.Fault != nil || row.Grant.Subject().ARN(partition) == arn }) {
			delete(g.gone, arn)
		}
	}
}

// follows reports whether a live grant follows the role by identity.
func (w *world) follows(g *gateway, arn string) bool {
	return slices.ContainsFunc(w.rows(g), func(row grant.Row) bool {
		return row.Fault == nil && row.Grant.Live(w.now) && row.Grant.Follow == grant.FollowIdentity && row.Grant.Subject().ARN(partition) == arn
	})
}

// rows are all rows that concern a gateway, as they are. To read them takes time.
func (w *world) rows(g *gateway) []grant.Row {
	if g.rows == nil {
		rows, err := w.grants.ForGateway(ctx, g.Gateway)
		must(err)
		g.rows = &rows
	}
	return *g.rows
}

func (w *world) forgetRows() {
	for _, g := range w.gateways {
		g.rows = nil
	}
}

// state is what is recorded about a gateway. To read it takes time, too.
func (w *world) state(g *gateway) ledger.State {
	if g.state == nil {
		state, err := w.states.Load(ctx, g.Gateway)
		must(err)
		g.state = &state
	}
	return *g.state
}

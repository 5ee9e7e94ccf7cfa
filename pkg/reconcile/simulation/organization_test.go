package simulation

import (
	"maps"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

const (
	orgID   = "o-exampleorgid"
	unitOne = "ou-abcd-11111111"
	unitSub = "ou-abcd-22222222" // below unitOne
	unitTwo = "ou-abcd-33333333"
)

// organization is the accounts table. It is replaced, never changed, so that a run
// keeps the one that it has read.
type organization struct {
	synced   bool
	accounts map[string]directory.Account
	claimed  map[*grant.Grant]claimed // what was computed of grants
}

var members = []string{accountA, accountB, accountC, joiner}

// list fills the directory and, unless it is left incomplete, says so.
func (w *world) list(complete bool) {
	for i, account := range []string{accountA, accountB, accountC} {
		w.place(account, [][]string{{unitOne}, {unitOne, unitSub}, {unitTwo}}[i])
	}
	if complete {
		w.sync()
	}
}

func (w *world) sync() {
	w.effects++
	must(w.accounts.MarkSynced(ctx, w.now))
	w.org = &organization{synced: true, accounts: w.org.accounts}
	w.log("organization: the listing is complete")
}

func (w *world) place(id string, path []string) {
	w.put(directory.Account{ID: id, State: directory.StateActive, Organization: orgID, Path: path, Tags: map[string]string{"Env": "prod"}})
}

func (w *world) put(account directory.Account) {
	w.effects++
	account.ReadAt = w.now
	_, err := w.accounts.Write(ctx, account)
	must(err)
	accounts := maps.Clone(w.org.accounts)
	if accounts == nil {
		accounts = map[string]directory.Account{}
	}
	accounts[account.ID] = account
	w.org = &organization{synced: w.org.synced, accounts: accounts}
	w.log("organization: %s is %s in %v with %v", account.ID, account.State, account.Path, account.Tags)
}

func (w *world) leave(id string) {
	w.effects++
	_, err := w.accounts.Remove(ctx, id, w.now)
	must(err)
	accounts := maps.Clone(w.org.accounts)
	delete(accounts, id)
	w.org = &organization{synced: w.org.synced, accounts: accounts}
	w.log("organization: %s has left", id)
}

// actOrganization has accounts join, leave, move, be suspended and retagged.
func (w *world) actOrganization(times int) *actor {
	return act("organization", func(pause func(string)) {
		for range times {
			pause("change")
			id := members[w.pick(len(members))]
			account, member := w.org.accounts[id]
			switch {
			case !w.org.synced && w.oneIn(2):
				w.sync()
			case !member:
				w.place(id, [][]string{{unitOne}, {unitOne, unitSub}, {unitTwo}, {}}[w.pick(4)])
			default:
				switch w.pick(4) {
				case 0:
					w.leave(id)
				case 1:
					account.Path = [][]string{{unitOne}, {unitOne, unitSub}, {unitTwo}, {}}[w.pick(4)]
					w.put(account)
				case 2:
					account.State = []directory.State{directory.StateActive, directory.StateSuspended}[w.pick(2)]
					w.put(account)
				case 3:
					account.Tags = []map[string]string{{"Env": "prod"}, {}}[w.pick(2)]
					w.put(account)
				}
			}
			for _, g := range w.gateways {
				w.ask(g, "accounts table")
			}
		}
	})
}

// isMember reports whether an account is in the organization.
func (o *organization) isMember(id string) bool {
	_, member := o.accounts[id]
	return member
}

// ids lists the members, sorted.
func (o *organization) ids() []string { return slices.Sorted(maps.Keys(o.accounts)) }

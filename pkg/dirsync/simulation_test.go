package dirsync_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

var (
	simulatedSeeds = flag.Int("directory.seeds", 5000, "how many organizations to simulate")
	simulatedSeed  = flag.Uint64("directory.seed", 0, "simulate only this one, and log what happens")
)

// selection is a selector with exclusions, as a grant has both.
type selection struct {
	name     string
	selector grant.Principal
	exclude  grant.Exclusion
}

func selections() []selection {
	var all []selection
	for _, s := range []struct {
		selector string
		exclude  []string
	}{
		{"ou-ab12-11111111", nil}, {"ou-ab12-22222222/direct", nil}, {"tag:env=prod", nil},
		{"o-exampleorgid", []string{"ou-ab12-22222222"}},
	} {
		principal, err := grant.ParsePrincipal(s.selector)
		if err != nil {
			panic(err)
		}
		all = append(all, selection{s.selector, principal, grant.Exclusion{Units: s.exclude}})
	}
	return all
}

var everySelection = selections()

// life is one simulated organization and the product that follows it.
type life struct {
	random       *rand.Rand
	now          time.Time
	organization *simulated
	accounts     *memory.Accounts
	grants       *memory.Grants
	syncer       *dirsync.Syncer
	plant        *planted
	queue        []string // accounts of events not yet delivered
	before       map[string]map[string]bool
	pending      map[string]time.Time // since when each account was about to lose something, before the last step
	lost         map[string]bool      // accounts that lost something without approval
	guard        directory.Guard
	trace        []string
}

// planted is a bug, made by standing between the product and what it uses.
type planted struct {
	organizations func(*life, dirsync.Organizations) dirsync.Organizations
	accounts      func(dirsync.Accounts) dirsync.Accounts
	rules         func(*dirsync.Rules)
	event         func(l *life, id string) // instead of reading the account
}

func newLife(seed uint64, plant *planted) *life {
	l := &life{
		random: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), plant: plant,
		lost: make(map[string]bool), guard: directory.Guard{Window: 24 * time.Hour, Accounts: 1000, Percent: 10},
	}
	clock := func() time.Time { return l.now }
	l.organization = newSimulated(l.random, clock)
	l.organization.withoutPaths, l.organization.failing = seed%4 == 1, seed%3 == 1
	if seed%5 == 2 {
		l.guard.Accounts = 2
	}
	l.accounts, l.grants = memory.NewAccounts(memory.Config{Now: clock}), memory.NewGrants(memory.Config{Now: clock})
	must(l.grants.PutSentinel(context.Background()))
	for i, s := range everySelection {
		row := grant.Attributes{"gateway": "*", "grant": strconv.Itoa(i), "principal": s.name}
		if len(s.exclude.Units) > 0 {
			row["exclude"] = s.exclude.Units
		}
		must(l.grants.Put(context.Background(), row, true))
	}
	l.organization.become(management, func(m *moment) { m.member, m.account.State = true, directory.StateActive })
	l.restart()
	return l
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// restart is a new instance of the function, which remembers nothing.
func (l *life) restart() {
	var organizations dirsync.Organizations = l.organization
	var accounts dirsync.Accounts = l.accounts
	if l.plant != nil && l.plant.organizations != nil {
		organizations = l.plant.organizations(l, organizations)
	}
	if l.plant != nil && l.plant.accounts != nil {
		accounts = l.plant.accounts(accounts)
	}
	l.syncer = dirsync.New(organizations, accounts, l.grants, func() time.Time { return l.now })
	l.syncer.Rules.Guard = l.guard
	if l.plant != nil && l.plant.rules != nil {
		l.plant.rules(&l.syncer.Rules)
	}
}

func (l *life) say(format string, args ...any) {
	if *simulatedSeed != 0 {
		l.trace = append(l.trace, l.now.Format("15:04:05 ")+fmt.Sprintf(format, args...))
	}
}

// sayRecorded logs what the directory holds.
func (l *life) sayRecorded() {
	if *simulatedSeed == 0 {
		return
	}
	recorded, err := l.accounts.Recorded(context.Background())
	must(err)
	for _, a := range recorded {
		l.say("  recorded %s: %s %v %v missing %v held %v kept %v", a.ID, a.State, a.Path, a.Tags, a.MissingSince, a.HeldSince, a.Kept)
	}
}

// live is the whole story; it returns what went wrong.
func (l *life) live() string {
	for range 4 + l.random.IntN(6) {
		l.organization.change()
	}
	l.now = l.now.Add(time.Hour)
	l.list()
	l.before = l.selected()
	l.note()
	for range 40 {
		l.step()
		l.sayRecorded()
		if wrong := l.check(); wrong != "" {
			return wrong
		}
	}
	return l.settle()
}

func (l *life) step() {
	l.now = l.now.Add(time.Duration(1+l.random.IntN(60)) * time.Second)
	switch l.random.IntN(12) {
	case 0, 1, 2:
		if id := l.organization.change(); id != "" {
			l.say("change %s: %+v", id, l.organization.truth(id))
			l.send(id)
		}
	case 3, 4, 5, 6:
		l.deliver()
	case 7:
		l.restart()
	case 8:
		if l.random.IntN(4) == 0 {
			l.list()
		}
	default:
		l.due()
	}
}

// send puts an event on its way: lost, or once or twice.
func (l *life) send(id string) {
	for range []int{0, 1, 1, 1, 2}[l.random.IntN(5)] {
		l.queue = append(l.queue, id)
	}
}

// deliver hands over any of the events under way; one that fails comes again.
func (l *life) deliver() {
	if len(l.queue) == 0 {
		return
	}
	i := l.random.IntN(len(l.queue))
	id := l.queue[i]
	l.queue = slices.Delete(l.queue, i, i+1)
	if l.plant != nil && l.plant.event != nil {
		l.plant.event(l, id)
		return
	}
	_, err := l.syncer.Account(context.Background(), id)
	l.say("event about %s: %v", id, err)
	if err != nil && l.random.IntN(2) == 0 {
		l.queue = append(l.queue, id)
	}
}

func (l *life) due() {
	summary, err := l.syncer.Due(context.Background())
	l.say("due: %+v, %v", summary, err)
}

func (l *life) list() {
	l.syncer.Deadline = func(context.Context) (time.Time, bool) { return l.now, l.random.IntN(4) == 0 }
	summary, err := l.syncer.All(context.Background())
	l.syncer.Deadline = context.Context.Deadline
	l.say("listing: %+v, %v", summary, err)
}

// selected are the accounts that each selection admits, by the directory.
func (l *life) selected() map[string]map[string]bool {
	recorded, err := l.accounts.Recorded(context.Background())
	must(err)
	all := make(map[string]map[string]bool)
	for _, s := range everySelection {
		all[s.name] = make(map[string]bool)
		for _, account := range recorded {
			if directory.Selects(s.selector, s.exclude, account) {
				all[s.name][account.ID] = true
			}
		}
	}
	return all
}

// check compares what one step changed with what was true lately.
func (l *life) check() string {
	now := l.selected()
	for _, s := range everySelection {
		for id := range now[s.name] {
			if !l.before[s.name][id] && !l.wasIn(s, id) {
				return fmt.Sprintf("%s gained %s, and was not in it within %v", id, s.name, lag)
			}
		}
		for id := range l.before[s.name] {
			if now[s.name][id] {
				continue
			}
			l.lost[id] = true
			if since, pending := l.pending[id]; !pending {
				return fmt.Sprintf("%s lost %s by a single reading", id, s.name)
			} else if l.wasInSince(s, id, since.Add(-lag)) {
				return fmt.Sprintf("%s lost %s, and was in it all the time since %v", id, s.name, since)
			}
		}
	}
	l.before = now
	l.note()
	if len(l.lost) > l.guard.Accounts {
		return fmt.Sprintf("%d accounts lost something, and no admin approved", len(l.lost))
	}
	return ""
}

// note remembers who is about to lose something.
func (l *life) note() {
	recorded, err := l.accounts.Recorded(context.Background())
	must(err)
	l.pending = make(map[string]time.Time)
	for _, a := range recorded {
		since := a.MissingSince
		for _, kept := range a.Kept {
			if since.IsZero() || kept.LostSince.Before(since) {
				since = kept.LostSince
			}
		}
		if !since.IsZero() {
			l.pending[a.ID] = since
		}
	}
}

// wasIn reports whether an account was lately in what is selected. State, place
// and tags may come from different moments.
func (l *life) wasIn(s selection, id string) bool {
	lately := l.organization.lately(id)
	active := slices.ContainsFunc(lately, func(m moment) bool { return m.member && m.account.State == directory.StateActive })
	return active && slices.ContainsFunc(lately, func(m moment) bool {
		m.account.State = directory.StateActive
		return m.member && directory.Selects(s.selector, s.exclude, m.account)
	})
}

func (l *life) wasInSince(s selection, id string, since time.Time) bool {
	return !slices.ContainsFunc(l.organization.since(id, since), func(m moment) bool {
		return !m.member || !directory.Selects(s.selector, s.exclude, m.account)
	})
}

// settle is one round of every sweep, with every event that is left dropped and
// AWS well again; then what is held is approved.
func (l *life) settle() string {
	l.organization.failing = false
	l.queue = nil
	l.restart()
	l.due() // ends a listing under way, which says nothing about what came after its first pages
	if wrong := l.check(); wrong != "" {
		return wrong
	}
	l.now = l.now.Add(7 * time.Hour)
	if _, err := l.syncer.All(context.Background()); err != nil {
		return "the listing fails: " + err.Error()
	}
	if wrong := l.check(); wrong != "" {
		return wrong
	}
	for range 3 {
		l.now = l.now.Add(time.Minute)
		l.due()
		if wrong := l.check(); wrong != "" {
			return wrong
		}
	}
	recorded, err := l.accounts.Recorded(context.Background())
	must(err)
	for _, account := range recorded {
		if !account.HeldSince.IsZero() {
			must(l.grants.Approve(context.Background(), account.Decision(), l.now, ""))
		}
	}
	l.now = l.now.Add(time.Minute)
	l.due()
	return l.compare()
}

func (l *life) compare() string {
	var wrong []string
	now := l.selected()
	for _, s := range everySelection {
		for _, id := range l.organization.order {
			m := l.organization.truth(id)
			if want := m.member && directory.Selects(s.selector, s.exclude, m.account); want != now[s.name][id] {
				wrong = append(wrong, fmt.Sprintf("%s selects %s: %v, want %v", s.name, id, !want, want))
			}
		}
	}
	for _, id := range l.organization.order {
		_, recorded, err := l.accounts.Account(context.Background(), id)
		must(err)
		if member := l.organization.truth(id).member; member != recorded {
			wrong = append(wrong, fmt.Sprintf("%s is recorded: %v, and a member: %v", id, recorded, member))
		}
	}
	return strings.Join(wrong, "\n")
}

// Whichever events are lost, after one round of sweeps each selector matches the
// accounts that it should. No account outside gains access, none inside loses it, and
// mass departures wait for an admin.
func TestSimulatedOrganization(t *testing.T) {
	if *simulatedSeed != 0 {
		l := newLife(*simulatedSeed, nil)
		wrong := l.live()
		t.Logf("%s", strings.Join(l.trace, "\n"))
		if wrong != "" {
			t.Error(wrong)
		}
		return
	}
	seeds := uint64(*simulatedSeeds)
	if testing.Short() {
		seeds = min(seeds, 200)
	}
	for seed := range seeds {
		if wrong := newLife(seed+1, nil).live(); wrong != "" {
			t.Fatalf("seed %d: %s\nsee it by go test ./pkg/dirsync -run Simulated -v -directory.seed %d", seed+1, wrong, seed+1)
		}
	}
}

// The simulation is worth something only if it finds what is wrong.
func TestSimulationFindsPlantedBugs(t *testing.T) {
	const enough = 2000
	for name, plant := range plantedBugs {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(enough) {
				if wrong := newLife(seed+1, &plant).live(); wrong != "" {
					t.Logf("found by seed %d: %s", seed+1, wrong)
					return
				}
			}
			t.Errorf("not found by %d seeds", enough)
		})
	}
}

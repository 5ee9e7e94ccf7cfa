package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// undecided is something that waits for an admin, and what it would do.
type undecided struct {
	ID      string   `json:"id"` // "" where what it would do cannot be read
	What    string   `json:"what"`
	Since   string   `json:"since,omitempty"`
	Gateway string   `json:"gateway,omitempty"` // ARN; left out of a departure
	Account string   `json:"account,omitempty"` // of a departure
	Name    string   `json:"accountName,omitempty"`
	Adds    []string `json:"adds"`    // principals that get access
	Removes []string `json:"removes"` // principals, or an account, that lose it
	Grants  []string `json:"grants"`  // that it is about, GATEWAY#ID

	decision grant.Decision
}

// planner says what a reconcile would do to a gateway.
type planner func(ctx context.Context, gateway grant.Gateway) (plan.Plan, error)

// everythingWaiting reads all that waits for an admin: departures that are held, and
// takeovers and roles that reconciles have recorded as such. A gateway that cannot be
// read waits without an ID.
func everythingWaiting(ctx context.Context, stored opened, makes planner) ([]undecided, error) {
	all, err := departuresWaiting(ctx, stored)
	if err != nil {
		return nil, err
	}
	wants, err := stored.states.Attention(ctx)
	if err != nil {
		return nil, err
	}
	for _, arn := range slices.Sorted(maps.Keys(wants)) {
		gateway, err := grant.ParseGateway(arn)
		if err != nil {
			continue
		}
		state, err := stored.states.Load(ctx, gateway)
		if err != nil {
			return nil, err
		}
		if state.Gateway.LastError == grant.CodeTakeoverNeeded {
			all = append(all, takeoverWaiting(ctx, gateway, makes)...)
		}
		all = append(all, rolesWaiting(gateway, state)...)
	}
	for i := range all {
		w := &all[i]
		w.Adds, w.Removes, w.Grants = append([]string{}, w.Adds...), append([]string{}, w.Removes...), append([]string{}, w.Grants...)
		if w.decision != (grant.Decision{}) {
			w.ID = w.decision.ID()
		}
	}
	return all, nil
}

// takeoverWaiting is what a takeover of the gateway would do; nothing where none is
// needed any more.
func takeoverWaiting(ctx context.Context, gateway grant.Gateway, makes planner) []undecided {
	w := undecided{What: "takeover of " + gateway.ARN(), Gateway: gateway.ARN()}
	decided, err := makes(ctx, gateway)
	switch {
	case err != nil:
		w.What += ", of which it cannot be read what it would do: " + err.Error()
	case decided.TakeoverOf == "":
		return nil
	default:
		w.Adds, w.Removes = decided.NotApplied.Added, decided.NotApplied.Removed
		w.decision = grant.TakeoverOf(gateway, decided.TakeoverOf)
	}
	return []undecided{w}
}

// rolesWaiting are the roles and users that are held on a gateway.
func rolesWaiting(gateway grant.Gateway, state ledger.State) []undecided {
	var all []undecided
	for _, arn := range slices.Sorted(maps.Keys(state.Gateway.Refused)) {
		refusal := state.Gateway.Refused[arn]
		if !refusal.Held() {
			continue
		}
		all = append(all, undecided{
			What:  arn + " was created again, and may be another owner's, on " + gateway.ARN(),
			Since: refusal.Since.UTC().Format(time.RFC3339), Gateway: gateway.ARN(), Adds: []string{arn}, Grants: grantsOf(state, arn),
			decision: grant.RecreatedOf(gateway, arn, refusal.Since),
		})
	}
	return all
}

// grantsOf names the grants that wait for the principal.
func grantsOf(state ledger.State, arn string) []string {
	var keys []string
	for key, status := range state.Grants {
		if status.Reason == grant.CodeRecreated && strings.Contains(status.Message, arn) {
			keys = append(keys, key.String())
		}
	}
	slices.Sort(keys)
	return keys
}

// departuresWaiting are the accounts that are held, with what they would lose.
func departuresWaiting(ctx context.Context, stored opened) ([]undecided, error) {
	rows, err := stored.grants.All(ctx)
	if err != nil {
		return nil, err
	}
	departures, err := stored.directory.Notes(ctx, directory.TopicDeparture)
	if err != nil {
		return nil, err
	}
	interests := directory.InterestsOf(rows)
	var all []undecided
	for _, note := range departures {
		if note.Text != directory.HeldText {
			continue
		}
		account, found, err := stored.directory.Account(ctx, note.ID)
		if err != nil {
			return nil, err
		}
		if found && !account.HeldSince.IsZero() {
			all = append(all, departureWaiting(account, interests))
		}
	}
	return all, nil
}

func departureWaiting(a directory.Account, interests directory.Interests) undecided {
	w := undecided{
		What: "account " + a.ID + " loses " + strings.Join(losses(a), "; "), Since: a.HeldSince.UTC().Format(time.RFC3339),
		Account: a.ID, Name: a.Name, Removes: []string{a.ID}, decision: a.Decision(),
	}
	for _, key := range interests.Ending(a) {
		w.Grants = append(w.Grants, key.String())
	}
	return w
}

// losses are what a departing account loses, in words.
func losses(a directory.Account) []string {
	var lost []string
	if !a.MissingSince.IsZero() {
		lost = append(lost, "its membership")
	}
	for _, kept := range a.Kept {
		lost = append(lost, differences(kept.View, a.View())...)
	}
	slices.Sort(lost)
	return slices.Compact(lost)
}

// differences are what one view has and the other has not.
func differences(was, is directory.View) []string {
	var lost []string
	if was.State != is.State {
		lost = append(lost, fmt.Sprintf("%s (now %s)", was.State, is.State))
	}
	if !slices.Equal(was.Path, is.Path) {
		lost = append(lost, fmt.Sprintf("its place in %s (now %s)", place(was.Path), place(is.Path)))
	}
	for key, value := range was.Tags {
		if now, has := is.Tags[key]; !has || now != value {
			lost = append(lost, fmt.Sprintf("tag %s=%s", key, value))
		}
	}
	return lost
}

func place(path []string) string {
	return cmp.Or(strings.Join(path, "/"), "the root")
}

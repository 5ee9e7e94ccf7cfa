package simulation

import (
	"context"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

var (
	_ reconcile.Grants    = (*run)(nil)
	_ reconcile.Directory = (*run)(nil)
	_ reconcile.States    = (*run)(nil)
	_ reconcile.Notices   = (*run)(nil)
)

// ForGateway reads the rows of the gateway and of every gateway, or of a table without
// a sentinel, which is an error. So is a simulated fault.
func (n *run) ForGateway(_ context.Context, gateway grant.Gateway) (rows []grant.Row, err error) {
	err = n.call("ForGateway", readFaults, func(f fault) error {
		n.rows = n.w.rows(n.gateway)
		switch {
		case f != none:
			return f.failure("read the grants")
		case n.w.wrongTable:
			rows, err = n.w.empty.ForGateway(ctx, gateway)
			return err
		}
		rows = n.rows
		n.kept = n.w.kept(n.gateway, n.state, n.rows)
		return nil
	})
	return rows, err
}

// Lookup reads the accounts, and those that the selectors match. An unreadable
// directory is an error; one that has lost its mark looks like none.
func (n *run) Lookup(_ context.Context, selectors []grant.Principal, accounts []string) (snapshot directory.Snapshot, err error) {
	err = n.call("Lookup", readFaults, func(f fault) error {
		n.org, n.unknown = n.w.org, f != none || n.w.directoryDown
		n.unmarked = n.w.unmarked && !n.unknown
		switch {
		case n.unknown:
			return f.failure("read the directory")
		case n.unmarked: // a gateway that had a directory takes this one as unreadable
			n.unknown = n.gateway.informed
			n.org = &organization{synced: n.gateway.informed, accounts: n.org.accounts}
			return nil // as if there had never been one
		}
		snapshot, err = n.w.accounts.Lookup(ctx, selectors, accounts)
		n.informed = snapshot.Availability() == directory.Known
		return err
	})
	return snapshot, err
}

// IsOwner reads the list of owners. The product does not call it here, because no
// limit of the simulation names owners.
func (n *run) IsOwner(_ context.Context, account string) (bool, error) {
	return n.w.accounts.IsOwner(ctx, account)
}

// Load reads the state of the gateway, with the form that the run's version would see.
func (n *run) Load(_ context.Context, _ grant.Gateway) (state ledger.State, err error) {
	err = n.call("Load", readFaults, func(f fault) error {
		if f != none {
			return f.failure("load the state")
		}
		state = n.w.state(n.gateway)
		state.Newer = n.recordedByNewer()
		n.state = state
		n.right, n.wroteOther = n.gateway.right, n.gateway.wroteOther
		return nil
	})
	return state, err
}

// Update records a transition, on top of what others recorded meanwhile. A transition
// that changes nothing makes no call.
func (n *run) Update(_ context.Context, gateway grant.Gateway, loaded ledger.State, transition ledger.Transition) (next ledger.State, err error) {
	asked := transition
	if n.w.skewed || n.older {
		transition = asItMay{n, transition}
	}
	next, err = transition.Apply(loaded)
	if err != nil {
		return ledger.State{}, err
	}
	name := "Record"
	begin, begins := asked.(ledger.BeginWrite)
	if begins {
		name = "BeginWrite" // which always changes the state
	} else if changes, err := store.Compare(gateway, loaded, next); changes.Own == nil || err != nil {
		return loaded, err
	}
	err = n.record(name, func() error {
		before := n.w.state(n.gateway)
		n.gateway.state = nil
		if begins {
			n.announces(begin)
		}
		if next, err = n.w.states.Update(ctx, gateway, loaded, transition); err != nil {
			return err
		}
		n.gateway.newerForm = n.gateway.newerForm || n.w.skewed && !n.older
		next.Newer = n.recordedByNewer()
		n.seesNothingInherited()
		if begins {
			return nil
		}
		n.w.log("%s: due %s, error %q, refused %v", n.name, next.Gateway.Due.Format("15:04:05"), next.Gateway.LastError, next.Gateway.Refused)
		n.seesRows(before.Grants, next.Grants)
		n.seesRight(next.Gateway.LastError != "")
		return nil
	})
	return next, err
}

func (n *run) record(name string, effect func() error) error {
	return n.call(name, tableFaults, func(f fault) error {
		if f == none || f == unanswered {
			n.gateway.records++
			n.did()
			err := effect()
			n.gateway.state = nil
			if err != nil {
				return err
			}
			n.gateway.informed = n.gateway.informed || n.informed
			if name == "Record" {
				n.verifies()
				n.blames()
			}
		}
		if f != none {
			return tableFailure(name)
		}
		return nil
	})
}

// verifies notes that the run has verified the last write on the gateway, if it has. A
// stale read is at most half a minute old.
func (n *run) verifies() {
	g := n.gateway
	if n.readAt > g.putAt && !n.stale || n.w.now.Sub(g.putTime) > reach {
		g.unverified = false
	}
}

// Journal writes an entry. One that is lost excuses the write that it is about.
func (n *run) Journal(_ context.Context, gateway grant.Gateway, entry reconcile.Entry) error {
	return n.call("Journal", tableFaults, func(f fault) error {
		if f == lost {
			n.excuse()
			return tableFailure("journal")
		}
		n.owed = nil
		return n.w.states.Journal(ctx, gateway, entry)
	})
}

// Publish counts notices. A simulated fault is an error.
func (n *run) Publish(_ context.Context, notices []plan.Notice) error {
	return n.call("Publish", tableFaults, func(f fault) error {
		if f == none {
			n.gateway.notices += len(notices)
			return nil
		}
		return tableFailure("publish")
	})
}

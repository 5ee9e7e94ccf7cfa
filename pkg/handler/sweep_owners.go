package handler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// all asks for the managed gateways of some owners, or of all where none is named. An
// owner that cannot be listed is listed in its slot, which records why.
func (r *sweepRun) all(ctx context.Context, owners []string) {
	if len(owners) == 0 {
		var err error
		if owners, err = r.Gateways.Owners(ctx); err != nil {
			r.Log.ErrorContext(ctx, "failed to list every owner account", "cause", r.cause, "error", err.Error())
		}
	}
	for owner, err := range r.walk(ctx, owners, func(grant.Gateway) bool { return true }, func(grant.Gateway) bool { return false }) {
		if err != nil {
			r.Log.ErrorContext(ctx, "failed to list every gateway", "cause", r.cause, "owner", owner, "error", err.Error())
		}
	}
}

// slot asks for the managed gateways whose slot it is at that time, and for those
// that are no longer managed and may still hold statements of ours. It fails where an
// owner that has joined cannot be listed, now or in its last slot.
func (r *sweepRun) slot(ctx context.Context, at time.Time) error {
	owners, unlisted := r.Gateways.Owners(ctx)
	recorded, unread := r.recorded(ctx)
	width := r.width(len(owners))
	slotted := slices.DeleteFunc(slices.Clone(owners), func(owner string) bool { return !r.on(owner, width, at) })
	outcomes := r.walk(ctx, slotted, func(gateway grant.Gateway) bool { return r.inSlot(gateway, width, at) }, r.mayStillLetIn(ctx))
	if unread == nil {
		r.record(ctx, recorded, outcomes)
	}
	failing := 0
	for _, owner := range owners {
		if !recorded[owner].FailingSince.IsZero() {
			failing++
		}
	}
	if unlisted != nil || unread != nil {
		failing++
	}
	r.Metrics.Emit(ctx, "", map[string]int{GaugeUnlisted: failing})
	return errors.Join(unlisted, unread, r.failed(ctx, outcomes))
}

// mayStillLetIn reports whether a gateway that is not managed may hold statements of ours.
func (r *sweepRun) mayStillLetIn(ctx context.Context) func(grant.Gateway) bool {
	return func(gateway grant.Gateway) bool {
		state, err := r.States.Load(ctx, gateway)
		if err != nil {
			r.failures = append(r.failures, fmt.Errorf("find out whether %s, which is not managed, holds statements of ours: %w", gateway, err))
		}
		return err == nil && (mayLetIn(state.Gateway.AppliedHash) || mayLetIn(state.Gateway.PendingHash))
	}
}

// recorded reads what is recorded of owners, of "" too.
func (r *sweepRun) recorded(ctx context.Context) (map[string]ledger.Owner, error) {
	recorded, err := r.States.RecordedOwners(ctx)
	if err != nil {
		return nil, fmt.Errorf("read which owners have joined: %w", err)
	}
	owners := make(map[string]ledger.Owner, len(recorded))
	for account, owner := range recorded {
		if account == ledger.OwnAccount {
			account = ""
		}
		owners[account] = owner
	}
	return owners, nil
}

// record records which owners have joined, and which can no longer be listed. An owner
// that has not joined, whose role cannot be assumed yet, is no failure: that is a state.
func (r *sweepRun) record(ctx context.Context, recorded map[string]ledger.Owner, outcomes map[string]error) {
	for owner, err := range outcomes {
		was := recorded[owner]
		is := was.Listed(err, r.Now())
		if notJoined(err) && was.JoinedAt.IsZero() {
			r.Log.InfoContext(ctx, "owner has not joined", "owner", owner, "reason", event.OneLine(err.Error()))
			is = ledger.Owner{}
			delete(outcomes, owner)
		}
		if is.Same(was) {
			continue
		}
		recorded[owner] = is
		if err := r.States.SetOwner(ctx, cmp.Or(owner, ledger.OwnAccount), is); err != nil {
			r.failures = append(r.failures, fmt.Errorf("record owner %s: %w", owner, err))
		}
	}
}

// notJoined reports whether an owner could not be listed because its role could not be
// assumed, in each of its Regions.
func notJoined(err error) bool { return grant.CodeOf(err) == grant.CodeNotJoined }

func (r *sweepRun) failed(ctx context.Context, outcomes map[string]error) error {
	var failures []error
	for owner, err := range outcomes {
		if err != nil {
			r.Log.ErrorContext(ctx, "failed to list every gateway", "cause", r.cause, "owner", owner, "error", err.Error())
			failures = append(failures, fmt.Errorf("find the managed gateways: %w", err))
		}
	}
	return errors.Join(failures...)
}

// walk asks for the wanted gateways, as they are found. An owner or region that
// cannot be listed holds up no other.
func (r *sweepRun) walk(ctx context.Context, owners []string, wanted, includeUnmanaged func(grant.Gateway) bool) map[string]error {
	return r.Gateways.WalkOwners(ctx, owners, wanted, func(gateway grant.Gateway, managed bool) {
		if managed || includeUnmanaged(gateway) {
			r.add(ctx, gateway)
		}
	})
}

// ownersAMinute is how many owners are listed in a minute, on average. A listing takes
// up to a second, and some more for gateways whose slot it is.
const ownersAMinute = 20

// width is for how many minutes of the round an owner is listed. Where owners are few,
// it is the whole round, over which each owner's gateways are spread; where they are
// many, each has only as many minutes as the function has time for.
func (r *sweepRun) width(owners int) int {
	round := max(r.Minutes, 1)
	return min(max(round*ownersAMinute/max(owners, 1), 1), round)
}

// on reports whether the owner has a slot now: its minutes follow the one that its id gives.
func (r *sweepRun) on(owner string, width int, at time.Time) bool {
	return r.minute(owner, at) < width
}

// inSlot gives each gateway one minute of those in which its owner is listed, by its
// name, so that they are spread evenly and each keeps its minute when others come and go.
func (r *sweepRun) inSlot(gateway grant.Gateway, width int, at time.Time) bool {
	return hashed(gateway.ARN())%uint64(width) == uint64(r.minute(gateway.Account(), at)%width) //nolint:gosec // neither is negative
}

// minute is how many minutes ago the owner's part of the round began.
func (r *sweepRun) minute(owner string, at time.Time) int {
	round := uint64(max(r.Minutes, 1))
	return int((uint64(at.Unix()/60) + round - hashed(owner)%round) % round) //nolint:gosec // no time before 1970
}

func hashed(name string) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(name))
	return sum.Sum64()
}

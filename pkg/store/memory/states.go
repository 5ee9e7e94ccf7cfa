package memory

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// States is the state table. It is safe for concurrent use.
type States struct{ table *table }

var _ reconcile.States = (*States)(nil)

// NewStates makes an empty state table.
func NewStates(config Config) *States {
	return &States{newTable(config.or(store.DefaultNames().States), store.StatesLayout)}
}

// Load is reconcile.States's.
func (s *States) Load(ctx context.Context, gateway grant.Gateway) (state plan.State, err error) {
	err = s.table.read(ctx, "load what is recorded of "+gateway.ARN(), func(v *view) error {
		state, err = v.state(gateway)
		return err
	})
	return state, err
}

// BeginWrite is reconcile.States's.
func (s *States) BeginWrite(ctx context.Context, gateway grant.Gateway, intent plan.Intent) error {
	return s.table.write(ctx, "mark "+gateway.ARN()+" as due", func(v *view) error {
		state, err := v.state(gateway)
		if err != nil {
			return err
		}
		next := state.Gateway
		next.Version++
		next.PendingHash = intent.Hash
		if !intent.Due.IsZero() {
			next.InFlightUntil = intent.Due
		}
		if !intent.Due.IsZero() && (next.Due.IsZero() || intent.Due.Before(next.Due)) {
			next.Due = intent.Due
		}
		next.Selected = union(next.Selected, intent.Selected)
		next.InFlight = union(next.InFlight, intent.InFlight)
		next.HadDirectory = next.HadDirectory || intent.HadDirectory
		next.Refused = make(map[string]plan.Refusal)
		maps.Copy(next.Refused, state.Gateway.Refused)
		maps.Copy(next.Refused, intent.Refused)
		return v.replace(gateway, state.Gateway, next)
	})
}

// Record is reconcile.States's.
func (s *States) Record(ctx context.Context, gateway grant.Gateway, state plan.GatewayState, statuses map[grant.Key]grant.Status, gone []grant.Key) error {
	return s.table.write(ctx, "record the outcome for "+gateway.ARN(), func(v *view) error {
		recorded, err := v.state(gateway)
		if err != nil {
			return err
		}
		if recorded.Gateway.Version != state.Version {
			return store.VersionConflict(v.Name, "record the outcome for "+gateway.ARN())
		}
		state.Version++
		for key, status := range statuses {
			if err := v.put(store.StatusItem(gateway, key, status)); err != nil {
				return err
			}
		}
		for _, key := range gone {
			if _, stays := statuses[key]; !stays {
				v.delete(store.StatusKey(gateway, key))
			}
		}
		return v.replace(gateway, recorded.Gateway, state)
	})
}

// Journal is reconcile.States's.
func (s *States) Journal(ctx context.Context, gateway grant.Gateway, entry reconcile.Entry) error {
	return s.table.write(ctx, "add to the journal of "+gateway.ARN(), func(v *view) error {
		for number := 0; ; number++ {
			item := store.JournalItem(gateway, entry, number)
			stored, taken := v.get(v.layout.Of(item))
			if !taken || reflect.DeepEqual(stored, item) { // the same entry twice is one
				return v.put(item)
			}
		}
	})
}

// Asked records that somebody asked for the gateway to be reconciled, which keeps
// it from being Due for store.AskAgainAfter or until it was. A gateway that is
// not due at that time stays as it is.
func (s *States) Asked(ctx context.Context, gateway grant.Gateway, at time.Time) error {
	return s.table.write(ctx, "record that "+gateway.ARN()+" was asked for", func(v *view) error {
		item, known := v.get(store.GatewayKey(gateway))
		due, is := store.DueAt(item)
		if !known || !is || due > store.Moment(at) {
			return nil
		}
		item = maps.Clone(item)
		item[store.AttrAsked] = store.S(store.Moment(at))
		return v.put(item)
	})
}

// Due lists the ARNs of the gateways that are due at the given time or before it,
// the longest due first, without those asked for in the store.AskAgainAfter
// before it.
func (s *States) Due(ctx context.Context, before time.Time) (gateways []string, err error) {
	err = s.table.read(ctx, "look up what is due", func(v *view) error {
		due := make(map[string]string)
		for key, item := range v.items {
			at, is := store.DueAt(item)
			if is && at <= store.Moment(before) && !store.AskedFor(item, before) {
				due[key.Partition] = at
			}
		}
		gateways = slices.SortedFunc(maps.Keys(due), func(a, b string) int {
			if due[a] != due[b] {
				return strings.Compare(due[a], due[b])
			}
			return strings.Compare(a, b)
		})
		return nil
	})
	return gateways, err
}

// History reads a gateway's journal, the newest entry first, and at most limit
// entries.
func (s *States) History(ctx context.Context, gateway grant.Gateway, limit int) (entries []reconcile.Entry, err error) {
	err = s.table.read(ctx, "read the journal of "+gateway.ARN(), func(v *view) error {
		items := v.where(func(key store.Key) bool {
			return key.Partition == gateway.ARN() && strings.HasPrefix(key.Sort, store.JournalPrefix)
		})
		slices.Reverse(items)
		for _, item := range items[:min(limit, len(items))] {
			entry, err := store.ParseEntry(item)
			if err != nil {
				return err
			}
			entries = append(entries, entry)
		}
		return nil
	})
	return entries, err
}

func (v *view) state(gateway grant.Gateway) (plan.State, error) {
	return store.ParseState(v.partition(gateway.ARN()))
}

// union adds to each set the members that are to be in it, too.
func union(sets, more map[string][]string) map[string][]string {
	all := make(map[string][]string, len(sets)+len(more))
	maps.Copy(all, sets)
	for of, members := range more {
		all[of] = slices.Concat(all[of], members)
	}
	return all
}

// replace writes the gateway's own item, and the parts.
func (v *view) replace(gateway grant.Gateway, recorded, state plan.GatewayState) error {
	put, gone := store.PartChanges(gateway, recorded, state)
	for _, item := range append(put, store.GatewayItem(gateway, state)) {
		if err := v.put(item); err != nil {
			return err
		}
	}
	for _, key := range gone {
		v.delete(key)
	}
	return nil
}

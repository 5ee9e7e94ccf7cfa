package memory

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
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

// Load reads what is recorded of a gateway, the journal aside; no record is the zero
// state.
func (s *States) Load(ctx context.Context, gateway grant.Gateway) (state ledger.State, err error) {
	err = s.table.read(ctx, "load what is recorded of "+gateway.ARN(), func(v *view) error {
		state, err = v.state(gateway)
		return err
	})
	return state, err
}

// Update applies the transition to the state that the caller loaded, or to a newer one
// if another update came first, and returns what is recorded then. It fails with
// ledger.CodeVersionConflict if the transition does. A transition that changes nothing
// writes nothing.
func (s *States) Update(ctx context.Context, gateway grant.Gateway, loaded ledger.State, transition ledger.Transition) (ledger.State, error) {
	op := "record what changed of " + gateway.ARN()
	next, changes, err := s.applied(gateway, loaded, transition)
	if err != nil || changes.Own == nil {
		return next, err
	}
	err = s.table.write(ctx, op, func(v *view) error {
		recorded := loaded
		if !v.stands(gateway, loaded.Gateway.Version) {
			if recorded, err = v.state(gateway); err != nil {
				return err
			}
			if next, changes, err = s.applied(gateway, recorded, transition); err != nil {
				return err
			}
		}
		if recorded.Newer != (ledger.Newer{}) {
			own, _ := v.get(store.GatewayKey(gateway))
			return v.put(store.CompareMarks(recorded, next).On(own, next.Gateway.Version))
		}
		for _, item := range slices.Concat(changes.Own, changes.Statuses) {
			if err := v.put(item); err != nil {
				return err
			}
		}
		for _, key := range changes.Gone {
			v.delete(key)
		}
		return nil
	})
	if err != nil {
		return ledger.State{}, err
	}
	return next, nil
}

// applied is what the transition makes of the state, as the next version, and the
// changes of items; the state as it is, where it changes nothing.
func (s *States) applied(gateway grant.Gateway, state ledger.State, transition ledger.Transition) (ledger.State, store.Changes, error) {
	next, err := state.Record(transition)
	if err != nil {
		return ledger.State{}, store.Changes{}, fmt.Errorf("record what changed of %s in table %s: %w", gateway.ARN(), s.table.Name, err)
	}
	next.Gateway.Version = state.Gateway.Version + 1
	changes, err := store.Compare(gateway, state, next)
	switch {
	case err != nil:
		return ledger.State{}, store.Changes{}, err
	case changes.Own == nil:
		return state, changes, nil
	default:
		return next, changes, nil
	}
}

// Journal adds an entry to the journal of the gateway, unless it is there already.
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

// Asked records that a reconcile of the gateway was requested, which keeps
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

// stands reports whether no update came since the version was loaded, which is 0 for no
// state.
func (v *view) stands(gateway grant.Gateway, version int) bool {
	item, recorded := v.get(store.GatewayKey(gateway))
	number, _ := item[store.AttrVersion].(*types.AttributeValueMemberN)
	return recorded == (version != 0) && (!recorded || number != nil && number.Value == strconv.Itoa(version))
}

func (v *view) state(gateway grant.Gateway) (ledger.State, error) {
	state, _, err := store.ParseState(v.partition(gateway.ARN()))
	return state, err
}

package store

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// Marks are the attributes of a gateway's own item by which a version of the product
// records its runs where a newer version wrote the item. All others stay as they are.
type Marks struct {
	Set    Item     // what is set, by name
	Remove []string // names
	Held   Item     // AttrRefused alone: a list to append; nil for nothing
}

// AttrRefused is the list of principals that are left out, of a gateway's own item.
const AttrRefused = "refused"

// CompareMarks lists the changes of marks from one state of a gateway to the next; zero
// for none.
func CompareMarks(was, is ledger.State) Marks {
	before, after := marksOf(was.Gateway), marksOf(is.Gateway)
	marks := Marks{Set: Item{}}
	for name, value := range after {
		if !reflect.DeepEqual(before[name], value) {
			marks.Set[name] = value
		}
	}
	for name := range before {
		if _, stays := after[name]; !stays {
			marks.Remove = append(marks.Remove, name)
		}
	}
	slices.Sort(marks.Remove)
	held := maps.Clone(is.Gateway.Refused)
	maps.DeleteFunc(held, func(principal string, refusal ledger.Refusal) bool {
		known, recorded := was.Gateway.Refused[principal]
		return recorded && known.Same(refusal)
	})
	if len(held) > 0 {
		marks.Held = marshal(partsOf(ledger.Ledger{Refused: held})[0])
	}
	if len(marks.Set)+len(marks.Remove)+len(marks.Held) == 0 {
		return Marks{}
	}
	return marks
}

// marksOf are the marks of a ledger, as its item has them.
func marksOf(l ledger.Ledger) Item {
	marks := marshal(gatewayItem{
		PendingHash: l.PendingHash, InFlightUntil: l.InFlightUntil, DueShard: dueShard(l), Due: l.Due,
		LastError: l.LastError, LastMessage: l.LastMessage, Failures: l.Failures, HadDirectory: l.HadDirectory,
	})
	for _, always := range []string{StatesLayout.Partition, StatesLayout.Sort, "form"} {
		delete(marks, always)
	}
	return marks
}

// On is a copy of the item with the marks on it, as that version of the ledger.
func (m Marks) On(item Item, version int) Item {
	marked := maps.Clone(item)
	maps.Copy(marked, m.Set)
	for _, name := range m.Remove {
		delete(marked, name)
	}
	if more, ok := m.Held[AttrRefused].(*types.AttributeValueMemberL); ok {
		known, _ := marked[AttrRefused].(*types.AttributeValueMemberL)
		if known == nil {
			known = &types.AttributeValueMemberL{}
		}
		marked[AttrRefused] = &types.AttributeValueMemberL{Value: slices.Concat(known.Value, more.Value)}
	}
	marked[AttrVersion] = &types.AttributeValueMemberN{Value: strconv.Itoa(version)}
	return marked
}

// mark writes the marks that differ on top of the version that was loaded, and returns
// the version that is recorded then.
func (s *States) mark(ctx context.Context, gateway grant.Gateway, was, is ledger.State) (int, error) {
	marks, version := CompareMarks(was, is), was.Gateway.Version
	if marks.Set == nil {
		return version, nil
	}
	items, err := query(ctx, s.client, s.table, inPartition(StatesLayout.Partition, gateway.ARN()).and("#sort = :sort", StatesLayout.Sort, gatewaySort))
	if err != nil || len(items) == 0 {
		return version, err
	}
	write := s.owning([]Item{marks.On(items[0], version+1)}, version)[0].Put
	return version + 1, s.put(ctx, write)
}

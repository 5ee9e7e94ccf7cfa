package memory

import (
	"context"
	"slices"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// Grants is the grants table. It is safe for concurrent use.
type Grants struct{ table *table }

var _ reconcile.Grants = (*Grants)(nil)

// NewGrants makes a grants table without the sentinel row.
func NewGrants(config Config) *Grants {
	return &Grants{newTable(config.or(store.DefaultNames().Grants), store.GrantsLayout)}
}

// ForGateway reads every row for the gateway and for every gateway, sorted by key. It
// fails with store.CodeNoSentinel if the table lacks the sentinel row.
func (g *Grants) ForGateway(ctx context.Context, gateway grant.Gateway) (rows []grant.Row, err error) {
	err = g.table.read(ctx, "read the grants of "+gateway.ARN(), func(v *view) error {
		rows, err = store.Rows(v.Name, append(v.partition(gateway.ARN()), v.partition(grant.EveryGateway)...))
		return err
	})
	return rows, err
}

// All reads every row, sorted by key, or fails as ForGateway does.
func (g *Grants) All(ctx context.Context) (rows []grant.Row, err error) {
	err = g.table.read(ctx, "read every grant", func(v *view) error {
		rows, err = store.Rows(v.Name, v.where(func(store.Key) bool { return true }))
		return err
	})
	return rows, err
}

// Written reads every row as it was written, sorted by key, or fails as ForGateway does.
func (g *Grants) Written(ctx context.Context) (rows []grant.Attributes, err error) {
	err = g.table.read(ctx, "read every grant", func(v *view) error {
		rows, err = store.WrittenRows(v.Name, v.where(func(store.Key) bool { return true }))
		return err
	})
	return rows, err
}

// Naming lists the gateway keys, sorted, of the rows whose principal is one of
// those given, in whatever form it was written.
func (g *Grants) Naming(ctx context.Context, principals []grant.Principal) (gateways []string, err error) {
	forms := make(map[string]bool)
	for _, principal := range principals {
		for _, form := range store.Forms(principal) {
			forms[form] = true
		}
	}
	err = g.table.read(ctx, "look up principals", func(v *view) error {
		for key, item := range v.items {
			principal, ok := item[grant.AttrPrincipal].(*types.AttributeValueMemberS)
			if ok && key != store.SentinelKey() && forms[principal.Value] {
				gateways = append(gateways, key.Partition)
			}
		}
		return nil
	})
	slices.Sort(gateways)
	return slices.Compact(gateways), err
}

// Put writes a row, as it is. Where onlyIfNew it fails with CodeGrantExists
// rather than write over another.
func (g *Grants) Put(ctx context.Context, attributes grant.Attributes, onlyIfNew bool) error {
	item, err := store.GrantItem(attributes)
	if err != nil {
		return err
	}
	return g.put(ctx, item, onlyIfNew)
}

// PutSentinel writes the row that proves a read.
func (g *Grants) PutSentinel(ctx context.Context) error {
	return g.put(ctx, store.Sentinel(), false)
}

func (g *Grants) put(ctx context.Context, item store.Item, onlyIfNew bool) error {
	return g.table.write(ctx, "put a grant", func(v *view) error {
		key := v.layout.Of(item)
		if _, exists := v.get(key); exists && onlyIfNew {
			return store.GrantExists(grant.Key{Gateway: key.Partition, ID: key.Sort})
		}
		return putGrant(v, item)
	})
}

func putGrant(v *view, item store.Item) error {
	if principal, ok := item[grant.AttrPrincipal].(*types.AttributeValueMemberS); item[grant.AttrPrincipal] != nil && (!ok || principal.Value == "") {
		return &grant.Error{Code: store.CodeWriteFailed, Op: "put a grant in table " + v.Name, Hint: "principal is the key of an index: it must be text, and not empty"}
	}
	return v.put(item)
}

// Swap writes a row, or deletes it where the attributes are nil, on condition that the
// table has it in the revision that was shown; "" is for no row. It fails with
// CodeRowChanged where the row is another one by now, and writes nothing then.
func (g *Grants) Swap(ctx context.Context, key grant.Key, shown string, attributes grant.Attributes) error {
	return g.table.write(ctx, "change grant "+key.String(), func(v *view) error {
		at := store.Key{Partition: key.Gateway, Sort: key.ID}
		found, _ := v.get(at)
		if store.RevisionOf(found) != shown {
			return store.RowChanged(key)
		}
		if attributes == nil {
			v.delete(at)
			return nil
		}
		item, err := store.GrantItem(attributes)
		if err != nil {
			return err
		}
		return putGrant(v, item)
	})
}

// Delete removes a row, and reports whether there was one.
func (g *Grants) Delete(ctx context.Context, key grant.Key) (existed bool, err error) {
	err = g.table.write(ctx, "delete grant "+key.String(), func(v *view) error {
		at := store.Key{Partition: key.Gateway, Sort: key.ID}
		_, existed = v.get(at)
		v.delete(at)
		return nil
	})
	return existed, err
}

// Changes calls listen with each later change of the table, as the event that
// Lambda would be invoked with: one for each write that changed anything, in
// their order, one at a time. The writer makes the call before the write
// returns, unless another writer is at it already, which then makes it. So listen
// may read and write the table itself: listeners get its changes next.
func (g *Grants) Changes(listen func(events.DynamoDBEvent)) { g.table.changes(listen) }

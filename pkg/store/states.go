package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// StatesClient is what the state table asks of DynamoDB.
type StatesClient interface {
	dynamodb.QueryAPIClient
	dynamodb.ScanAPIClient // of the command line alone
	PutItem(ctx context.Context, input *dynamodb.PutItemInput, options ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	DeleteItem(ctx context.Context, input *dynamodb.DeleteItemInput, options ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	UpdateItem(ctx context.Context, input *dynamodb.UpdateItemInput, options ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	TransactWriteItems(ctx context.Context, input *dynamodb.TransactWriteItemsInput, options ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// States is the state table.
type States struct {
	client StatesClient
	table  string
}

var _ reconcile.States = (*States)(nil)

// NewStates is the state table of that name.
func NewStates(client StatesClient, table string) *States {
	return &States{client: client, table: table}
}

// Load reads what is recorded of a gateway, the journal aside; no record is the zero
// state. A query is no snapshot, so Load queries again where the versions show that
// another update wrote during it, and fails if that happens too often.
func (s *States) Load(ctx context.Context, gateway grant.Gateway) (ledger.State, error) {
	op := "load what is recorded of " + gateway.ARN()
	keys := inPartition(StatesLayout.Partition, gateway.ARN()).and("#sort < :sort", StatesLayout.Sort, JournalPrefix)
	for attempt := range attempts {
		items, err := query(ctx, s.client, s.table, keys)
		if err != nil {
			return ledger.State{}, unread(s.table, op, err)
		}
		state, whole, err := ParseState(items)
		if err != nil {
			return ledger.State{}, unread(s.table, op, err)
		}
		if whole {
			return state, nil
		}
		if err := pause(ctx, attempt); err != nil {
			return ledger.State{}, unread(s.table, op, err)
		}
	}
	return ledger.State{}, unread(s.table, op, errUnsettled)
}

// errUnsettled is why a read of a gateway's state came to no end.
var errUnsettled = errors.New("others kept recording something about the gateway while it was read")

// Due lists the ARNs of the gateways that are due at the given time or before it,
// the longest due first, without those asked for in the AskAgainAfter
// before it. It may miss what was recorded in the last seconds.
func (s *States) Due(ctx context.Context, before time.Time) ([]string, error) {
	keys := inPartition(AttrDueShard, DueShard).and("#sort <= :sort", AttrDue, Moment(before))
	items, err := queryIndex(ctx, s.client, s.table, DueIndex, keys)
	if err != nil {
		return nil, unread(s.table, "look up what is due", err)
	}
	gateways := make([]string, 0, len(items))
	for _, item := range items {
		if !AskedFor(item, before) {
			gateways = append(gateways, StatesLayout.Of(item).Partition)
		}
	}
	return gateways, nil
}

// History reads a gateway's journal, the newest entry first, and at most limit
// entries.
func (s *States) History(ctx context.Context, gateway grant.Gateway, limit int) ([]reconcile.Entry, error) {
	op := "read the journal of " + gateway.ARN()
	keys := inPartition(StatesLayout.Partition, gateway.ARN()).
		and("begins_with(#sort, :sort)", StatesLayout.Sort, JournalPrefix)
	input := consistent(s.table, keys)
	input.ScanIndexForward = aws.Bool(false)
	pages := dynamodb.NewQueryPaginator(s.client, input)
	var entries []reconcile.Entry
	for pages.HasMorePages() && len(entries) < limit {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, unread(s.table, op, err)
		}
		for _, item := range page.Items {
			entry, err := ParseEntry(item)
			if err != nil {
				return nil, unread(s.table, op, err)
			}
			entries = append(entries, entry)
		}
	}
	return slices.Clip(entries[:min(limit, len(entries))]), nil
}

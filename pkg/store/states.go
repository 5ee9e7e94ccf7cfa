package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
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

// Load is reconcile.States's. A query is no snapshot: a record during it may take
// away sets that the version read before it counts on. So everything is read until
// the version is the same after it as before.
func (s *States) Load(ctx context.Context, gateway grant.Gateway) (plan.State, error) {
	op := "load what is recorded of " + gateway.ARN()
	for attempt := range attempts {
		state, err := s.load(ctx, gateway, "#sort < :sort", JournalPrefix)
		if err != nil {
			return plan.State{}, unread(s.table, op, err)
		}
		version, err := s.version(ctx, gateway)
		if err != nil {
			return plan.State{}, unread(s.table, op, err)
		}
		if version == state.Gateway.Version {
			return state, nil
		}
		if err := pause(ctx, attempt); err != nil {
			return plan.State{}, unread(s.table, op, err)
		}
	}
	return plan.State{}, unread(s.table, op, errUnsettled)
}

// errUnsettled is why a read of a gateway's state came to no end.
var errUnsettled = errors.New("others kept recording something about the gateway while it was read")

// version reads that of the gateway's own item, and no more: a role that may query
// the table may do nothing else that reads one item.
func (s *States) version(ctx context.Context, gateway grant.Gateway) (int, error) {
	own := GatewayKey(gateway)
	keys := inPartition(StatesLayout.Partition, own.Partition).and("#sort = :sort", StatesLayout.Sort, own.Sort)
	keys.names["#version"] = AttrVersion
	input := consistent(s.table, keys)
	input.ProjectionExpression = aws.String("#sort, #version")
	items, err := queryPages(ctx, s.client, input)
	if err != nil {
		return 0, err
	}
	state, err := ParseState(items)
	return state.Gateway.Version, err
}

// parts reads the sets and refusals that are recorded, and no more.
func (s *States) parts(ctx context.Context, gateway grant.Gateway) (plan.GatewayState, error) {
	state, err := s.load(ctx, gateway, "begins_with(#sort, :sort)", PartsPrefix)
	if err != nil {
		return plan.GatewayState{}, unread(s.table, "load the parts recorded of "+gateway.ARN(), err)
	}
	return state.Gateway, nil
}

func (s *States) load(ctx context.Context, gateway grant.Gateway, text, sort string) (plan.State, error) {
	keys := inPartition(StatesLayout.Partition, gateway.ARN()).and(text, StatesLayout.Sort, sort)
	items, err := query(ctx, s.client, s.table, keys)
	if err != nil {
		return plan.State{}, err
	}
	return ParseState(items)
}

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

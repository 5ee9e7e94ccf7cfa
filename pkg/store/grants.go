package store

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// GrantsClient is what the grants table asks of DynamoDB. The functions of the
// product may only Query and Scan.
type GrantsClient interface {
	dynamodb.QueryAPIClient
	dynamodb.ScanAPIClient
	PutItem(ctx context.Context, input *dynamodb.PutItemInput, options ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	DeleteItem(ctx context.Context, input *dynamodb.DeleteItemInput, options ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

// Grants is the grants table.
type Grants struct {
	client GrantsClient
	table  string
}

var _ reconcile.Grants = (*Grants)(nil)

// NewGrants is the grants table of that name.
func NewGrants(client GrantsClient, table string) *Grants {
	return &Grants{client: client, table: table}
}

// ForGateway reads every row for the gateway and for every gateway, sorted by key. It
// fails with CodeNoSentinel if the table lacks the sentinel row.
func (g *Grants) ForGateway(ctx context.Context, gateway grant.Gateway) ([]grant.Row, error) {
	var items []Item
	for _, partition := range []string{gateway.ARN(), grant.EveryGateway} {
		found, err := query(ctx, g.client, g.table, inPartition(grant.AttrGateway, partition))
		if err != nil {
			return nil, unread(g.table, "read the grants of "+gateway.ARN(), err)
		}
		items = append(items, found...)
	}
	return Rows(g.table, items)
}

// All reads every row, sorted by key, or fails as ForGateway does.
func (g *Grants) All(ctx context.Context) ([]grant.Row, error) {
	items, err := scan(ctx, g.client, &dynamodb.ScanInput{TableName: aws.String(g.table)})
	if err != nil {
		return nil, unread(g.table, "read every grant", err)
	}
	return Rows(g.table, items)
}

// Written reads every row as it was written, sorted by key, or fails as ForGateway does.
func (g *Grants) Written(ctx context.Context) ([]grant.Attributes, error) {
	items, err := scan(ctx, g.client, &dynamodb.ScanInput{TableName: aws.String(g.table)})
	if err != nil {
		return nil, unread(g.table, "read every grant", err)
	}
	return WrittenRows(g.table, items)
}

// Naming lists the gateway keys, sorted, of the rows whose principal is one of
// those given, in whatever form it was written. It may miss what was written in
// the last seconds.
func (g *Grants) Naming(ctx context.Context, principals []grant.Principal) ([]string, error) {
	var gateways []string
	for _, principal := range principals {
		for _, form := range Forms(principal) {
			items, err := queryIndex(ctx, g.client, g.table, PrincipalIndex, inPartition(grant.AttrPrincipal, form))
			if err != nil {
				return nil, unread(g.table, "look up principal "+form, err)
			}
			for _, item := range items {
				if key := GrantsLayout.Of(item); key != SentinelKey() {
					gateways = append(gateways, key.Partition)
				}
			}
		}
	}
	slices.Sort(gateways)
	return slices.Compact(gateways), nil
}

// Put writes a row, as it is. Where onlyIfNew it fails with
// CodeGrantExists rather than write over another.
func (g *Grants) Put(ctx context.Context, attributes grant.Attributes, onlyIfNew bool) error {
	item, err := GrantItem(attributes)
	if err != nil {
		return err
	}
	return g.put(ctx, item, onlyIfNew)
}

// PutSentinel writes the row that proves a read.
func (g *Grants) PutSentinel(ctx context.Context) error {
	return g.put(ctx, Sentinel(), false)
}

func (g *Grants) put(ctx context.Context, item Item, onlyIfNew bool) error {
	input := &dynamodb.PutItemInput{TableName: aws.String(g.table), Item: item}
	if onlyIfNew {
		input.ConditionExpression = aws.String("attribute_not_exists(#id)")
		input.ExpressionAttributeNames = map[string]string{"#id": grant.AttrGrant}
	}
	key := GrantsLayout.Of(item)
	at := grant.Key{Gateway: key.Partition, ID: key.Sort}
	switch _, err := g.client.PutItem(ctx, input); {
	case refused(err):
		return GrantExists(at)
	case err != nil:
		return unwritten(g.table, "put grant "+at.String(), err)
	}
	return nil
}

// Delete removes a row, and reports whether there was one.
func (g *Grants) Delete(ctx context.Context, key grant.Key) (existed bool, err error) {
	output, err := g.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:    aws.String(g.table),
		Key:          GrantsLayout.Item(Key{Partition: key.Gateway, Sort: key.ID}),
		ReturnValues: types.ReturnValueAllOld,
	})
	if err != nil {
		return false, unwritten(g.table, "delete grant "+key.String(), err)
	}
	return len(output.Attributes) > 0, nil
}

// Swap writes a row, or deletes it where the attributes are nil, on condition that the
// table has it in the revision that was shown; "" is for no row. It fails with
// CodeRowChanged where the row is another one by now, and writes nothing then.
func (g *Grants) Swap(ctx context.Context, key grant.Key, shown string, attributes grant.Attributes) error {
	op := "change grant " + key.String()
	at := Key{Partition: key.Gateway, Sort: key.ID}
	keys := inPartition(GrantsLayout.Partition, at.Partition).and("#sort = :sort", GrantsLayout.Sort, at.Sort)
	found, err := query(ctx, g.client, g.table, keys)
	if err != nil {
		return unread(g.table, op, err)
	}
	var item Item
	if len(found) > 0 {
		item = found[0]
	}
	if RevisionOf(item) != shown {
		return RowChanged(key)
	}
	switch err := g.swap(ctx, at, asRead(item), attributes); {
	case refused(err):
		return RowChanged(key)
	case err != nil && grant.CodeOf(err) == "":
		return unwritten(g.table, op, err)
	default:
		return err
	}
}

func (g *Grants) swap(ctx context.Context, at Key, expected condition, attributes grant.Attributes) error {
	values := expected.given()
	if attributes == nil {
		_, err := g.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: aws.String(g.table), Key: GrantsLayout.Item(at), ConditionExpression: aws.String(expected.text),
			ExpressionAttributeNames: expected.names, ExpressionAttributeValues: values,
		})
		return err
	}
	item, err := GrantItem(attributes)
	if err != nil {
		return err
	}
	_, err = g.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: aws.String(g.table), Item: item, ConditionExpression: aws.String(expected.text),
		ExpressionAttributeNames: expected.names, ExpressionAttributeValues: values,
	})
	return err
}

// asRead is the condition that an item is as it was read: each attribute that it had,
// and none that a grant could have besides. A nil item is none.
func asRead(item Item) condition { return equal(item, grant.KnownAttributes()) }

package store

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Definitions are the three tables: keys, indexes, streams, paid by the request.
// Where the product is deployed, its template makes them, and protects them, too.
func Definitions(names Names) []*dynamodb.CreateTableInput {
	grants := definition(names.Grants, GrantsLayout)
	grants.GlobalSecondaryIndexes = index(grants, PrincipalIndex, grant.AttrPrincipal, grant.AttrGateway)
	grants.StreamSpecification = stream()

	accounts := definition(names.Accounts, AccountsLayout)
	accounts.StreamSpecification = stream()

	states := definition(names.States, StatesLayout)
	states.GlobalSecondaryIndexes = index(states, DueIndex, AttrDueShard, AttrDue, AttrAsked)

	return []*dynamodb.CreateTableInput{grants, accounts, states}
}

func definition(name string, layout Layout) *dynamodb.CreateTableInput {
	input := &dynamodb.CreateTableInput{
		TableName:   aws.String(name),
		BillingMode: types.BillingModePayPerRequest,
		KeySchema:   keys(layout.Partition, layout.Sort),
	}
	declare(input, layout.Partition, layout.Sort)
	return input
}

// index holds keys only, unless more is named: the caller of a lookup reads
// the item afterwards.
func index(table *dynamodb.CreateTableInput, name, partition, sort string, more ...string) []types.GlobalSecondaryIndex {
	declare(table, partition, sort)
	projection := &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
	if len(more) > 0 {
		projection = &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: more}
	}
	return []types.GlobalSecondaryIndex{{
		IndexName:  aws.String(name),
		KeySchema:  keys(partition, sort),
		Projection: projection,
	}}
}

func keys(partition, sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: aws.String(partition), KeyType: types.KeyTypeHash},
		{AttributeName: aws.String(sort), KeyType: types.KeyTypeRange},
	}
}

// declare adds the types of key attributes, each once.
func declare(table *dynamodb.CreateTableInput, names ...string) {
	declared := make(map[string]bool)
	for _, definition := range table.AttributeDefinitions {
		declared[*definition.AttributeName] = true
	}
	for _, name := range names {
		if !declared[name] {
			table.AttributeDefinitions = append(table.AttributeDefinitions, types.AttributeDefinition{
				AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS,
			})
		}
	}
}

func stream() *types.StreamSpecification {
	return &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages}
}

// CreateClient is what Create asks of DynamoDB.
type CreateClient interface {
	dynamodb.DescribeTableAPIClient
	CreateTable(ctx context.Context, input *dynamodb.CreateTableInput, options ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error)
	DescribeTimeToLive(ctx context.Context, input *dynamodb.DescribeTimeToLiveInput, options ...func(*dynamodb.Options)) (*dynamodb.DescribeTimeToLiveOutput, error)
	UpdateTimeToLive(ctx context.Context, input *dynamodb.UpdateTimeToLiveInput, options ...func(*dynamodb.Options)) (*dynamodb.UpdateTimeToLiveOutput, error)
}

// createWithin is how long a table may take to become active.
const createWithin = 2 * time.Minute

// Create makes the tables that do not exist yet, and returns when all of them are
// active. The grants table has no sentinel row yet.
func Create(ctx context.Context, client CreateClient, names Names) error {
	for _, definition := range Definitions(names) {
		if err := create(ctx, client, definition); err != nil {
			return unwritten(*definition.TableName, "create the table and wait for it", err)
		}
	}
	if err := expire(ctx, client, names.States); err != nil {
		return unwritten(names.States, "have the journal expire", err)
	}
	return nil
}

func create(ctx context.Context, client CreateClient, definition *dynamodb.CreateTableInput) error {
	_, err := client.CreateTable(ctx, definition)
	var exists *types.ResourceInUseException
	if err != nil && !errors.As(err, &exists) {
		return err
	}
	ready := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 100*time.Millisecond, 2*time.Second
	})
	return ready.Wait(ctx, &dynamodb.DescribeTableInput{TableName: definition.TableName}, createWithin) //nolint:wrapcheck // the caller says what was being made
}

// expire turns the deletion of old journal entries on. DynamoDB refuses to turn
// on what is on.
func expire(ctx context.Context, client CreateClient, table string) error {
	output, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: aws.String(table)})
	if err != nil {
		return err
	}
	switch ttl := output.TimeToLiveDescription; {
	case ttl == nil:
	case ttl.TimeToLiveStatus == types.TimeToLiveStatusEnabled, ttl.TimeToLiveStatus == types.TimeToLiveStatusEnabling:
		return nil
	}
	_, err = client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: aws.String(table),
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: aws.String(AttrExpiry), Enabled: aws.Bool(true),
		},
	})
	return err
}

package inspect

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/doctor"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func (r *Reader) tables(ctx context.Context, outputs map[string]string) []doctor.Table {
	tables := []doctor.Table{
		{Name: outputs["GrantsTableName"], Stream: true}, {Name: outputs["AccountsTableName"], Stream: true}, {Name: outputs["StateTableName"]},
	}
	for i, t := range tables {
		tables[i].Read = read(r, "read table "+t.Name, func() (doctor.TableState, error) { return r.table(ctx, t.Name) })
	}
	return tables
}

func (r *Reader) table(ctx context.Context, name string) (doctor.TableState, error) {
	client := dynamodb.NewFromConfig(r.Config)
	described, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if hasCode(err, "ResourceNotFoundException") {
		return doctor.TableState{Missing: true}, nil
	}
	if err != nil {
		return doctor.TableState{}, err
	}
	backups, err := client.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &name})
	if err != nil {
		return doctor.TableState{}, err
	}
	table, recovery := described.Table, backups.ContinuousBackupsDescription.PointInTimeRecoveryDescription
	return doctor.TableState{
		Status:    string(table.TableStatus),
		Protected: aws.ToBool(table.DeletionProtectionEnabled),
		Streaming: table.StreamSpecification != nil && aws.ToBool(table.StreamSpecification.StreamEnabled),
		Recovery:  recovery != nil && recovery.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled,
	}, nil
}

func (r *Reader) sentinel(ctx context.Context, table string) (bool, error) {
	return r.holds(ctx, table, map[string]string{grant.AttrGateway: grant.EveryGateway, grant.AttrGrant: grant.SentinelID})
}

// lists looks for the items that prove the lists of accounts.
func (r *Reader) lists(ctx context.Context, table string) []doctor.List {
	lists := []doctor.List{{What: "trusted accounts", Table: table, Item: "trusted-sentinel.json"}, {What: "owner accounts", Table: table, Item: "owner-sentinel.json"}}
	for i, topic := range []directory.Topic{directory.TopicTrusted, directory.TopicOwner} {
		lists[i].Proved = read(r, "read the item that proves the list of "+lists[i].What, func() (bool, error) {
			return r.holds(ctx, table, map[string]string{"pk": string(topic), "sk": directory.ListSentinelID})
		})
	}
	return lists
}

// holds reports whether a table has the item with this key.
func (r *Reader) holds(ctx context.Context, table string, key map[string]string) (bool, error) {
	input := &dynamodb.GetItemInput{TableName: &table, ConsistentRead: aws.Bool(true), Key: map[string]types.AttributeValue{}}
	for name, value := range key {
		input.Key[name] = &types.AttributeValueMemberS{Value: value}
	}
	answer, err := dynamodb.NewFromConfig(r.Config).GetItem(ctx, input)
	if hasCode(err, "ResourceNotFoundException") {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return len(answer.Item) > 0, nil
}

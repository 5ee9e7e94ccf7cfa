package cloud_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// Moto undoes a transaction by replacing the table, and the stream with it.
func TestAStreamIsReadOnAfterATransactionFailed(t *testing.T) {
	config := cloudtest.Moto(t).Config(accountA, region)
	stream := streamedTable(t, config)
	client, reader := dynamodb.NewFromConfig(config), dynamodbstreams.NewFromConfig(config)
	described, err := reader.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: &stream})
	if err != nil {
		t.Fatal(err)
	}
	place, err := reader.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
		StreamArn: &stream, ShardId: described.StreamDescription.Shards[0].ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		t.Fatal(err)
	}
	iterator := place.ShardIterator
	next := func() []string {
		t.Helper()
		read, err := reader.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: iterator})
		if err != nil {
			t.Fatal(err)
		}
		iterator = read.NextShardIterator
		var keys []string
		for i := range read.Records {
			key, _ := read.Records[i].Dynamodb.Keys["gateway"].(*streamtypes.AttributeValueMemberS)
			keys = append(keys, key.Value)
		}
		return keys
	}
	item := func(gateway string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"gateway": &types.AttributeValueMemberS{Value: gateway}}
	}
	put := func(gateway string) {
		t.Helper()
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("grants"), Item: item(gateway)}); err != nil {
			t.Fatal(err)
		}
	}

	put("before")
	if diff := cmp.Diff([]string{"before"}, next()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	_, err = client.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: aws.String("grants"), Item: item("undone")}},
		{ConditionCheck: &types.ConditionCheck{TableName: aws.String("grants"), Key: item("nothing"), ConditionExpression: aws.String("attribute_exists(gateway)")}},
	}})
	if errorCode(err) != "TransactionCanceledException" {
		t.Fatalf("the transaction was to fail, got %v", err)
	}
	put("after")
	if diff := cmp.Diff([]string{"after"}, next()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// What a transaction undoes are items that were there, too, whichever way it wrote them.
func TestFailedTransactionChangesNothing(t *testing.T) {
	config := cloudtest.Moto(t).Config(accountA, region)
	streamedTable(t, config)
	client, table := dynamodb.NewFromConfig(config), aws.String("grants")
	item := func(gateway, reason string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"gateway": &types.AttributeValueMemberS{Value: gateway}, "reason": &types.AttributeValueMemberS{Value: reason}}
	}
	key := func(gateway string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"gateway": &types.AttributeValueMemberS{Value: gateway}}
	}
	all := func() map[string]string {
		t.Helper()
		scanned, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: table})
		if err != nil {
			t.Fatal(err)
		}
		reasons := map[string]string{}
		for _, item := range scanned.Items {
			reasons[item["gateway"].(*types.AttributeValueMemberS).Value] = item["reason"].(*types.AttributeValueMemberS).Value
		}
		return reasons
	}
	for _, gateway := range []string{"updated", "replaced", "deleted"} {
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: table, Item: item(gateway, "first")}); err != nil {
			t.Fatal(err)
		}
	}
	writes := []types.TransactWriteItem{
		{Update: &types.Update{
			TableName: table, Key: key("updated"), UpdateExpression: aws.String("SET reason = :reason"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":reason": &types.AttributeValueMemberS{Value: "second"}},
		}},
		{Put: &types.Put{TableName: table, Item: item("replaced", "second")}},
		{Put: &types.Put{TableName: table, Item: item("new", "second")}},
		{Delete: &types.Delete{TableName: table, Key: key("deleted")}},
	}
	fails := types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: table, Key: key("nothing"), ConditionExpression: aws.String("attribute_exists(gateway)")}}
	if _, err := client.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: append(slices.Clone(writes), fails)}); errorCode(err) != "TransactionCanceledException" {
		t.Fatalf("the transaction was to fail, got %v", err)
	}
	if diff := cmp.Diff(map[string]string{"updated": "first", "replaced": "first", "deleted": "first"}, all()); diff != "" {
		t.Errorf("after a transaction that failed: -want +got\n%s", diff)
	}
	if _, err := client.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: writes}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"updated": "second", "replaced": "second", "new": "second"}, all()); diff != "" {
		t.Errorf("after one that succeeded: -want +got\n%s", diff)
	}
}

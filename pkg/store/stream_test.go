package store_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/store"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
	"github.com/gateway-grants/gateway-grants/pkg/store/storetest"
)

// change is what a record of a stream says, apart from when and where.
type change struct {
	Event          string
	Keys, Old, New map[string]any
}

// streamed reads what is in a table's stream.
func streamed(t *testing.T, client *dynamodb.Client, table string) []change {
	t.Helper()
	described, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(table)})
	if err != nil {
		t.Fatal(err)
	}
	o := client.Options()
	streams := dynamodbstreams.New(dynamodbstreams.Options{
		Region: o.Region, BaseEndpoint: o.BaseEndpoint, HTTPClient: o.HTTPClient,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
	})
	arn := described.Table.LatestStreamArn
	stream, err := streams.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	var changes []change
	for _, shard := range stream.StreamDescription.Shards {
		changes = append(changes, shardOf(t, streams, arn, shard.ShardId)...)
	}
	return changes
}

func shardOf(t *testing.T, streams *dynamodbstreams.Client, arn, shard *string) []change {
	t.Helper()
	iterator, err := streams.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
		StreamArn: arn, ShardId: shard, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		t.Fatal(err)
	}
	records, err := streams.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: iterator.ShardIterator})
	if err != nil {
		t.Fatal(err)
	}
	changes := make([]change, len(records.Records))
	for i, record := range records.Records {
		changes[i] = change{
			Event: string(record.EventName), Keys: plainImage(t, record.Dynamodb.Keys),
			Old: plainImage(t, record.Dynamodb.OldImage), New: plainImage(t, record.Dynamodb.NewImage),
		}
	}
	return changes
}

func plainImage(t *testing.T, image map[string]streamtypes.AttributeValue) map[string]any {
	t.Helper()
	item, err := attributevalue.FromDynamoDBStreamsMap(image)
	if err != nil {
		t.Fatal(err)
	}
	text, err := attributevalue.MarshalMapJSON(item)
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, text)
}

func decoded(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var image map[string]any
	if err := json.Unmarshal(text, &image); err != nil {
		t.Fatal(err)
	}
	if len(image) == 0 {
		return nil
	}
	return image
}

// heardAs reads the events of the twin as Lambda would pass them on, in JSON.
func heardAs(t *testing.T, heard *[]change) func(events.DynamoDBEvent) {
	return func(event events.DynamoDBEvent) {
		text, err := json.Marshal(event)
		if err != nil {
			t.Error(err)
		}
		var read struct {
			Records []struct {
				EventName string                                             `json:"eventName"`
				Change    struct{ Keys, OldImage, NewImage json.RawMessage } `json:"dynamodb"`
			}
		}
		if err := json.Unmarshal(text, &read); err != nil {
			t.Error(err)
		}
		image := func(text json.RawMessage) map[string]any {
			if text == nil {
				return nil
			}
			return decoded(t, text)
		}
		for _, record := range read.Records {
			*heard = append(*heard, change{
				Event: record.EventName, Keys: image(record.Change.Keys),
				Old: image(record.Change.OldImage), New: image(record.Change.NewImage),
			})
		}
	}
}

func TestTwinStreamsAsDynamoDB(t *testing.T) {
	client, names := (&server{endpoint: cloudtest.Moto(t).Endpoint()}).open(t, http.DefaultTransport)
	twin, twinAccounts := memory.NewGrants(memory.Config{}), memory.NewAccounts(memory.Config{})
	var grantsHeard, accountsHeard []change
	twin.Changes(heardAs(t, &grantsHeard))
	twinAccounts.Changes(heardAs(t, &accountsHeard))
	for _, table := range []storetest.GrantsTable{store.NewGrants(client, names.Grants), twin} {
		changeGrants(t, table)
	}
	for _, table := range []storetest.AccountsTable{store.NewAccounts(client, names.Accounts), twinAccounts} {
		changeAccounts(t, table)
	}
	if diff := cmp.Diff(streamed(t, client, names.Grants), grantsHeard); diff != "" {
		t.Errorf("changes of grants (-moto +twin):\n%s", diff)
	}
	if diff := cmp.Diff(streamed(t, client, names.Accounts), accountsHeard); diff != "" {
		t.Errorf("changes of accounts (-moto +twin):\n%s", diff)
	}
}

func changeGrants(t *testing.T, table storetest.GrantsTable) {
	t.Helper()
	ctx := t.Context()
	check(t, table.PutSentinel(ctx))
	check(t, table.Put(ctx, grant.Attributes{"gateway": "*", "grant": "one", "principal": "444455556666"}, true))
	check(t, table.Put(ctx, grant.Attributes{
		"gateway": "*", "grant": "one", "principal": "o-exampleorgid", "exclude": []any{"444455556666"}, "reason": "Ελληνικά",
		"conditions": map[string]any{"sourceIp": []any{"203.0.113.0/24"}}, "odd": []any{nil, true, json.Number("4.5"), []byte("bytes")},
	}, false))
	check(t, table.Put(ctx, grant.Attributes{"gateway": "*", "grant": "two", "principal": "444455556666"}, true))
	for range 2 {
		_, err := table.Delete(ctx, grant.Key{Gateway: "*", ID: "one"})
		check(t, err)
	}
}

func changeAccounts(t *testing.T, table storetest.AccountsTable) {
	t.Helper()
	ctx := t.Context()
	check(t, table.MarkSynced(ctx, now))
	check(t, table.MarkSynced(ctx, now.Add(-time.Hour)))
	for _, account := range []directory.Account{
		reading(0, here, "first"), reading(1, here, "first"), reading(2, there, "second"), reading(1, here, "late"),
	} {
		_, err := table.Write(ctx, account)
		check(t, err)
	}
	_, err := table.Remove(ctx, "444455556666", now)
	check(t, err)
	_, err = table.Remove(ctx, "444455556666", now.Add(time.Hour))
	check(t, err)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

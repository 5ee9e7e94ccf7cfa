package store_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// made is what matters of a table that exists.
type made struct {
	Keys, Index         []string
	Stream, Billing     string
	Expiry, IndexedKeys string
}

func describe(t *testing.T, client *dynamodb.Client, name string) made {
	t.Helper()
	table, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}
	ttl, err := client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}
	names := func(schema []types.KeySchemaElement) (names []string) {
		for _, key := range schema {
			names = append(names, *key.AttributeName)
		}
		return names
	}
	is := made{Keys: names(table.Table.KeySchema), Billing: string(table.Table.BillingModeSummary.BillingMode)}
	if stream := table.Table.StreamSpecification; stream != nil && aws.ToBool(stream.StreamEnabled) {
		is.Stream = string(stream.StreamViewType)
	}
	for _, index := range table.Table.GlobalSecondaryIndexes {
		is.Index = append([]string{*index.IndexName}, names(index.KeySchema)...)
		is.IndexedKeys = strings.Join(append([]string{string(index.Projection.ProjectionType)}, index.Projection.NonKeyAttributes...), " ")
	}
	if ttl.TimeToLiveDescription.TimeToLiveStatus == types.TimeToLiveStatusEnabled {
		is.Expiry = *ttl.TimeToLiveDescription.AttributeName
	}
	return is
}

func TestTablesAreMadeOnceAndAsDesigned(t *testing.T) {
	client, names := (&server{endpoint: cloudtest.Moto(t).Endpoint()}).open(t, http.DefaultTransport)
	if err := store.Create(t.Context(), client, names); err != nil {
		t.Fatalf("creating what exists: %v", err)
	}
	want := map[string]made{
		names.Grants: {
			Keys: []string{"gateway", "grant"}, Index: []string{"byPrincipal", "principal", "gateway"},
			IndexedKeys: "KEYS_ONLY", Stream: "NEW_AND_OLD_IMAGES", Billing: "PAY_PER_REQUEST",
		},
		names.Accounts: {Keys: []string{"pk", "sk"}, Stream: "NEW_AND_OLD_IMAGES", Billing: "PAY_PER_REQUEST"},
		names.States: {
			Keys: []string{"gateway", "item"}, Index: []string{"due", "dueShard", "due"},
			IndexedKeys: "INCLUDE asked", Billing: "PAY_PER_REQUEST", Expiry: "ttl",
		},
	}
	got := make(map[string]made)
	for name := range want {
		got[name] = describe(t, client, name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

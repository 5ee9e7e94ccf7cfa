package infra

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// table is what the code relies on in a table, in CloudFormation's names, which
// are the API's.
type table struct {
	TableName, BillingMode string
	AttributeDefinitions   []struct{ AttributeName, AttributeType string }
	KeySchema              []key
	GlobalSecondaryIndexes []struct {
		IndexName  string
		KeySchema  []key
		Projection struct {
			ProjectionType   string
			NonKeyAttributes []string
		}
	}
	StreamSpecification struct{ StreamViewType string }
}

type key struct{ AttributeName, KeyType string }

func asTable(t *testing.T, definition any) table {
	t.Helper()
	raw, err := json.Marshal(definition)
	if err != nil {
		t.Fatal(err)
	}
	var parsed table
	if err := json.Unmarshal(raw, &parsed); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(parsed.AttributeDefinitions, func(a, b struct{ AttributeName, AttributeType string }) int {
		if a.AttributeName < b.AttributeName {
			return -1
		}
		return 1
	})
	return parsed
}

func TestTheTablesAreThoseThatTheCodeExpects(t *testing.T) {
	deployed := read(t, "../template.yaml").of("AWS::DynamoDB::Table")
	expected := store.Definitions(store.Names{Grants: "${Name}", Accounts: "${Name}-accounts", States: "${Name}-state"})
	if len(deployed) != len(expected) {
		t.Errorf("%d tables, want %d", len(deployed), len(expected))
	}
	for i, id := range []string{"GrantsTable", "AccountsTable", "StateTable"} {
		if diff := cmp.Diff(asTable(t, expected[i]), asTable(t, deployed[id].Properties)); diff != "" {
			t.Errorf("%s: -code +template\n%s", id, diff)
		}
	}
	if got := at(deployed["StateTable"].Properties, "TimeToLiveSpecification", "AttributeName"); got != store.AttrExpiry {
		t.Errorf("the journal expires by %v, want %s", got, store.AttrExpiry)
	}
}

func TestTheTablesOutliveMistakesAndTheStack(t *testing.T) {
	for id, table := range read(t, "../template.yaml").of("AWS::DynamoDB::Table") {
		p := table.Properties
		// A protected table would survive a first creation that fails, and block the next: make
		// deploy protects them once the stack stands.
		if table.DeletionPolicy != "RetainExceptOnCreate" || table.UpdateReplacePolicy != "Retain" || p["DeletionProtectionEnabled"] != nil ||
			at(p, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") != true || at(p, "SSESpecification", "SSEEnabled") != true {
			t.Errorf("%s may be lost", id)
		}
	}
}

func TestMakeDeployPutsSentinels(t *testing.T) {
	script, err := os.ReadFile("stack")
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]store.Item{
		"sentinel.json":         store.Sentinel(),
		"trusted-sentinel.json": store.ListSentinel(directory.TopicTrusted),
		"owner-sentinel.json":   store.ListSentinel(directory.TopicOwner),
	} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		item, err := attributevalue.UnmarshalMapJSON(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(store.PlainMap(want), store.PlainMap(item)); diff != "" {
			t.Errorf("-code +%s\n%s", file, diff)
		}
		if !strings.Contains(string(script), "--item file://infra/"+file) {
			t.Errorf("make deploy does not put %s", file)
		}
	}
}

package memory_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/store"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

const alpha = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/alpha-0123456789"

func put(t *testing.T, table *memory.Grants, id, reason string) {
	t.Helper()
	row := grant.Attributes{"gateway": alpha, "grant": id, "principal": "444455556666", "reason": reason}
	if err := table.Put(t.Context(), row, false); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, table *memory.Grants, id string) {
	t.Helper()
	if _, err := table.Delete(t.Context(), grant.Key{Gateway: alpha, ID: id}); err != nil {
		t.Fatal(err)
	}
}

// summary says what happened to which row, and to what reason.
func summary(record events.DynamoDBEventRecord) string {
	words := []string{record.EventName, record.Change.Keys["grant"].String()}
	for _, image := range []map[string]events.DynamoDBAttributeValue{record.Change.OldImage, record.Change.NewImage} {
		if image != nil {
			words = append(words, image["reason"].String())
		}
	}
	return strings.Join(words, " ")
}

func TestChangeHasTheFormOfLambda(t *testing.T) {
	table := memory.NewGrants(memory.Config{
		Name: "table", Region: "eu-west-1", Account: "999988887777",
		Now: func() time.Time { return time.Date(2026, 11, 20, 9, 0, 0, 5, time.UTC) },
	})
	put(t, table, "one", "no listener so far")
	var got []byte
	table.Changes(func(event events.DynamoDBEvent) {
		var err error
		if got, err = json.MarshalIndent(event, "", " "); err != nil {
			t.Error(err)
		}
	})
	put(t, table, "one", "b")
	want := `{"Records": [{
		"awsRegion": "eu-west-1", "eventID": "ID", "eventName": "MODIFY", "eventSource": "aws:dynamodb", "eventVersion": "1.1",
		"eventSourceARN": "arn:aws:dynamodb:eu-west-1:999988887777:table/table/stream/2026-01-01T00:00:00.000",
		"dynamodb": {
			"ApproximateCreationDateTime": 1795165200,
			"Keys": {"gateway": {"S": "` + alpha + `"}, "grant": {"S": "one"}},
			"OldImage": {"gateway": {"S": "` + alpha + `"}, "grant": {"S": "one"}, "principal": {"S": "444455556666"}, "reason": {"S": "no listener so far"}},
			"NewImage": {"gateway": {"S": "` + alpha + `"}, "grant": {"S": "one"}, "principal": {"S": "444455556666"}, "reason": {"S": "b"}},
			"SequenceNumber": "100000000000000000000002", "SizeBytes": 337, "StreamViewType": "NEW_AND_OLD_IMAGES"
		}
	}]}`
	var wanted, read events.DynamoDBEvent
	for text, event := range map[string]*events.DynamoDBEvent{want: &wanted, string(got): &read} {
		if err := json.Unmarshal([]byte(text), event); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	if len(read.Records) != 1 || len(read.Records[0].EventID) != 32 {
		t.Fatalf("want one record with an id of 32 digits, got %s", got)
	}
	read.Records[0].EventID = "ID"
	comparer := cmp.Comparer(func(a, b events.DynamoDBAttributeValue) bool {
		return a.DataType() == b.DataType() && a.String() == b.String()
	})
	if diff := cmp.Diff(wanted, read, comparer); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

func TestUnchangedItemIsNotDelivered(t *testing.T) {
	table := memory.NewGrants(memory.Config{})
	put(t, table, "one", "a")
	var got []string
	table.Changes(func(event events.DynamoDBEvent) {
		for _, record := range event.Records {
			got = append(got, summary(record))
		}
	})
	put(t, table, "one", "a")
	remove(t, table, "two")
	if err := table.Put(t.Context(), grant.Attributes{"gateway": alpha, "grant": "one", "principal": "777788889999"}, true); grant.CodeOf(err) != store.CodeGrantExists {
		t.Errorf("want code %s, got %v", store.CodeGrantExists, err)
	}
	put(t, table, "one", "b")
	put(t, table, "two", "c")
	remove(t, table, "one")
	if diff := cmp.Diff([]string{"MODIFY one a b", "INSERT two c", "REMOVE one b"}, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestListenerMayUseTheTable(t *testing.T) {
	table := memory.NewGrants(memory.Config{})
	if err := table.PutSentinel(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	table.Changes(func(event events.DynamoDBEvent) {
		for _, record := range event.Records {
			rows, err := table.All(t.Context())
			if err != nil {
				t.Error(err)
			}
			got = append(got, fmt.Sprintf("%s of %d", summary(record), len(rows)))
			if summary(record) == "INSERT one a" {
				put(t, table, "two", "b")
				put(t, table, "three", "c")
			}
		}
	})
	table.Changes(func(event events.DynamoDBEvent) {
		got = append(got, "second listener: "+summary(event.Records[0]))
	})
	put(t, table, "one", "a")
	want := []string{
		"INSERT one a of 1", "second listener: INSERT one a",
		"INSERT two b of 3", "second listener: INSERT two b",
		"INSERT three c of 3", "second listener: INSERT three c",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestStreamOrder(t *testing.T) {
	table := memory.NewGrants(memory.Config{})
	var (
		mu        sync.Mutex
		sequences []string
		last      = make(map[string]string) // reason by id, as delivered
	)
	table.Changes(func(event events.DynamoDBEvent) {
		mu.Lock()
		defer mu.Unlock()
		for _, record := range event.Records {
			sequences = append(sequences, record.Change.SequenceNumber)
			id := record.Change.Keys["grant"].String()
			if was, known := last[id]; known != (record.EventName == "MODIFY") || known && was != record.Change.OldImage["reason"].String() {
				t.Errorf("%s does not follow from %q", summary(record), was)
			}
			last[id] = record.Change.NewImage["reason"].String()
		}
	})
	const writers, writes = 8, 50
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range writes {
				put(t, table, strconv.Itoa(i%3), fmt.Sprint(w, "/", i))
			}
		})
	}
	group.Wait()
	mu.Lock()
	defer mu.Unlock()
	if len(sequences) != writers*writes || !slices.IsSorted(sequences) || len(slices.Compact(slices.Clone(sequences))) != len(sequences) {
		t.Errorf("want %d increasing sequence numbers, got %d: %v", writers*writes, len(sequences), sequences)
	}
}

func TestPrincipalOfIndexIsText(t *testing.T) {
	for name, principal := range map[string]any{"empty": "", "number": json.Number("444455556666"), "list": []any{"444455556666"}, "null": nil} {
		err := memory.NewGrants(memory.Config{}).Put(t.Context(), grant.Attributes{"gateway": alpha, "grant": "one", "principal": principal}, false)
		if grant.CodeOf(err) != store.CodeWriteFailed {
			t.Errorf("%s: DynamoDB refuses to index it, and so must the twin: got %v", name, err)
		}
	}
}

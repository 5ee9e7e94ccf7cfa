package delivery_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/delivery"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

const (
	account = "111122223333"
	region  = "us-east-1"
)

// handler is a function that keeps the payloads it was given, and answers them
// as told.
type handler struct {
	answer func(call int, payload []byte) lambda.Result

	mu       sync.Mutex
	payloads [][]byte
}

func (h *handler) Invoke(_ context.Context, payload, _ []byte) (lambda.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.payloads = append(h.payloads, payload)
	if h.answer == nil {
		return lambda.Result{Payload: []byte("null")}, nil
	}
	return h.answer(len(h.payloads), payload), nil
}

func (h *handler) given() [][]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([][]byte(nil), h.payloads...)
}

// keysGiven are the keys of the records of each batch that the function got.
func (h *handler) keysGiven(t *testing.T) [][]string {
	t.Helper()
	var batches [][]string
	for _, payload := range h.given() {
		var event events.DynamoDBEvent
		if err := json.Unmarshal(payload, &event); err != nil {
			t.Fatal(err)
		}
		var keys []string
		for i := range event.Records {
			keys = append(keys, event.Records[i].Change.Keys["id"].String())
		}
		batches = append(batches, keys)
	}
	return batches
}

// streamed is a table with a stream, and its client.
func streamed(t *testing.T) (moto *cloud.Moto, table *dynamodb.Client, streamARN string) {
	t.Helper()
	moto = cloudtest.Moto(t)
	table = dynamodb.NewFromConfig(moto.Config(account, region))
	created, err := table.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:            aws.String("rows"),
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	if err != nil {
		t.Fatal(err)
	}
	return moto, table, aws.ToString(created.TableDescription.LatestStreamArn)
}

func put(t *testing.T, table *dynamodb.Client, item map[string]types.AttributeValue) {
	t.Helper()
	if _, err := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("rows"), Item: item}); err != nil {
		t.Fatal(err)
	}
}

func row(n int) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: strconv.Itoa(n)}}
}

// eventually waits for at most 30 seconds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// deliver runs the mapping until the function was called so many times.
func deliver(t *testing.T, moto *cloud.Moto, streamARN string, function *handler, calls int) {
	t.Helper()
	stream := &delivery.DynamoDBStream{Client: dynamodbstreams.NewFromConfig(moto.Config(account, region)), ARN: streamARN}
	mapping := delivery.NewStreamMapping(stream, streamARN, function, "", delivery.StreamOptions{ReportBatchItemFailures: true}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { mapping.Run(ctx) })
	defer running.Wait()
	defer cancel()
	eventually(t, fmt.Sprintf("%d calls", calls), func() bool { return len(function.given()) >= calls })
}

func TestAStreamRecordArrivesAsLambdaWritesIt(t *testing.T) {
	moto, table, stream := streamed(t)
	put(t, table, map[string]types.AttributeValue{
		"id": &types.AttributeValueMemberS{Value: "1"},
		"n":  &types.AttributeValueMemberN{Value: "2.5"},
		"b":  &types.AttributeValueMemberB{Value: []byte("bytes")},
		"l":  &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberBOOL{Value: true}, &types.AttributeValueMemberNULL{Value: true}}},
		"m":  &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"ss": &types.AttributeValueMemberSS{Value: []string{"x"}}, "ns": &types.AttributeValueMemberNS{Value: []string{"7"}}}},
	})
	if _, err := table.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("rows"), Key: row(1)}); err != nil {
		t.Fatal(err)
	}
	function := &handler{}
	deliver(t, moto, stream, function, 1)

	var got struct{ Records []map[string]any }
	if err := json.Unmarshal(function.given()[0], &got); err != nil {
		t.Fatal(err)
	}
	image := map[string]any{
		"id": map[string]any{"S": "1"},
		"n":  map[string]any{"N": "2.5"},
		"b":  map[string]any{"B": "Ynl0ZXM="},
		"l":  map[string]any{"L": []any{map[string]any{"BOOL": true}, map[string]any{"NULL": true}}},
		"m":  map[string]any{"M": map[string]any{"ss": map[string]any{"SS": []any{"x"}}, "ns": map[string]any{"NS": []any{"7"}}}},
	}
	want := []map[string]any{
		{
			"awsRegion": "us-east-1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "eventVersion": "1.1", "eventSourceARN": stream,
			"dynamodb": map[string]any{"Keys": map[string]any{"id": map[string]any{"S": "1"}}, "NewImage": image, "SequenceNumber": "1100000000017454423009", "StreamViewType": "NEW_AND_OLD_IMAGES"},
		},
		{
			"awsRegion": "us-east-1", "eventName": "REMOVE", "eventSource": "aws:dynamodb", "eventVersion": "1.1", "eventSourceARN": stream,
			"dynamodb": map[string]any{"Keys": map[string]any{"id": map[string]any{"S": "1"}}, "OldImage": image, "SequenceNumber": "1100000000017454423010", "StreamViewType": "NEW_AND_OLD_IMAGES"},
		},
	}
	for _, record := range got.Records {
		for _, varying := range []string{"eventID"} {
			if record[varying] == "" || record[varying] == nil {
				t.Errorf("a record has no %s: %v", varying, record)
			}
			delete(record, varying)
		}
		change, _ := record["dynamodb"].(map[string]any)
		for _, varying := range []string{"ApproximateCreationDateTime", "SizeBytes"} {
			if n, ok := change[varying].(float64); !ok || n <= 0 {
				t.Errorf("%s is %v, want a positive number", varying, change[varying])
			}
			delete(change, varying)
		}
	}
	if diff := cmp.Diff(want, got.Records); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestWhatFailedComesAgainWithAllThatFollows(t *testing.T) {
	failing := func(sequence string) lambda.Result {
		return lambda.Result{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"` + sequence + `"}]}`)}
	}
	const second, third = "1100000000017454423010", "1100000000017454423011"
	all := []string{"0", "1", "2"}
	cases := map[string]struct {
		reason string
		first  lambda.Result
		want   [][]string
	}{
		"nothing failed":  {"an answer without failures is success", lambda.Result{Payload: []byte(`{"batchItemFailures":[]}`)}, [][]string{all}},
		"no answer":       {"null is success too", lambda.Result{Payload: []byte("null")}, [][]string{all}},
		"one failed":      {"the failed record is the checkpoint", failing(second), [][]string{all, {"1", "2"}}},
		"the last failed": {"what succeeded does not come again", failing(third), [][]string{all, {"2"}}},
		"two failed": {
			"the lowest sequence number counts, in whatever order they are named",
			lambda.Result{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"` + third + `"},{"itemIdentifier":"` + second + `"}]}`)},
			[][]string{all, {"1", "2"}},
		},
		"an unknown record":  {"an identifier that is not of the batch fails all of it", failing("77"), [][]string{all, all}},
		"an empty one":       {"so does an empty one", failing(""), [][]string{all, all}},
		"not a response":     {"so does an answer that cannot be read", lambda.Result{Payload: []byte(`"done"`)}, [][]string{all, all}},
		"the function fails": {"an error fails the batch", lambda.Result{FunctionError: "Unhandled", Payload: []byte(`{}`)}, [][]string{all, all}},
	}
	moto, table, stream := streamed(t)
	for n := range all {
		put(t, table, row(n))
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			function := &handler{answer: func(call int, _ []byte) lambda.Result {
				if call == 1 {
					return c.first
				}
				return lambda.Result{Payload: []byte("null")}
			}}
			deliver(t, moto, stream, function, len(c.want))
			if diff := cmp.Diff(c.want, function.keysGiven(t)); diff != "" {
				t.Errorf("%s: batches (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

func TestManyRecordsComeInBatchesOfAHundred(t *testing.T) {
	moto, table, stream := streamed(t)
	for n := range 101 {
		put(t, table, row(n))
	}
	function := &handler{}
	deliver(t, moto, stream, function, 2)
	batches := function.keysGiven(t)
	distinct := map[string]bool{}
	for _, key := range slices.Concat(batches...) {
		distinct[key] = true // a write that was tried again is two records
	}
	if len(batches[0]) != 100 || len(batches) != 2 || len(distinct) != 101 {
		t.Errorf("%d keys came in %d batches, the first of %d; want 101 in two, the first of 100", len(distinct), len(batches), len(batches[0]))
	}
}

package delivery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/delivery"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

const (
	oneStream   = "arn:aws:dynamodb:us-east-1:111122223333:table/rows/stream/2026-11-23T00:00:00.000"
	oneFunction = "arn:aws:lambda:us-east-1:111122223333:function:changes"
)

// shard is a stream in memory, of records with the keys "0", "1" and so on.
type shard struct {
	mu      sync.Mutex
	records []types.Record
	failing int // readings that fail before any succeeds
}

func (s *shard) write(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := strconv.Itoa(len(s.records))
	s.records = append(s.records, types.Record{EventName: types.OperationTypeInsert, Dynamodb: &types.StreamRecord{
		SequenceNumber: &n, ApproximateCreationDateTime: &at,
		Keys: map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: n}},
	}})
}

func (s *shard) fail(readings int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = readings
}

func (s *shard) ListStreams(_ context.Context, in *dynamodbstreams.ListStreamsInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.ListStreamsOutput, error) {
	if aws.ToString(in.TableName) != "rows" {
		return nil, fmt.Errorf("table %s is asked for", aws.ToString(in.TableName))
	}
	return &dynamodbstreams.ListStreamsOutput{Streams: []types.Stream{{StreamArn: aws.String(oneStream)}}}, nil
}

func (s *shard) DescribeStream(context.Context, *dynamodbstreams.DescribeStreamInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error) {
	return &dynamodbstreams.DescribeStreamOutput{StreamDescription: &types.StreamDescription{Shards: []types.Shard{{ShardId: aws.String("shard-1")}}}}, nil
}

func (s *shard) GetShardIterator(_ context.Context, in *dynamodbstreams.GetShardIteratorInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := 0
	switch in.ShardIteratorType {
	case types.ShardIteratorTypeLatest:
		at = len(s.records)
	case types.ShardIteratorTypeAfterSequenceNumber:
		n, err := strconv.Atoi(aws.ToString(in.SequenceNumber))
		if err != nil {
			return nil, err
		}
		at = n + 1
	}
	return &dynamodbstreams.GetShardIteratorOutput{ShardIterator: aws.String(strconv.Itoa(at))}, nil
}

func (s *shard) GetRecords(_ context.Context, in *dynamodbstreams.GetRecordsInput, _ ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing > 0 {
		s.failing--
		return nil, errors.New("no connection")
	}
	at, err := strconv.Atoi(aws.ToString(in.ShardIterator))
	if err != nil {
		return nil, err
	}
	end := min(at+int(aws.ToInt32(in.Limit)), len(s.records))
	return &dynamodbstreams.GetRecordsOutput{Records: s.records[at:end], NextShardIterator: aws.String(strconv.Itoa(end))}, nil
}

// filled has so many records, written now.
func filled(n int) *shard {
	s := &shard{}
	for range n {
		s.write(time.Now())
	}
	return s
}

func (s *shard) stream() *delivery.DynamoDBStream {
	return &delivery.DynamoDBStream{Client: s, ARN: oneStream}
}

// mapped runs the mapping for so long and returns the keys of each batch that the
// function got, which answers by what is in the batch.
func mapped(t *testing.T, s delivery.Stream, options delivery.StreamOptions, within time.Duration, answer func(keys string) (lambda.Result, error)) []string {
	t.Helper()
	var batches []string
	function := functionOf(func(payload []byte) (lambda.Result, error) {
		keys := strings.Join(keysIn(t, payload), " ")
		batches = append(batches, keys)
		return answer(keys)
	})
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	delivery.NewStreamMapping(s, oneStream, function, oneFunction, options, slog.New(slog.DiscardHandler)).Run(ctx)
	return batches
}

type functionOf func(payload []byte) (lambda.Result, error)

func (f functionOf) Invoke(_ context.Context, payload, _ []byte) (lambda.Result, error) {
	return f(payload)
}

func fine(string) (lambda.Result, error) { return lambda.Result{Payload: []byte("null")}, nil }

// failingWith fails every batch with the key.
func failingWith(key string) func(string) (lambda.Result, error) {
	return func(keys string) (lambda.Result, error) {
		if slices.Contains(strings.Fields(keys), key) {
			return lambda.Result{RequestID: "request", FunctionError: "Unhandled", Payload: []byte(`{}`)}, nil
		}
		return fine(keys)
	}
}

// reporting reports the key as failed in every batch that has it.
func reporting(key string) func(string) (lambda.Result, error) {
	return func(keys string) (lambda.Result, error) {
		if strings.Contains(" "+keys+" ", " "+key+" ") {
			return lambda.Result{RequestID: "request", Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"` + key + `"}]}`)}, nil
		}
		return fine(keys)
	}
}

func TestAMappingTriesAsItsSettingsSay(t *testing.T) {
	cases := map[string]struct {
		reason  string
		records int
		options delivery.StreamOptions
		answer  func(string) (lambda.Result, error)
		want    []string
		lost    []string // condition, first, last, records, attempts, function error
	}{
		"all is well": {
			"one batch, once", 3, delivery.StreamOptions{}, fine, []string{"0 1 2"}, nil,
		},
		"small batches": {
			"no batch is larger than BatchSize", 5, delivery.StreamOptions{BatchSize: 2}, fine, []string{"0 1", "2 3", "4"}, nil,
		},
		"filtered": {
			"records that do not match are passed over", 6,
			delivery.StreamOptions{BatchSize: 2, Filter: filter(t, `{"dynamodb":{"Keys":{"id":{"S":[{"anything-but":"3"}]}}}}`)}, fine,
			[]string{"0 1", "2", "4 5"}, nil,
		},
		"filtered altogether": {
			"a batch that nothing is left of is no batch", 4,
			delivery.StreamOptions{Filter: filter(t, `{"eventName":["REMOVE"]}`)}, fine, nil, nil,
		},
		"no retries": {
			"the whole batch is lost, and the next goes on", 3, delivery.StreamOptions{BatchSize: 2, Retries: aws.Int(0)}, failingWith("1"),
			[]string{"0 1", "2"}, []string{"RetryAttemptsExhausted 0-1 of 2 after 1 Unhandled"},
		},
		"two retries": {
			"it is tried twice more", 2, delivery.StreamOptions{Retries: aws.Int(2)}, failingWith("0"),
			[]string{"0 1", "0 1", "0 1"}, []string{"RetryAttemptsExhausted 0-1 of 2 after 3 Unhandled"},
		},
		"bisected": {
			"splitting isolates the bad record and costs no retry", 5, delivery.StreamOptions{BisectOnError: true, Retries: aws.Int(1)}, failingWith("3"),
			[]string{"0 1 2 3 4", "0 1", "2 3 4", "2", "3 4", "3", "3", "4"}, []string{"RetryAttemptsExhausted 3-3 of 1 after 2 Unhandled"},
		},
		"reported": {
			"what the function reports is where it begins again", 4, delivery.StreamOptions{ReportBatchItemFailures: true, Retries: aws.Int(1)}, reporting("2"),
			[]string{"0 1 2 3", "2 3"}, []string{"RetryAttemptsExhausted 2-3 of 2 after 2 "},
		},
		"reported and bisected": {
			"the batch is split where the function says", 4,
			delivery.StreamOptions{ReportBatchItemFailures: true, BisectOnError: true, Retries: aws.Int(1)}, reporting("2"),
			[]string{"0 1 2 3", "2 3"}, []string{"RetryAttemptsExhausted 2-3 of 2 after 2 "},
		},
		"reports that are not asked for": {
			"without ReportBatchItemFailures an answer is success", 2, delivery.StreamOptions{Retries: aws.Int(0)}, reporting("0"),
			[]string{"0 1"}, nil,
		},
	}
	sources := map[string]func(records int) delivery.Stream{
		"DynamoDB": func(records int) delivery.Stream { return filled(records).stream() },
		"memory":   inMemory,
	}
	for name, c := range cases {
		for source, stream := range sources {
			t.Run(name+", from "+source, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var lost []string
					c.options.OnFailure = func(_ context.Context, message []byte) error {
						lost = append(lost, summary(t, message))
						return errors.New("no queue") // which changes nothing
					}
					got := mapped(t, stream(c.records), c.options, time.Hour, c.answer)
					if diff := cmp.Diff(c.want, got); diff != "" {
						t.Errorf("%s: batches (-want +got):\n%s", c.reason, diff)
					}
					if diff := cmp.Diff(c.lost, lost); diff != "" {
						t.Errorf("%s: messages (-want +got):\n%s", c.reason, diff)
					}
				})
			})
		}
	}
}

func filter(t *testing.T, pattern string) delivery.Filter {
	t.Helper()
	parsed, err := delivery.ParseFilter([]string{pattern})
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// inMemory has so many records, as filled has.
func inMemory(records int) delivery.Stream {
	stream := delivery.NewMemoryStream(nil)
	for n := range records {
		id := strconv.Itoa(n)
		stream.Append(delivery.Record{EventName: "INSERT", Change: events.DynamoDBStreamRecord{
			SequenceNumber: id, ApproximateCreationDateTime: events.SecondsEpochTime{Time: time.Now()},
			Keys: map[string]events.DynamoDBAttributeValue{"id": events.NewStringAttribute(id)},
		}})
	}
	return stream
}

func summary(t *testing.T, message []byte) string {
	t.Helper()
	var m struct {
		RequestContext struct {
			Condition              string
			ApproximateInvokeCount int
		}
		ResponseContext struct{ FunctionError string }
		Batch           struct {
			Start string `json:"startSequenceNumber"`
			End   string `json:"endSequenceNumber"`
			Size  int    `json:"batchSize"`
		} `json:"DDBStreamBatchInfo"`
	}
	if err := json.Unmarshal(message, &m); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %s-%s of %d after %d %s", m.RequestContext.Condition, m.Batch.Start, m.Batch.End, m.Batch.Size,
		m.RequestContext.ApproximateInvokeCount, m.ResponseContext.FunctionError)
}

func TestTheMessageAboutDiscardedRecordsIsLambdas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var message []byte
		options := delivery.StreamOptions{Retries: aws.Int(0), OnFailure: func(_ context.Context, m []byte) error {
			message = m
			return nil
		}}
		mapped(t, filled(2).stream(), options, time.Minute, failingWith("1"))
		const want = `{"requestContext":{"requestId":"request","functionArn":"` + oneFunction + `","condition":"RetryAttemptsExhausted","approximateInvokeCount":1},` +
			`"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"version":"1.0","timestamp":"2000-01-01T00:00:00.000Z",` +
			`"DDBStreamBatchInfo":{"shardId":"shard-1","startSequenceNumber":"0","endSequenceNumber":"1",` +
			`"approximateArrivalOfFirstRecord":"2000-01-01T00:00:00Z","approximateArrivalOfLastRecord":"2000-01-01T00:00:00Z","batchSize":2,"streamArn":"` + oneStream + `"}}`
		if diff := cmp.Diff(want, string(message)); diff != "" {
			t.Errorf("message (-want +got):\n%s", diff)
		}
	})
}

func TestRecordsThatAreTooOldAreDiscarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := filled(1)
		time.Sleep(50 * time.Minute)
		s.write(time.Now())
		var lost []string
		options := delivery.StreamOptions{MaxAge: time.Hour, OnFailure: func(_ context.Context, message []byte) error {
			lost = append(lost, summary(t, message))
			return nil
		}}
		busy := func(string) (lambda.Result, error) { return lambda.Result{}, lambda.ErrThrottled }
		got := mapped(t, s.stream(), options, 2*time.Hour, busy)
		// A function that cannot be invoked spends no retries, but time passes.
		if diff := cmp.Diff([]string{"RecordAgeExceeded 0-0 of 1 after 0 ", "RecordAgeExceeded 1-1 of 1 after 0 "}, lost); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
		if last := got[len(got)-1]; got[0] != "0 1" || last != "1" {
			t.Errorf("the first batch is %q and the last %q, want both records and then the younger", got[0], last)
		}
	})
}

func TestMappingStartingPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := filled(2)
		var got []string
		function := functionOf(func(payload []byte) (lambda.Result, error) {
			got = append(got, strings.Join(keysIn(t, payload), " "))
			return fine("")
		})
		mapping := func(stream *delivery.DynamoDBStream, options delivery.StreamOptions) *delivery.StreamMapping {
			return delivery.NewStreamMapping(stream, oneStream, function, oneFunction, options, slog.New(slog.DiscardHandler))
		}
		run := func(m *delivery.StreamMapping) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			m.Run(ctx)
		}
		latest := s.stream()
		latest.FromLatest = true
		first, second := mapping(latest, delivery.StreamOptions{}), mapping(s.stream(), delivery.StreamOptions{BatchSize: 1})
		go func() {
			time.Sleep(20 * time.Second)
			s.fail(3)
			s.write(time.Now())
		}()
		run(first)
		s.write(time.Now())
		s.write(time.Now())
		second.TakeOver(first)
		run(second)
		if diff := cmp.Diff([]string{"2", "3", "4"}, got); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
	})
}

func keysIn(t *testing.T, payload []byte) []string {
	t.Helper()
	var event events.DynamoDBEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		t.Error(err)
	}
	var keys []string
	for i := range event.Records {
		keys = append(keys, event.Records[i].Change.Keys["id"].String())
	}
	return keys
}

package cloud_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// delivering has function get what two rules pick: requests from the product's
// bus, and calls to AgentCore from the default bus.
func delivering(t *testing.T, function lambda.Function) aws.Config {
	t.Helper()
	config := cloudtest.Moto(t).Config(accountA, region)
	bus := eventbridge.NewFromConfig(config)
	if _, err := bus.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("gateway-grants")}); err != nil {
		t.Fatal(err)
	}
	delivery, err := cloud.NewDelivery(t.Context(), config, accountA, "gateway-events", []cloud.Rule{
		{Name: "requests", Bus: "gateway-grants", Pattern: `{"source":["gateway-grants"],"detail-type":["Reconcile Requested"]}`},
		{Name: "calls", Bus: "default", Pattern: `{"source":["aws.bedrock-agentcore"]}`},
	}, function, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { delivery.Run(ctx) })
	t.Cleanup(running.Wait)
	t.Cleanup(cancel)
	return config
}

func publish(t *testing.T, config aws.Config, detailType string) {
	t.Helper()
	put, err := eventbridge.NewFromConfig(config).PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		EventBusName: aws.String("gateway-grants"), Source: aws.String("gateway-grants"),
		DetailType: &detailType, Detail: aws.String(`{"gateway":"g"}`),
	}}})
	if err != nil || put.FailedEntryCount > 0 {
		t.Fatalf("publishing: %v, %v", put, err)
	}
}

// queued is how many messages a queue holds.
func queued(t *testing.T, config aws.Config, queue string) string {
	t.Helper()
	client := sqs.NewFromConfig(config)
	url, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &queue})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll}})
	if err != nil {
		t.Fatal(err)
	}
	return got.Attributes["ApproximateNumberOfMessages"] + " waiting, " + got.Attributes["ApproximateNumberOfMessagesNotVisible"] + " hidden"
}

func TestAFunctionGetsTheEventsThatItsRulesPick(t *testing.T) {
	function := &handler{}
	config := delivering(t, function)
	publish(t, config, "Policy Applied")
	publish(t, config, "Reconcile Requested")
	eventually(t, "an event", func() bool { return len(function.given()) > 0 })

	var event map[string]any
	if err := json.Unmarshal(function.given()[0], &event); err != nil {
		t.Fatal(err)
	}
	for _, varying := range []string{"id", "time"} {
		if event[varying] == nil || event[varying] == "" {
			t.Errorf("the event has no %s", varying)
		}
		delete(event, varying)
	}
	want := map[string]any{
		"version": "0", "source": "gateway-grants", "detail-type": "Reconcile Requested", "account": accountA, "region": region,
		"resources": []any{}, "detail": map[string]any{"gateway": "g"},
	}
	if diff := cmp.Diff(want, event); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	eventually(t, "nothing is left to do", func() bool { return queued(t, config, "gateway-events") == "0 waiting, 0 hidden" })
	if n := len(function.given()); n != 1 {
		t.Errorf("the function got %d events, want 1", n)
	}
}

func TestAnEventThatFailsIsTriedTwiceMoreAndKept(t *testing.T) {
	function := &handler{answer: func(int, []byte) lambda.Result {
		return lambda.Result{FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"no"}`)}
	}}
	config := delivering(t, function)
	publish(t, config, "Reconcile Requested")
	eventually(t, "the event among the dead", func() bool { return queued(t, config, "gateway-events-dead") == "1 waiting, 0 hidden" })
	if n := len(function.given()); n != 3 {
		t.Errorf("the function got it %d times, want 3", n)
	}
}

func TestAChangeInAgentCoreComesAsACloudTrailEvent(t *testing.T) {
	function := &handler{}
	config := delivering(t, function)
	trail := cloud.Trail{
		Bus: func(string) *eventbridge.Client { return eventbridge.NewFromConfig(config) },
		Log: slog.New(slog.DiscardHandler),
	}
	const gateway = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij"
	trail.Record(model.Change{
		Event:  "DeleteResourcePolicy",
		Time:   time.Date(2026, 11, 23, 4, 5, 6, 0, time.UTC),
		Region: region, Gateway: gateway,
		Caller: model.Caller{
			Account: accountA, ARN: "arn:aws:sts::111122223333:assumed-role/AdminRole/session", UserID: "AROAEXAMPLE:session", UserAgent: "aws-cli/1.45.17",
		},
		Request: map[string]any{"resourceArn": gateway},
	})
	eventually(t, "an event", func() bool { return len(function.given()) > 0 })

	var event struct {
		Source, Account, Time string
		Type                  string `json:"detail-type"`
		Detail                map[string]any
	}
	if err := json.Unmarshal(function.given()[0], &event); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join([]string{event.Source, event.Type, event.Account, event.Time}, " | "), "aws.bedrock-agentcore | AWS API Call via CloudTrail | 111122223333 | 2026-11-23T04:05:06Z"; got != want {
		t.Errorf("envelope: got %s, want %s", got, want)
	}
	for _, varying := range []string{"eventID", "requestID"} {
		if event.Detail[varying] == "" {
			t.Errorf("the record has no %s", varying)
		}
		delete(event.Detail, varying)
	}
	want := map[string]any{
		"eventVersion": "1.11", "eventTime": "2026-11-23T04:05:06Z", "eventSource": "bedrock-agentcore.amazonaws.com", "eventName": "DeleteResourcePolicy",
		"awsRegion": region, "sourceIPAddress": "127.0.0.1", "userAgent": "aws-cli/1.45.17",
		"userIdentity": map[string]any{
			"type": "AssumedRole", "principalId": "AROAEXAMPLE:session", "accountId": accountA,
			"arn": "arn:aws:sts::111122223333:assumed-role/AdminRole/session",
		},
		"requestParameters": map[string]any{"resourceArn": gateway}, "responseElements": nil,
		"readOnly": false, "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": accountA, "eventCategory": "Management",
	}
	if diff := cmp.Diff(want, event.Detail); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestAScheduleInvokesAtOnceAndThenAtItsRate(t *testing.T) {
	function := &handler{}
	schedule := cloud.Schedule{
		Name: "sweep", Input: []byte(`{"sweep":"due"}`), Every: 10 * time.Millisecond,
		Function: function, Log: slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { schedule.Run(ctx) })
	eventually(t, "three calls", func() bool { return len(function.given()) >= 3 })
	cancel()
	running.Wait()

	if got, want := string(function.given()[0]), `{"sweep":"due"}`; got != want {
		t.Errorf("the function got %s, want %s", got, want)
	}
}

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

package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// town is a local cloud: moto behind a front that authorizes everybody, and a
// runner of what is deployed there.
type town struct {
	*Runner
	config aws.Config // of moto itself, as an admin of the account
	log    *lockedBuffer

	mu      sync.Mutex
	decided []string // caller, action, resource, outcome
}

func newTown(t *testing.T) *town {
	t.Helper()
	front, events := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	python := cloudtest.Python(t)
	moto, err := cloud.StartMoto(t.Context(), cloud.Options{
		Python: python, Log: filepath.Join(t.TempDir(), "moto.log"), Events: "http://" + events.Listener.Addr().String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := moto.Stop(); err != nil {
			t.Error(err)
		}
	})
	town := &town{config: moto.Config(account, "us-east-1"), log: &lockedBuffer{}}
	log := slog.New(slog.NewTextHandler(town.log, nil))
	identities := cloud.NewIdentities(moto, "us-east-1", "", []string{account}, time.Now)
	verifier := &sigv4.Verifier{Keys: identities, Now: time.Now}
	decider := iam.Decider{Policies: identities, Record: town.record}
	upstream, err := cloud.NewUpstream(moto, verifier, identities)
	if err != nil {
		t.Fatal(err)
	}
	town.Runner = New(Options{
		Source: moto, Sessions: identities, Endpoint: "http://" + front.Listener.Addr().String(), Queues: moto.Config,
		Record: town.record, Python: python, Code: filepath.Join(t.TempDir(), "code"), Logs: t.TempDir(), Log: log, Now: time.Now,
	})
	upstream.Decider, upstream.TableWritten, upstream.Redeployed = &decider, town.TableWritten, town.Redeployed
	front.Config.Handler = &cloud.Front{
		Services: map[string]http.Handler{"lambda": &lambda.API{Verifier: verifier, Decider: decider, Functions: town.Runner}},
		Rest:     upstream,
	}
	events.Config.Handler = town.Events()
	front.Start()
	events.Start()
	t.Cleanup(front.Close)
	t.Cleanup(events.Close)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { town.Run(ctx) })
	t.Cleanup(running.Wait)
	t.Cleanup(cancel)
	return town
}

func (w *town) record(call policy.Call, decision policy.Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decided = append(w.decided, fmt.Sprintf("%s %s %s %t", call.Caller, call.Action, call.Resource, decision.Allowed))
}

// did says that a call with such a beginning and end was decided.
func (w *town) did(beginning, end string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.decided {
		if strings.Contains(line, beginning) && strings.HasSuffix(line, end) {
			return true
		}
	}
	return false
}

func (w *town) role(t *testing.T, name, service, actions string) string {
	t.Helper()
	client := awsiam.NewFromConfig(w.config)
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`
	made, err := client.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	if err != nil {
		t.Fatal(err)
	}
	document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` + actions + `],"Resource":"*"}]}`
	if _, err := client.PutRolePolicy(t.Context(), &awsiam.PutRolePolicyInput{RoleName: &name, PolicyName: &name, PolicyDocument: &document}); err != nil {
		t.Fatal(err)
	}
	return aws.ToString(made.Role.Arn)
}

// deploy makes a function whose role may do what is named, and gives its ARN.
func (w *town) deploy(t *testing.T, name, runtime, handler string, code []byte, actions string) string {
	t.Helper()
	made, err := awslambda.NewFromConfig(w.config).CreateFunction(t.Context(), &awslambda.CreateFunctionInput{
		FunctionName: &name, Runtime: types.Runtime(runtime), Handler: &handler, Timeout: aws.Int32(30),
		Role: aws.String(w.role(t, name, "lambda.amazonaws.com", actions)), Code: &types.FunctionCode{ZipFile: code},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Redeployed()
	return aws.ToString(made.FunctionArn)
}

func (w *town) queue(t *testing.T, name, document string) (arn string) {
	t.Helper()
	attributes := map[string]string{}
	if document != "" {
		attributes["Policy"] = document
	}
	if _, err := sqs.NewFromConfig(w.config).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes}); err != nil {
		t.Fatal(err)
	}
	return "arn:aws:sqs:us-east-1:" + account + ":" + name
}

// received waits for the first message of a queue.
func (w *town) received(t *testing.T, arn string) (body string, attributes map[string]string) {
	t.Helper()
	client := sqs.NewFromConfig(w.config)
	eventually(t, "a message in "+arn, func() bool {
		got, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: queueURL(aws.ToString(w.config.BaseEndpoint), parseARN(arn)), MessageAttributeNames: []string{"All"},
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range got.Messages {
			body, attributes = aws.ToString(got.Messages[i].Body), map[string]string{}
			for name, value := range got.Messages[i].MessageAttributes {
				attributes[name] = aws.ToString(value.StringValue)
			}
		}
		return len(got.Messages) > 0
	})
	return body, attributes
}

// raw makes a call that moto serves, of a service that the tests have no client of.
func (w *town) raw(t *testing.T, path, target string, input any) (answer string) {
	t.Helper()
	body, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, aws.ToString(w.config.BaseEndpoint)+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	service := "scheduler"
	if target != "" {
		service = "logs"
		request.Header.Set("X-Amz-Target", target)
		request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	}
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=SANDBOX/20261123/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	response, err := w.config.HTTPClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var text bytes.Buffer
	_, _ = text.ReadFrom(response.Body)
	return text.String()
}

// logged is what CloudWatch Logs has of a function.
func (w *town) logged(t *testing.T, name string) string {
	t.Helper()
	return w.raw(t, "/", "Logs_20140328.FilterLogEvents", map[string]any{"logGroupName": "/aws/lambda/" + name})
}

const (
	logging   = `"logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"`
	streaming = `"dynamodb:ListStreams","dynamodb:DescribeStream","dynamodb:GetShardIterator","dynamodb:GetRecords"`
)

func TestDeployedFunctionsOnMoto(t *testing.T) {
	w := newTown(t)
	t.Run("what is printed reaches CloudWatch Logs in the function's role", func(t *testing.T) {
		code := archive(t, entry{"app.py", 0o644, []byte("def handler(event, context):\n    print('hello from', context.function_name)\n    return event")})
		arn := w.deploy(t, "talking", "python3.12", "app.handler", code, logging)
		if got := w.invoked(t, arn, `{"a":1}`); got != `{"a": 1}` {
			t.Errorf("it answers %s", got)
		}
		eventually(t, "its log", func() bool { return strings.Contains(w.logged(t, "talking"), "hello from talking") })
		if !w.did("assumed-role/talking/talking logs:PutLogEvents", "true") {
			t.Error("no policy decided on logs:PutLogEvents of the function's role")
		}
	})
	t.Run("without permissions its log is lost and the call is not", func(t *testing.T) {
		arn := w.deploy(t, "silent", "provided.al2023", "bootstrap", theFunction(t), `"s3:GetObject"`)
		w.invoked(t, arn, `{"do":"print","message":"unheard"}`)
		eventually(t, "it is said", func() bool { return strings.Contains(w.log.String(), "log events lost") })
	})
	t.Run("a failed asynchronous call is sent in the function's role", func(t *testing.T) {
		arn := w.deploy(t, "failing", "provided.al2023", "bootstrap", theFunction(t), logging+`,"sqs:SendMessage"`)
		lost := w.queue(t, "lost-calls", "")
		_, err := awslambda.NewFromConfig(w.config).PutFunctionEventInvokeConfig(t.Context(), &awslambda.PutFunctionEventInvokeConfigInput{
			FunctionName: &arn, MaximumRetryAttempts: aws.Int32(0), DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: &lost}},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Redeployed()
		w.queueCall(t, arn, `{"do":"error","message":"asked to"}`)
		if body, _ := w.received(t, lost); !strings.Contains(body, `"condition":"RetriesExhausted"`) || !strings.Contains(body, "asked to") {
			t.Errorf("message %s", body)
		}
		if !w.did("assumed-role/failing/failing sqs:SendMessage "+lost, "true") {
			t.Error("no policy decided on sqs:SendMessage of the function's role")
		}
	})
	t.Run("a mapping reads its stream in the function's role", func(t *testing.T) { readsItsStream(t, w) })
	t.Run("a rule calls a function that permits it, or the event is kept", func(t *testing.T) { callsByRule(t, w) })
	t.Run("a rule sends to a queue that permits it, and a mapping reads that in the function's role", func(t *testing.T) { callsByQueue(t, w) })
	t.Run("a schedule calls a function in its own role", func(t *testing.T) { callsBySchedule(t, w) })
}

func (w *town) invoked(t *testing.T, arn, payload string) string {
	t.Helper()
	f, err := w.Function(t.Context(), arn)
	if err != nil {
		t.Fatal(err)
	}
	result, err := f.Invoke(t.Context(), []byte(payload), nil)
	if err != nil || result.FunctionError != "" {
		t.Fatalf("%s: %v, %s", arn, err, result.Payload)
	}
	return string(result.Payload)
}

func (w *town) queueCall(t *testing.T, arn, payload string) {
	t.Helper()
	f, err := w.find(t.Context(), arn)
	if err != nil {
		t.Fatal(err)
	}
	f.Queue([]byte(payload))
}

func readsItsStream(t *testing.T, w *town) {
	t.Helper()
	code := archive(t, entry{"app.py", 0o644, []byte("def handler(event, context):\n    print('keys', [r['dynamodb']['Keys']['id']['S'] for r in event['Records']])")})
	arn := w.deploy(t, "reading", "python3.12", "app.handler", code, logging+","+streaming)
	table := dynamodb.NewFromConfig(w.config)
	made, err := table.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("rows"), BillingMode: dynamotypes.BillingModePayPerRequest,
		AttributeDefinitions: []dynamotypes.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: dynamotypes.ScalarAttributeTypeS}},
		KeySchema:            []dynamotypes.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: dynamotypes.KeyTypeHash}},
		StreamSpecification:  &dynamotypes.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: dynamotypes.StreamViewTypeNewAndOldImages},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"ACCOUNT#1", "OU#2", "ACCOUNT#3"} {
		item := map[string]dynamotypes.AttributeValue{"id": &dynamotypes.AttributeValueMemberS{Value: id}}
		if _, err := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("rows"), Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = awslambda.NewFromConfig(w.config).CreateEventSourceMapping(t.Context(), &awslambda.CreateEventSourceMappingInput{
		FunctionName: &arn, EventSourceArn: made.TableDescription.LatestStreamArn, StartingPosition: types.EventSourcePositionTrimHorizon,
		FilterCriteria: &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String(`{"dynamodb":{"Keys":{"id":{"S":[{"prefix":"ACCOUNT#"}]}}}}`)}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Redeployed()
	eventually(t, "the records", func() bool { return strings.Contains(w.logged(t, "reading"), "keys ['ACCOUNT#1', 'ACCOUNT#3']") })
	for _, action := range []string{"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"} {
		if !w.did("assumed-role/reading/reading dynamodb:"+action, "true") {
			t.Errorf("no policy decided on dynamodb:%s of the function's role", action)
		}
	}
}

func callsByRule(t *testing.T, w *town) {
	t.Helper()
	arn := w.deploy(t, "called", "provided.al2023", "bootstrap", theFunction(t), logging)
	rule := "arn:aws:events:us-east-1:" + account + ":rule/picks"
	lost := w.queue(t, "lost-events", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage",`+
		`"Resource":"arn:aws:sqs:us-east-1:`+account+`:lost-events","Condition":{"ArnEquals":{"aws:SourceArn":"`+rule+`"}}}]}`)
	bus := eventbridge.NewFromConfig(w.config)
	if _, err := bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("picks"), EventPattern: aws.String(`{"source":["test"]}`)}); err != nil {
		t.Fatal(err)
	}
	put, err := bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("picks"), Targets: []eventtypes.Target{{
		Id: aws.String("function"), Arn: &arn, InputPath: aws.String("$.detail"), DeadLetterConfig: &eventtypes.DeadLetterConfig{Arn: &lost},
	}}})
	if err != nil || put.FailedEntryCount > 0 {
		t.Fatal(err, put)
	}
	publish := func(message string) {
		t.Helper()
		put, err := bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{{
			Source: aws.String("test"), DetailType: aws.String("Test"), Detail: aws.String(`{"do":"print","message":"` + message + `"}`),
		}}})
		if err != nil || put.FailedEntryCount > 0 {
			t.Fatal(err, put)
		}
	}
	publish("too early")
	body, attributes := w.received(t, lost)
	if !strings.Contains(body, "too early") {
		t.Errorf("message %s", body)
	}
	want := map[string]string{
		"RULE_ARN": rule, "TARGET_ARN": arn, "ERROR_CODE": "NO_PERMISSIONS", "RETRY_ATTEMPTS": "0",
		"ERROR_MESSAGE": "The resource policy of " + arn + " does not let events.amazonaws.com invoke it for " + rule,
	}
	if diff := cmp.Diff(want, attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}

	_, err = awslambda.NewFromConfig(w.config).AddPermission(t.Context(), &awslambda.AddPermissionInput{
		FunctionName: &arn, StatementId: aws.String("rule"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("events.amazonaws.com"), SourceArn: &rule,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Redeployed()
	publish("in time")
	eventually(t, "the event", func() bool { return strings.Contains(w.logged(t, "called"), "in time") })
}

func callsByQueue(t *testing.T, w *town) {
	t.Helper()
	code := archive(t, entry{"app.py", 0o644, []byte("import json\n" +
		"def handler(event, context):\n    for r in event['Records']: print('got', json.loads(r['body'])['detail'], 'time', r['attributes']['ApproximateReceiveCount'])")})
	arn := w.deploy(t, "queued", "python3.12", "app.handler", code, logging+`,"sqs:ReceiveMessage","sqs:DeleteMessage","sqs:GetQueueAttributes"`)
	rule := "arn:aws:events:us-east-1:" + account + ":rule/queues"
	queue := w.queue(t, "events", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage",`+
		`"Resource":"arn:aws:sqs:us-east-1:`+account+`:events","Condition":{"ArnEquals":{"aws:SourceArn":"`+rule+`"}}}]}`)
	bus, functions := eventbridge.NewFromConfig(w.config), awslambda.NewFromConfig(w.config)
	if _, err := bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("queues"), EventPattern: aws.String(`{"source":["queued"]}`)}); err != nil {
		t.Fatal(err)
	}
	put, err := bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("queues"), Targets: []eventtypes.Target{{Id: aws.String("queue"), Arn: &queue}}})
	if err != nil || put.FailedEntryCount > 0 {
		t.Fatal(err, put)
	}
	mapping := &awslambda.CreateEventSourceMappingInput{
		FunctionName: &arn, EventSourceArn: &queue, BatchSize: aws.Int32(1), ScalingConfig: &types.ScalingConfig{MaximumConcurrency: aws.Int32(1)},
	}
	if _, err := functions.CreateEventSourceMapping(t.Context(), mapping); err == nil || !strings.Contains(err.Error(), "between 2 and 1000") {
		t.Errorf("a maximum concurrency of one: want AWS's refusal, got %v", err)
	}
	mapping.ScalingConfig.MaximumConcurrency = aws.Int32(2)
	if _, err := functions.CreateEventSourceMapping(t.Context(), mapping); err != nil {
		t.Fatal(err)
	}
	w.Redeployed()
	_, err = bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{{
		Source: aws.String("queued"), DetailType: aws.String("Test"), Detail: aws.String(`{"n":1}`),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the event, received once", func() bool { return strings.Contains(w.logged(t, "queued"), "got {'n': 1} time 1") })
	for _, action := range []string{"GetQueueAttributes", "ReceiveMessage", "DeleteMessage"} {
		eventually(t, action, func() bool { return w.did("assumed-role/queued/queued sqs:"+action, "true") })
	}
	if !w.did("events.amazonaws.com sqs:SendMessage "+queue, "true") {
		t.Error("no decision on sqs:SendMessage of EventBridge")
	}
}

func callsBySchedule(t *testing.T, w *town) {
	t.Helper()
	arn := w.deploy(t, "scheduled", "provided.al2023", "bootstrap", theFunction(t), logging)
	w.raw(t, "/schedules/often", "", map[string]any{
		"ScheduleExpression": "rate(1 minute)", "FlexibleTimeWindow": map[string]any{"Mode": "OFF"},
		"Target": map[string]any{
			"Arn": arn, "RoleArn": w.role(t, "schedules", "scheduler.amazonaws.com", `"lambda:InvokeFunction"`),
			"Input": `{"do":"print","message":"due at <aws.scheduler.scheduled-time>"}`,
		},
	})
	w.Redeployed()
	eventually(t, "the call", func() bool { return strings.Contains(w.logged(t, "scheduled"), "due at 20") })
	if !w.did("assumed-role/schedules/", "lambda:InvokeFunction "+arn+" true") {
		t.Error("no policy decided on lambda:InvokeFunction of the schedule's role")
	}
}

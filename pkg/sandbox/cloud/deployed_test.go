package cloud_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

const (
	workerARN = "arn:aws:lambda:us-east-1:111122223333:function:worker"
	queueARN  = "arn:aws:sqs:us-east-1:111122223333:lost"
)

// deployWorker makes a function in account A, and says what its zip is.
func deployWorker(t *testing.T, config aws.Config) []byte {
	t.Helper()
	role, err := awsiam.NewFromConfig(config).CreateRole(t.Context(), &awsiam.CreateRoleInput{
		RoleName:                 aws.String("worker"),
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	var code bytes.Buffer
	archive := zip.NewWriter(&code)
	if file, err := archive.Create("bootstrap"); err != nil {
		t.Fatal(err)
	} else if _, err := file.Write([]byte("#!/bin/sh\n")); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = lambda.NewFromConfig(config).CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName:  aws.String("worker"),
		Role:          role.Role.Arn,
		Runtime:       types.RuntimeProvidedal2023,
		Handler:       aws.String("bootstrap"),
		Architectures: []types.Architecture{types.ArchitectureArm64},
		Timeout:       aws.Int32(120),
		MemorySize:    aws.Int32(512),
		Environment:   &types.Environment{Variables: map[string]string{"TABLE": "grants"}},
		LoggingConfig: &types.LoggingConfig{LogFormat: types.LogFormatJson, LogGroup: aws.String("/the/log")},
		Code:          &types.FunctionCode{ZipFile: code.Bytes()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return code.Bytes()
}

func TestDeployedIsListedInFull(t *testing.T) {
	moto := cloudtest.Moto(t)
	config := moto.Config(accountA, region)
	code := deployWorker(t, config)
	functions := lambda.NewFromConfig(config)
	if _, err := functions.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String("worker"), ReservedConcurrentExecutions: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	for _, retries := range []int32{0, 2} { // the later one holds
		_, err := functions.PutFunctionEventInvokeConfig(t.Context(), &lambda.PutFunctionEventInvokeConfigInput{
			FunctionName: aws.String("worker"), MaximumRetryAttempts: &retries, MaximumEventAgeInSeconds: aws.Int32(300),
			DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String(queueARN)}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := functions.AddPermission(t.Context(), &lambda.AddPermissionInput{
		FunctionName: aws.String("worker"), StatementId: aws.String("rule"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("events.amazonaws.com"), SourceArn: aws.String("arn:aws:events:us-east-1:111122223333:rule/r"),
	}); err != nil {
		t.Fatal(err)
	}
	stream := streamedTable(t, config)
	mapping, err := functions.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("worker"), EventSourceArn: &stream, StartingPosition: types.EventSourcePositionTrimHorizon,
		BatchSize: aws.Int32(7), BisectBatchOnFunctionError: aws.Bool(true), MaximumRetryAttempts: aws.Int32(0),
		FunctionResponseTypes: []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures},
		FilterCriteria:        &types.FilterCriteria{Filters: []types.Filter{{Pattern: aws.String(`{"eventName":["INSERT"]}`)}}},
		DestinationConfig:     &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String(queueARN)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	schedule(t, moto, `{"ScheduleExpression":"rate(1 minute)","FlexibleTimeWindow":{"Mode":"OFF"},"State":"DISABLED","Target":{
		"Arn":"`+workerARN+`","RoleArn":"arn:aws:iam::111122223333:role/worker","Input":"{}",
		"RetryPolicy":{"MaximumRetryAttempts":3,"MaximumEventAgeInSeconds":60},"DeadLetterConfig":{"Arn":"`+queueARN+`"}}}`)

	got, err := moto.Deployed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if policy := string(got.Functions[0].Policy); !strings.Contains(policy, `"Sid": "rule"`) || !strings.Contains(policy, "rule/r") {
		t.Errorf("the resource policy is %s", policy)
	}
	got.Functions[0].Policy = nil
	sum := sha256.Sum256(code)
	want := cloud.Deployed{
		Functions: []cloud.DeployedFunction{{
			ARN: workerARN, Role: "arn:aws:iam::111122223333:role/worker", Runtime: "provided.al2023", Handler: "bootstrap", Architecture: "arm64",
			Timeout: 120, Memory: 512, Reserved: aws.Int(0), Environment: map[string]string{"TABLE": "grants"},
			LogGroup: "/the/log", LogFormat: "JSON", Code: base64.StdEncoding.EncodeToString(sum[:]),
			Async: cloud.AsyncSettings{Retries: aws.Int(2), MaxAge: aws.Int(300), OnFailure: queueARN},
		}},
		Mappings: []cloud.DeployedMapping{{
			UUID: *mapping.UUID, Function: workerARN, Source: stream, Enabled: true, StartingPosition: "TRIM_HORIZON", BatchSize: 7,
			BisectOnError: true, ReportBatchItemFailures: true, Retries: 0, MaxAge: -1, OnFailure: queueARN, Filters: []string{`{"eventName":["INSERT"]}`},
		}},
		Schedules: []cloud.DeployedSchedule{{
			ARN: "arn:aws:scheduler:us-east-1:111122223333:schedule/default/s", Expression: "rate(1 minute)", Timezone: "UTC",
			Target: workerARN, Role: "arn:aws:iam::111122223333:role/worker", Input: "{}", Retries: aws.Int(3), MaxAge: aws.Int(60), DeadLetter: queueARN,
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got, err := moto.Code(t.Context(), workerARN); err != nil || !bytes.Equal(got, code) {
		t.Errorf("the code is %d bytes (%v), want %d", len(got), err, len(code))
	}
	if _, err := moto.Code(t.Context(), workerARN+"-2"); err == nil || !strings.Contains(err.Error(), "there is no function") {
		t.Errorf("an unknown function's code: %v", err)
	}
}

// schedule makes a schedule named s in account A.
func schedule(t *testing.T, moto *cloud.Moto, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, moto.Endpoint()+"/schedules/s", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=SANDBOX/20260101/us-east-1/scheduler/aws4_request, SignedHeaders=host, Signature=0")
	request.Header.Set("X-Moto-Account-Id", accountA)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if said, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s (%v)", answer.Status, said, err)
	}
}

// streamedTable makes a table in account A and answers with its stream.
func streamedTable(t *testing.T, config aws.Config) string {
	t.Helper()
	made, err := dynamodb.NewFromConfig(config).CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("grants"), BillingMode: dynamotypes.BillingModePayPerRequest,
		AttributeDefinitions: []dynamotypes.AttributeDefinition{{AttributeName: aws.String("gateway"), AttributeType: dynamotypes.ScalarAttributeTypeS}},
		KeySchema:            []dynamotypes.KeySchemaElement{{AttributeName: aws.String("gateway"), KeyType: dynamotypes.KeyTypeHash}},
		StreamSpecification:  &dynamotypes.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: dynamotypes.StreamViewTypeNewAndOldImages},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *made.TableDescription.LatestStreamArn
}

// Moto would run the function in Docker on every write, and fail the write.
func TestMotoRunsNoFunctionItself(t *testing.T) {
	config := cloudtest.Moto(t).Config(accountA, region)
	deployWorker(t, config)
	stream := streamedTable(t, config)
	_, err := lambda.NewFromConfig(config).CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{
		FunctionName: aws.String("worker"), EventSourceArn: &stream, StartingPosition: types.EventSourcePositionTrimHorizon,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = dynamodb.NewFromConfig(config).PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String("grants"), Item: map[string]dynamotypes.AttributeValue{"gateway": &dynamotypes.AttributeValueMemberS{Value: "g"}},
	})
	if err != nil {
		t.Error(err)
	}
}

// matched collects what moto posts, refusing the first post.
func matched(t *testing.T) (url string, matches <-chan cloud.RuleMatch) {
	t.Helper()
	got := make(chan cloud.RuleMatch, 10)
	refused := false
	var posts http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
		if !refused {
			refused = true
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var match cloud.RuleMatch
		if err := json.NewDecoder(r.Body).Decode(&match); err != nil {
			t.Error(err)
		}
		got <- match
	}
	server := httptest.NewServer(posts)
	t.Cleanup(server.Close)
	return server.URL, got
}

func TestMatchedEventReachesTarget(t *testing.T) {
	url, matches := matched(t)
	config := cloudtest.MotoWith(t, cloud.Options{Events: url}).Config(accountA, region)
	deployWorker(t, config)
	bus := eventbridge.NewFromConfig(config)
	cases := map[string]struct {
		reason string
		target eventtypes.Target
		want   string
	}{
		"whole": {
			reason: "every field that EventBridge sends, the account included",
			want:   `{"version":"0","id":"ID","detail-type":"whole","source":"test","account":"111122223333","time":"2026-01-02T03:04:05Z","region":"us-east-1","resources":["arn:r"],"detail":{"name":"n"}}`,
		},
		"constant": {reason: "Input replaces the event", target: eventtypes.Target{Input: aws.String(`{"sweep": "due"}`)}, want: `{"sweep":"due"}`},
		"part":     {reason: "InputPath picks a part", target: eventtypes.Target{InputPath: aws.String("$.detail")}, want: `{"name":"n"}`},
		"transformed": {reason: "InputTransformer writes another", target: eventtypes.Target{InputTransformer: &eventtypes.InputTransformer{
			InputPathsMap: map[string]string{"n": "$.detail.name"}, InputTemplate: aws.String(`{"is": "<n>"}`),
		}}, want: `{"is":"n"}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.target.Id, c.target.Arn = aws.String("function"), aws.String(workerARN)
			c.target.RetryPolicy = &eventtypes.RetryPolicy{MaximumRetryAttempts: aws.Int32(185), MaximumEventAgeInSeconds: aws.Int32(21600)}
			c.target.DeadLetterConfig = &eventtypes.DeadLetterConfig{Arn: aws.String(queueARN)}
			rule := putRule(t, bus, name, "default", `{"detail-type":["`+name+`"]}`, c.target)
			put, err := bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{{
				Source: aws.String("test"), DetailType: &name, Detail: aws.String(`{"name":"n"}`), Resources: []string{"arn:r"},
				Time: aws.Time(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
			}}})
			if err != nil {
				t.Fatal(err)
			}
			want := cloud.RuleMatch{Rule: rule, Target: workerARN, Retries: aws.Int(185), MaxAge: aws.Int(21600), DeadLetter: queueARN}
			got := next(t, matches)
			var event, wanted any
			if err := json.Unmarshal(got.Event, &event); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(strings.ReplaceAll(c.want, "ID", *put.Entries[0].EventId)), &wanted); err != nil {
				t.Fatal(err)
			}
			got.Event = nil
			if diff := cmp.Diff([]any{want, wanted}, []any{got, event}); diff != "" {
				t.Errorf("%s: -want +got\n%s", c.reason, diff)
			}
		})
	}
}

func TestUnmatchedEventReachesNoTarget(t *testing.T) {
	url, matches := matched(t)
	config := cloudtest.MotoWith(t, cloud.Options{Events: url}).Config(accountA, region)
	bus := eventbridge.NewFromConfig(config)
	target := eventtypes.Target{Id: aws.String("function"), Arn: aws.String(workerARN)}
	putRule(t, bus, "other", "default", `{"source":["other"]}`, target)
	putRule(t, bus, "disabled", "default", `{"source":["test"]}`, target)
	if _, err := bus.DisableRule(t.Context(), &eventbridge.DisableRuleInput{Name: aws.String("disabled")}); err != nil {
		t.Fatal(err)
	}
	last := putRule(t, bus, "last", "default", `{"source":["test"]}`, target)
	putEvent(t, bus)
	if got := next(t, matches); got.Rule != last {
		t.Errorf("%s handed over an event", got.Rule)
	}
}

// A rule tells by the account whether an event is its own or was forwarded.
func TestForwardedEventKeepsItsAccount(t *testing.T) {
	url, matches := matched(t)
	moto := cloudtest.MotoWith(t, cloud.Options{Events: url})
	here, there := eventbridge.NewFromConfig(moto.Config(accountA, region)), eventbridge.NewFromConfig(moto.Config(accountB, "eu-west-1"))
	made, err := here.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("hub")})
	if err != nil {
		t.Fatal(err)
	}
	putRule(t, here, "foreign", "hub", `{"account":["`+accountB+`"]}`, eventtypes.Target{Id: aws.String("function"), Arn: aws.String(workerARN)})
	putRule(t, there, "forward", "default", `{"source":["test"]}`, eventtypes.Target{Id: aws.String("hub"), Arn: made.EventBusArn})
	putEvent(t, there)
	var event struct{ Account, Region string }
	if err := json.Unmarshal(next(t, matches).Event, &event); err != nil {
		t.Fatal(err)
	}
	if event.Account != accountB || event.Region != "eu-west-1" {
		t.Errorf("it says it is from %s in %s", event.Account, event.Region)
	}
}

func putRule(t *testing.T, bus *eventbridge.Client, name, on, pattern string, target eventtypes.Target) (arn string) {
	t.Helper()
	put, err := bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: &name, EventBusName: &on, EventPattern: &pattern})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: &name, EventBusName: &on, Targets: []eventtypes.Target{target}}); err != nil {
		t.Fatal(err)
	}
	return *put.RuleArn
}

func putEvent(t *testing.T, bus *eventbridge.Client) {
	t.Helper()
	_, err := bus.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{{
		Source: aws.String("test"), DetailType: aws.String("something"), Detail: aws.String(`{}`),
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, matches <-chan cloud.RuleMatch) cloud.RuleMatch {
	t.Helper()
	select {
	case match := <-matches:
		return match
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was handed over within 30 s")
		panic("unreachable")
	}
}

func TestClientsCannotReachMotosState(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/_sandbox/deployed", "/%5fsandbox/code?function=" + workerARN} {
		answer, err := http.Get(w.endpoint + path)
		if err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(answer.Body)
		if answer.Body.Close(); err != nil || answer.StatusCode != http.StatusNotFound || !strings.Contains(string(said), "not part of the stand-in") {
			t.Errorf("%s: %s, %s (%v)", path, answer.Status, said, err)
		}
	}
}

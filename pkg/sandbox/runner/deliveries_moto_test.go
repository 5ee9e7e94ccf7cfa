package runner

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
)

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

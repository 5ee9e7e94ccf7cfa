package cloud_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// authorizing is a world in which policies decide.
func authorizing(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.upstream.Decider = &iam.Decider{Policies: w.identities}
	return w
}

// in makes clients of a role that the document, a list of statements, is the policy of.
func (w *world) in(t *testing.T, account, name, statements string) aws.Config {
	t.Helper()
	client := awsiam.NewFromConfig(w.moto.Config(account, region))
	arn := w.createRole(t, client, name, account)
	w.give(t, account, name, statements)
	key, err := w.identities.StartSession(t.Context(), arn, "session", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return w.with(key.ID, key.Secret, key.SessionToken)
}

// give replaces what a role may do.
func (w *world) give(t *testing.T, account, name, statements string) {
	t.Helper()
	_, err := awsiam.NewFromConfig(w.moto.Config(account, region)).PutRolePolicy(t.Context(), &awsiam.PutRolePolicyInput{
		RoleName: &name, PolicyName: aws.String("everything"), PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` + statements + `]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// refusal is a refusal as its client shows it.
func refusal(err error) string {
	if answered := (smithy.APIError)(nil); errors.As(err, &answered) {
		return answered.ErrorCode() + ": " + answered.ErrorMessage()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestDeniedCallHasTheServicesError(t *testing.T) {
	w := authorizing(t)
	config := w.in(t, accountA, "Reader", `{"Effect":"Allow","Action":"dynamodb:GetItem","Resource":"*"},{"Effect":"Deny","Action":"lambda:*","Resource":"*"}`)
	const who = "User: arn:aws:sts::111122223333:assumed-role/Reader/session is not authorized to perform: "
	cases := map[string]struct {
		reason string
		call   func(context.Context) error
		want   string
	}{
		"json": {
			"DynamoDB answers 400", func(ctx context.Context) error {
				_, err := dynamodb.NewFromConfig(config).PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("grants"), Item: map[string]types.AttributeValue{}})
				return err
			},
			"AccessDeniedException: " + who + "dynamodb:PutItem on resource: arn:aws:dynamodb:us-east-1:111122223333:table/grants because no identity-based policy allows the dynamodb:PutItem action",
		},
		"json of a service that spoke query": {
			"SQS keeps the old code for its clients", func(ctx context.Context) error {
				_, err := sqs.NewFromConfig(config).ListQueues(ctx, &sqs.ListQueuesInput{})
				return err
			},
			"AccessDenied: " + who + "sqs:ListQueues on resource: * because no identity-based policy allows the sqs:ListQueues action",
		},
		"query": {
			"IAM answers in XML", func(ctx context.Context) error {
				_, err := awsiam.NewFromConfig(config).GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("Admin")})
				return err
			},
			"AccessDenied: " + who + "iam:GetRole on resource: arn:aws:iam::111122223333:role/Admin because no identity-based policy allows the iam:GetRole action",
		},
		"rest": {
			"an explicit deny is named", func(ctx context.Context) error {
				_, err := lambda.NewFromConfig(config).GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: aws.String("echo")})
				return err
			},
			"AccessDeniedException: " + who + "lambda:GetFunction on resource: arn:aws:lambda:us-east-1:111122223333:function:echo with an explicit deny in the identity-based policy",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, refusal(c.call(t.Context()))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
	_, err := dynamodb.NewFromConfig(config).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("grants"), Key: map[string]types.AttributeValue{"gateway": &types.AttributeValueMemberS{Value: "g"}}})
	if missing := (*types.ResourceNotFoundException)(nil); !errors.As(err, &missing) {
		t.Errorf("what is allowed reaches moto: %v", err)
	}
}

func TestAChangedPolicyCountsInTheNextCall(t *testing.T) {
	w := authorizing(t)
	config := w.in(t, accountA, "Lister", `{"Effect":"Allow","Action":"dynamodb:ListTables","Resource":"*"}`)
	list := func() error {
		_, err := dynamodb.NewFromConfig(config).ListTables(t.Context(), &dynamodb.ListTablesInput{})
		return err
	}
	if err := list(); err != nil {
		t.Fatal(err)
	}
	admin := awsiam.NewFromConfig(w.as(t, accountA))
	if _, err := admin.DeleteRolePolicy(t.Context(), &awsiam.DeleteRolePolicyInput{RoleName: aws.String("Lister"), PolicyName: aws.String("everything")}); err != nil {
		t.Fatal(err)
	}
	if code := errorCode(list()); code != "AccessDeniedException" {
		t.Errorf("taken away by a client: got %q", code)
	}
	w.give(t, accountA, "Lister", `{"Effect":"Allow","Action":"dynamodb:ListTables","Resource":"*"}`)
	if err := list(); err != nil {
		t.Errorf("given back by us: %v", err)
	}
	if _, err := admin.AttachRolePolicy(t.Context(), &awsiam.AttachRolePolicyInput{RoleName: aws.String("Lister"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AWSDenyAll")}); err != nil {
		t.Fatal(err)
	}
	if code := errorCode(list()); code != "AccessDeniedException" {
		t.Errorf("denied by a policy of AWS's: got %q", code)
	}
}

func TestEveryEntryOfABatchHasToBeAllowed(t *testing.T) {
	w := authorizing(t)
	config := w.in(t, accountA, "Teller", `{"Effect":"Allow","Action":"events:PutEvents","Resource":"*","Condition":{"ForAllValues:StringEquals":{"events:source":"ours"},"Null":{"events:source":"false"}}}`)
	single := w.in(t, accountA, "SingleTeller", `{"Effect":"Allow","Action":"events:PutEvents","Resource":"*","Condition":{"StringEquals":{"events:source":"ours"}}}`)
	put := func(config aws.Config, sources ...string) string {
		var entries []eventtypes.PutEventsRequestEntry
		for _, source := range sources {
			entries = append(entries, eventtypes.PutEventsRequestEntry{Source: &source, DetailType: aws.String("t"), Detail: aws.String("{}")})
		}
		_, err := eventbridge.NewFromConfig(config).PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: entries})
		return errorCode(err)
	}
	if code := put(config, "ours", "ours"); code != "" {
		t.Errorf("two of ours: %s", code)
	}
	if code := put(config, "ours", "theirs"); code != "AccessDeniedException" {
		t.Errorf("one of theirs: got %q", code)
	}
	if code := put(single, "ours"); code != "" {
		t.Errorf("one value without a set operator: %s", code)
	}
	if code := put(single, "ours", "ours"); code != "AccessDeniedException" {
		t.Errorf("several values without a set operator: got %q", code)
	}
}

func TestAQueueOfAnotherAccountNeedsBothSides(t *testing.T) {
	w := authorizing(t)
	owner := sqs.NewFromConfig(w.as(t, accountA))
	made, err := owner.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("inbox")})
	if err != nil {
		t.Fatal(err)
	}
	sender := w.in(t, accountB, "Sender", `{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}`)
	stranger := w.in(t, accountB, "Stranger", `{"Effect":"Allow","Action":"sqs:ListQueues","Resource":"*"}`)
	send := func(config aws.Config) string {
		_, err := sqs.NewFromConfig(config).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: made.QueueUrl, MessageBody: aws.String("hello")})
		return refusal(err)
	}

	if got := send(sender); !strings.Contains(got, "no resource-based policy allows") {
		t.Errorf("the queue's policy is silent: %q", got)
	}
	_, err = owner.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: made.QueueUrl, Attributes: map[string]string{
		"Policy": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"sqs:SendMessage","Resource":"arn:aws:sqs:us-east-1:111122223333:inbox"}}`,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := send(stranger); !strings.Contains(got, "no identity-based policy allows") {
		t.Errorf("the caller's own side is silent: %q", got)
	}
	if got := send(sender); got != "" {
		t.Errorf("both sides allow it: %s", got)
	}
	received, err := owner.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: made.QueueUrl})
	if err != nil || len(received.Messages) != 1 {
		t.Errorf("it is in the owner's queue: got %v, %v", received, err)
	}
}

func TestABusOfAnotherAccountNeedsBothSides(t *testing.T) {
	w := authorizing(t)
	admin := w.as(t, accountA)
	queue, err := sqs.NewFromConfig(admin).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("heard")})
	if err != nil {
		t.Fatal(err)
	}
	buses := eventbridge.NewFromConfig(admin)
	steps := []func() error{
		func() error {
			_, err := buses.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("hub")})
			return err
		},
		func() error {
			_, err := buses.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("all"), EventBusName: aws.String("hub"), EventPattern: aws.String(`{"account":["` + accountB + `"]}`)})
			return err
		},
		func() error {
			_, err := buses.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("all"), EventBusName: aws.String("hub"), Targets: []eventtypes.Target{
				{Id: aws.String("queue"), Arn: aws.String("arn:aws:sqs:us-east-1:" + accountA + ":heard")},
			}})
			return err
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	sender := eventbridge.NewFromConfig(w.in(t, accountB, "Teller", `{"Effect":"Allow","Action":"events:PutEvents","Resource":"*"}`))
	put := func(bus string) (*eventbridge.PutEventsOutput, error) {
		return sender.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{
			{EventBusName: aws.String("arn:aws:events:us-east-1:" + accountA + ":event-bus/" + bus), Source: aws.String("b"), DetailType: aws.String("t"), Detail: aws.String(`{"n":1}`)},
			{Source: aws.String("b"), DetailType: aws.String("t"), Detail: aws.String(`not JSON`)},
		}})
	}
	if _, err := put("hub"); !strings.Contains(refusal(err), "no resource-based policy allows") {
		t.Errorf("the bus's policy is silent: %v", err)
	}
	_, err = buses.PutPermission(t.Context(), &eventbridge.PutPermissionInput{
		EventBusName: aws.String("hub"), StatementId: aws.String("b"), Principal: aws.String(accountB), Action: aws.String("events:PutEvents"),
	})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := put("hub")
	if err != nil || answer.FailedEntryCount != 1 || aws.ToString(answer.Entries[0].EventId) == "" || aws.ToString(answer.Entries[1].ErrorCode) == "" {
		t.Fatalf("both sides allow it, and one entry is malformed: %+v, %v", answer, err)
	}
	received, err := sqs.NewFromConfig(admin).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl})
	if err != nil || len(received.Messages) != 1 || !strings.Contains(aws.ToString(received.Messages[0].Body), `"account": "`+accountB+`"`) {
		t.Errorf("it comes from account B: %+v, %v", received, err)
	}
}

func TestAConditionThatIsNotKnownIsNotDecidedBy(t *testing.T) {
	w := authorizing(t)
	config := w.in(t, accountA, "Keyed", `{"Effect":"Allow","Action":"dynamodb:GetItem","Resource":"*","Condition":{"ForAllValues:StringEquals":{"dynamodb:Attributes":["mine"]}}}`)
	_, err := dynamodb.NewFromConfig(config).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("grants"), Key: map[string]types.AttributeValue{"gateway": &types.AttributeValueMemberS{Value: "theirs"}}})
	if got := refusal(err); !strings.Contains(got, "does not know the condition key dynamodb:Attributes") {
		t.Errorf("an absent key would let in everybody: %q", got)
	}
}

// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func TestLeadingKeysCondition(t *testing.T) {
	w := authorizing(t)
	admin := dynamodb.NewFromConfig(w.moto.Config(accountA, region))
	_, err := admin.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("keyed"), BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
	})
	if err != nil {
		t.Fatal(err)
	}
	client := dynamodb.NewFromConfig(w.in(t, accountA, "Keeper", `{"Effect":"Allow","Action":["dynamodb:PutItem","dynamodb:Query","dynamodb:Scan"],"Resource":"*",`+
		`"Condition":{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["MINE#*"]},"Null":{"dynamodb:LeadingKeys":"false"}}}`))
	item := func(key string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}}
	}
	put := func(key string) error {
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("keyed"), Item: item(key)})
		return err
	}
	together := func(keys ...string) error {
		var writes []types.TransactWriteItem
		for _, key := range keys {
			writes = append(writes, types.TransactWriteItem{Put: &types.Put{TableName: aws.String("keyed"), Item: item(key)}})
		}
		_, err := client.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: writes})
		return err
	}
	query := func(key string) error {
		_, err := client.Query(t.Context(), &dynamodb.QueryInput{
			TableName: aws.String("keyed"), KeyConditionExpression: aws.String("#partition = :partition"),
			ExpressionAttributeNames: map[string]string{"#partition": "pk"}, ExpressionAttributeValues: map[string]types.AttributeValue{":partition": item(key)["pk"]},
		})
		return err
	}
	_, scan := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("keyed")})
	for name, err := range map[string]error{"put": put("MINE#1"), "transaction": together("MINE#2", "MINE#3"), "query": query("MINE#1")} {
		if err != nil {
			t.Errorf("%s of its own: %v", name, err)
		}
	}
	for name, err := range map[string]error{"put": put("TRUSTED"), "transaction": together("MINE#4", "TRUSTED"), "query": query("TRUSTED"), "scan": scan} {
		if got := refusal(err); !strings.Contains(got, "not authorized") {
			t.Errorf("%s of others': %q", name, got)
		}
	}
}

func TestARoleMayAskForAnExternalID(t *testing.T) {
	w := authorizing(t)
	var kept ledger
	visitor := w.in(t, accountB, "Visitor", `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::111122223333:role/Owner"}`)
	const trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"sts:AssumeRole",` +
		`"Condition":{"StringEquals":{"sts:ExternalId":"a-secret"},"StringLike":{"sts:RoleSessionName":"gateway-grants-*"}}}}`
	_, err := awsiam.NewFromConfig(w.moto.Config(accountA, region)).CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("Owner"), AssumeRolePolicyDocument: aws.String(trust)})
	if err != nil {
		t.Fatal(err)
	}
	w.sts.Decider = &iam.Decider{Policies: w.identities, Record: kept.record}
	cases := map[string]struct {
		reason string
		in     sts.AssumeRoleInput
		want   string
	}{
		"right":           {"both conditions are met", sts.AssumeRoleInput{ExternalId: aws.String("a-secret"), RoleSessionName: aws.String("gateway-grants-sweep")}, ""},
		"none":            {"an absent key meets no condition", sts.AssumeRoleInput{RoleSessionName: aws.String("gateway-grants-sweep")}, "AccessDenied"},
		"wrong":           {"another's", sts.AssumeRoleInput{ExternalId: aws.String("a-guess"), RoleSessionName: aws.String("gateway-grants-sweep")}, "AccessDenied"},
		"another session": {"its name is a condition, too", sts.AssumeRoleInput{ExternalId: aws.String("a-secret"), RoleSessionName: aws.String("mine")}, "AccessDenied"},
		"no external id":  {"spaces are not allowed in one", sts.AssumeRoleInput{ExternalId: aws.String("a secret"), RoleSessionName: aws.String("mine")}, "ValidationError"},
		"a source identity": {
			"what is not known is refused", sts.AssumeRoleInput{ExternalId: aws.String("a-secret"), RoleSessionName: aws.String("mine"), SourceIdentity: aws.String("alice")}, "ValidationError",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.in.RoleArn = aws.String("arn:aws:iam::111122223333:role/Owner")
			_, err := sts.NewFromConfig(visitor).AssumeRole(t.Context(), &c.in)
			if got := errorCode(err); got != c.want {
				t.Errorf("%s: want %q, got %v", c.reason, c.want, err)
			}
		})
	}
	if len(kept.calls) != 4 {
		t.Errorf("want the four decisions recorded, got %d", len(kept.calls))
	}
}

package actions_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/actions"
)

const (
	region  = "us-east-1"
	account = "111122223333"
	grants  = "arn:aws:dynamodb:us-east-1:111122223333:table/grants"
	state   = "arn:aws:dynamodb:us-east-1:111122223333:table/state"
	stream  = grants + "/stream/2026-11-23T06:00:00.000"
	bus     = "arn:aws:events:us-east-1:111122223333:event-bus/gateway-grants"
)

// request is one as a client sends it: a target with a JSON body, a form, or a
// method with a path.
type request struct {
	service, target, form, rest, body string
	header                            map[string]string
}

func (r request) of(t *testing.T) actions.Request {
	t.Helper()
	method, path := http.MethodPost, "/"
	if r.rest != "" {
		method, path, _ = strings.Cut(r.rest, " ")
	}
	body := r.body + r.form
	sent := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:4566"+path, strings.NewReader(body))
	switch {
	case r.target != "":
		sent.Header.Set("X-Amz-Target", r.target)
		sent.Header.Set("Content-Type", "application/x-amz-json-1.0")
	case r.form != "":
		sent.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	case r.body != "":
		sent.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		if name == "Host" {
			sent.Host = value
		}
		sent.Header.Set(name, value)
	}
	return actions.Request{
		Service: r.service, Region: region, Account: account, HTTP: sent, Body: []byte(body),
		Entity: func(kind, name string) (string, error) {
			if kind == "role" && name == "Deep" {
				return "arn:aws:iam::111122223333:role/some/path/Deep", nil
			}
			return "", nil
		},
		Organization: func() (actions.Organization, error) {
			return actions.Organization{Management: "999900001111", ID: "o-example"}, nil
		},
	}
}

func on(action, resource string, keys ...string) actions.Permission {
	p := actions.Permission{Action: action, Resource: resource, Account: account}
	for i := 0; i < len(keys); i += 2 {
		if p.Keys == nil {
			p.Keys = map[string][]string{}
		}
		p.Keys[keys[i]] = append(p.Keys[keys[i]], keys[i+1])
	}
	return p
}

func of(owner string, p actions.Permission) actions.Permission {
	p.Account = owner
	return p
}

func ddb(operation, body string) request {
	return request{service: "dynamodb", target: "DynamoDB_20120810." + operation, body: body}
}

func streams(operation, body string) request {
	return request{service: "dynamodb", target: "DynamoDBStreams_20120810." + operation, body: body}
}

type asking struct {
	reason  string
	request request
	want    []actions.Permission
}

// known are requests whose permissions the Service Authorization Reference has.
func known() map[string]asking {
	const (
		group = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/sweep:log-stream:"
		queue = "arn:aws:sqs:us-east-1:111122223333:lost"
	)
	return map[string]asking{
		"get an item": {
			"a table by name", ddb("GetItem", `{"TableName":"grants","Key":{}}`),
			[]actions.Permission{on("dynamodb:GetItem", grants)},
		},
		"put an item and ask for the old": {
			"what the parameters say can be a condition", ddb("PutItem", `{"TableName":"`+grants+`","Item":{},"ReturnValues":"ALL_OLD","ReturnConsumedCapacity":"TOTAL"}`),
			[]actions.Permission{on("dynamodb:PutItem", grants, "dynamodb:ReturnValues", "ALL_OLD", "dynamodb:ReturnConsumedCapacity", "TOTAL")},
		},
		"query a table":  {"no index", ddb("Query", `{"TableName":"grants","Select":"COUNT"}`), []actions.Permission{on("dynamodb:Query", grants, "dynamodb:Select", "COUNT")}},
		"query an index": {"the index is the resource, not its table", ddb("Query", `{"TableName":"grants","IndexName":"byPrincipal"}`), []actions.Permission{on("dynamodb:Query", grants+"/index/byPrincipal")}},
		"scan an index":  {"so it is for Scan", ddb("Scan", `{"TableName":"grants","IndexName":"byPrincipal"}`), []actions.Permission{on("dynamodb:Scan", grants+"/index/byPrincipal")}},
		"batch get": {
			"each table once", ddb("BatchGetItem", `{"RequestItems":{"state":{"Keys":[{},{}]},"grants":{"Keys":[{}]}}}`),
			[]actions.Permission{on("dynamodb:BatchGetItem", grants), on("dynamodb:BatchGetItem", state)},
		},
		"batch write": {
			"puts and deletes are one action", ddb("BatchWriteItem", `{"RequestItems":{"state":[{"PutRequest":{}},{"DeleteRequest":{}}]}}`),
			[]actions.Permission{on("dynamodb:BatchWriteItem", state)},
		},
		"transact write": {
			"there is no action of this name: each item asks for its own",
			ddb("TransactWriteItems", `{"TransactItems":[{"ConditionCheck":{"TableName":"grants"}},{"Put":{"TableName":"state"}},{"Put":{"TableName":"state"}},{"Delete":{"TableName":"state"}},{"Update":{"TableName":"state"}}]}`),
			[]actions.Permission{
				on("dynamodb:ConditionCheckItem", grants),
				on("dynamodb:PutItem", state, "dynamodb:EnclosingOperation", "TransactWriteItems"),
				on("dynamodb:DeleteItem", state, "dynamodb:EnclosingOperation", "TransactWriteItems"),
				on("dynamodb:UpdateItem", state, "dynamodb:EnclosingOperation", "TransactWriteItems"),
			},
		},
		"transact get": {
			"so it is for reads", ddb("TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"state"}}]}`),
			[]actions.Permission{on("dynamodb:GetItem", state, "dynamodb:EnclosingOperation", "TransactGetItems")},
		},
		"describe a table": {"not an item", ddb("DescribeTable", `{"TableName":"grants"}`), []actions.Permission{on("dynamodb:DescribeTable", grants)}},
		"list tables":      {"no resource", ddb("ListTables", `{}`), []actions.Permission{on("dynamodb:ListTables", "*")}},
		"table of others": {
			"its ARN says whose it is", ddb("GetItem", `{"TableName":"arn:aws:dynamodb:us-east-1:444455556666:table/grants"}`),
			[]actions.Permission{of("444455556666", on("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:444455556666:table/grants"))},
		},
		"describe a stream": {"the stream", streams("DescribeStream", `{"StreamArn":"`+stream+`"}`), []actions.Permission{on("dynamodb:DescribeStream", stream)}},
		"read a stream":     {"the iterator names it", streams("GetRecords", `{"ShardIterator":"`+stream+`|1|AAAA=="}`), []actions.Permission{on("dynamodb:GetRecords", stream)}},
		"list streams":      {"of a table, too, there is no resource", streams("ListStreams", `{"TableName":"grants"}`), []actions.Permission{on("dynamodb:ListStreams", "*")}},

		"put events": {
			"each bus, by name, by ARN or the default one, with what every entry says",
			request{service: "events", target: "AWSEvents.PutEvents", body: `{"Entries":[
				{"Source":"gateway-grants","DetailType":"Policy Applied","EventBusName":"gateway-grants"},
				{"Source":"gateway-grants","DetailType":"Policy Applied","EventBusName":"` + bus + `"},
				{"Source":"mine","DetailType":"Hello"}]}`},
			[]actions.Permission{
				on("events:PutEvents", bus, "events:source", "gateway-grants", "events:detail-type", "Policy Applied",
					"events:source", "gateway-grants", "events:detail-type", "Policy Applied", "events:eventBusInvocation", "false"),
				on("events:PutEvents", "arn:aws:events:us-east-1:111122223333:event-bus/default", "events:source", "mine", "events:detail-type", "Hello", "events:eventBusInvocation", "false"),
			},
		},
		"put a rule": {
			"a rule's ARN has its bus", request{service: "events", target: "AWSEvents.PutRule", body: `{"Name":"touched","EventBusName":"gateway-grants"}`},
			[]actions.Permission{on("events:PutRule", "arn:aws:events:us-east-1:111122223333:rule/gateway-grants/touched")},
		},
		"put targets of a rule on the default bus": {
			"which is not in its ARN", request{service: "events", target: "AWSEvents.PutTargets", body: `{"Rule":"touched"}`},
			[]actions.Permission{on("events:PutTargets", "arn:aws:events:us-east-1:111122223333:rule/touched")},
		},

		"send a message": {
			"a URL says whose queue it is", request{service: "sqs", target: "AmazonSQS.SendMessage", body: `{"QueueUrl":"http://127.0.0.1:4566/111122223333/lost","MessageBody":"m"}`},
			[]actions.Permission{on("sqs:SendMessage", queue)},
		},
		"send many to another account": {
			"a batch has no action of its own", request{service: "sqs", target: "AmazonSQS.SendMessageBatch", body: `{"QueueUrl":"http://127.0.0.1:4566/444455556666/lost"}`},
			[]actions.Permission{of("444455556666", on("sqs:SendMessage", "arn:aws:sqs:us-east-1:444455556666:lost"))},
		},
		"receive in the query protocol": {
			"the path is the queue", request{service: "sqs", form: "Action=ReceiveMessage&Version=2012-11-05", rest: "POST /111122223333/lost"},
			[]actions.Permission{on("sqs:ReceiveMessage", queue)},
		},

		"make a log stream": {
			"covered by the group's ARN with its star", request{service: "logs", target: "Logs_20140328.CreateLogStream", body: `{"logGroupName":"/aws/lambda/sweep","logStreamName":"s"}`},
			[]actions.Permission{on("logs:CreateLogStream", group+"s")},
		},
		"write logs": {
			"the stream", request{service: "logs", target: "Logs_20140328.PutLogEvents", body: `{"logGroupName":"/aws/lambda/sweep","logStreamName":"s","logEvents":[]}`},
			[]actions.Permission{on("logs:PutLogEvents", group+"s")},
		},
		"filter logs": {
			"the group", request{service: "logs", target: "Logs_20140328.FilterLogEvents", body: `{"logGroupIdentifier":"arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/sweep:*"}`},
			[]actions.Permission{on("logs:FilterLogEvents", group)},
		},
		"put a metric": {
			"no resource, but a namespace", request{service: "monitoring", form: "Action=PutMetricData&Version=2010-08-01&Namespace=GatewayGrants"},
			[]actions.Permission{on("cloudwatch:PutMetricData", "*", "cloudwatch:namespace", "GatewayGrants")},
		},

		"list accounts": {"no resource", request{service: "organizations", target: "AWSOrganizationsV20161128.ListAccounts", body: `{}`}, []actions.Permission{on("organizations:ListAccounts", "*")}},
		"describe an account": {
			"the account's own ARN; the caller's side decides", request{service: "organizations", target: "AWSOrganizationsV20161128.DescribeAccount", body: `{"AccountId":"444455556666"}`},
			[]actions.Permission{on("organizations:DescribeAccount", "arn:aws:organizations::999900001111:account/o-example/444455556666")},
		},
		"move an account": {
			"all three that it names", request{service: "organizations", target: "AWSOrganizationsV20161128.MoveAccount", body: `{"AccountId":"444455556666","SourceParentId":"r-root","DestinationParentId":"ou-abcd-11112222"}`},
			[]actions.Permission{
				on("organizations:MoveAccount", "arn:aws:organizations::999900001111:account/o-example/444455556666"),
				on("organizations:MoveAccount", "arn:aws:organizations::999900001111:root/o-example/r-root"),
				on("organizations:MoveAccount", "arn:aws:organizations::999900001111:ou/o-example/ou-abcd-11112222"),
			},
		},

		"create a role": {
			"the path is a parameter", request{service: "iam", form: "Action=CreateRole&Version=2010-05-08&RoleName=Agent&Path=/agents/"},
			[]actions.Permission{on("iam:CreateRole", "arn:aws:iam::111122223333:role/agents/Agent")},
		},
		"attach a policy to a role": {
			"the role is the resource, the policy a condition; its path is looked up", request{service: "iam", form: "Action=AttachRolePolicy&Version=2010-05-08&RoleName=Deep&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess"},
			[]actions.Permission{on("iam:AttachRolePolicy", "arn:aws:iam::111122223333:role/some/path/Deep", "iam:PolicyARN", "arn:aws:iam::aws:policy/ReadOnlyAccess")},
		},
		"read a policy": {
			"an ARN of AWS's", request{service: "iam", form: "Action=GetPolicy&Version=2010-05-08&PolicyArn=arn:aws:iam::111122223333:policy/ours"},
			[]actions.Permission{on("iam:GetPolicy", "arn:aws:iam::111122223333:policy/ours")},
		},
		"list roles": {"no resource", request{service: "iam", form: "Action=ListRoles&Version=2010-05-08"}, []actions.Permission{on("iam:ListRoles", "*")}},

		"describe a stack": {
			"a name stands for any id", request{service: "cloudformation", form: "Action=DescribeStacks&Version=2010-05-15&StackName=gateway-grants"},
			[]actions.Permission{on("cloudformation:DescribeStacks", "arn:aws:cloudformation:us-east-1:111122223333:stack/gateway-grants/*")},
		},
		"describe every stack": {
			"the action is about stacks, named or not", request{service: "cloudformation", form: "Action=DescribeStacks&Version=2010-05-15"},
			[]actions.Permission{on("cloudformation:DescribeStacks", "arn:aws:cloudformation:us-east-1:111122223333:stack/*/*")},
		},

		"put an object": {
			"path style", request{service: "s3", rest: "PUT /artifacts/a/b.zip?x-id=PutObject"},
			[]actions.Permission{on("s3:PutObject", "arn:aws:s3:::artifacts/a/b.zip")},
		},
		"copy an object": {
			"reads the one and writes the other", request{service: "s3", rest: "PUT /artifacts/b", header: map[string]string{"X-Amz-Copy-Source": "/other/a%20b"}},
			[]actions.Permission{on("s3:PutObject", "arn:aws:s3:::artifacts/b"), on("s3:GetObject", "arn:aws:s3:::other/a b")},
		},
		"list a bucket": {"ListBucket, whatever the version of the call", request{service: "s3", rest: "GET /artifacts/?list-type=2&prefix=a"}, []actions.Permission{on("s3:ListBucket", "arn:aws:s3:::artifacts")}},
		"list buckets":  {"no resource", request{service: "s3", rest: "GET /"}, []actions.Permission{on("s3:ListAllMyBuckets", "*")}},

		"create a schedule": {
			"its group is in the body", request{service: "scheduler", rest: "POST /schedules/due", body: `{"GroupName":"gateway-grants"}`},
			[]actions.Permission{on("scheduler:CreateSchedule", "arn:aws:scheduler:us-east-1:111122223333:schedule/gateway-grants/due")},
		},
		"get a schedule": {
			"its group is in the URL", request{service: "scheduler", rest: "GET /schedules/due?groupName=gateway-grants"},
			[]actions.Permission{on("scheduler:GetSchedule", "arn:aws:scheduler:us-east-1:111122223333:schedule/gateway-grants/due")},
		},

		"create a function": {
			"its name is in the body", request{service: "lambda", rest: "POST /2015-03-31/functions", body: `{"FunctionName":"echo"}`},
			[]actions.Permission{on("lambda:CreateFunction", "arn:aws:lambda:us-east-1:111122223333:function:echo")},
		},
		"set a function's concurrency": {
			"each call has an API version of its own, and may name the function by ARN", request{service: "lambda", rest: "PUT /2017-10-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A111122223333%3Afunction%3Aecho/concurrency", body: `{}`},
			[]actions.Permission{on("lambda:PutFunctionConcurrency", "arn:aws:lambda:us-east-1:111122223333:function:echo")},
		},
	}
}

func TestARequestAsksForWhatTheServiceWouldCheck(t *testing.T) {
	for name, c := range known() {
		t.Run(name, func(t *testing.T) {
			got, err := actions.Of(c.request.of(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

func TestWhatIsNotKnownIsAskedForOnEverything(t *testing.T) {
	cases := map[string]asking{
		"another service": {
			"the action's name is the operation's", request{service: "sns", form: "Action=Publish&TopicArn=t"},
			[]actions.Permission{on("sns:Publish", "*")},
		},
		"another REST operation": {
			"whose name only a policy for the whole service covers", request{service: "lambda", rest: "GET /2018-10-31/layers"},
			[]actions.Permission{on("lambda:(GET /2018-10-31/layers)", "*")},
		},
		"a REST path that names an action": {
			"moto would do what is named", request{service: "lambda", rest: "GET /2015-03-31/functions/echo?Action=DeleteFunction"},
			[]actions.Permission{on("lambda:(DeleteFunction)", "*")},
		},
		"a slash within a function's name": {
			"moto would read it as the path", request{service: "lambda", rest: "GET /2015-03-31/functions/mine%2Fpolicy"},
			[]actions.Permission{on("lambda:GetPolicy", "arn:aws:lambda:us-east-1:111122223333:function:mine")},
		},
		"a bucket in the host": {
			"moto would take it from there", request{service: "s3", rest: "GET /mine/a", header: map[string]string{"Host": "theirs.s3.amazonaws.com"}},
			[]actions.Permission{on("s3:(GET /mine/a)", "*")},
		},
		"PartiQL": {
			"its statement is not read", ddb("ExecuteStatement", `{"Statement":"SELECT * FROM grants"}`),
			[]actions.Permission{on("dynamodb:ExecuteStatement", "*")},
		},
		"a batch of nothing": {
			"is not for nothing", ddb("BatchWriteItem", `{"RequestItems":{}}`),
			[]actions.Permission{on("dynamodb:BatchWriteItem", "*")},
		},
		"names in another case": {
			"moto knows no tableName", ddb("GetItem", `{"tableName":"grants"}`),
			[]actions.Permission{on("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:111122223333:table/")},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := actions.Of(c.request.of(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

func TestARequestThatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	cases := map[string]struct {
		reason  string
		request request
	}{
		"two operations": {"one would be decided and the other done", request{service: "dynamodb", target: "DynamoDB_20120810.GetItem", rest: "POST /?Action=DeleteTable", body: `{"TableName":"grants"}`}},
		"two actions":    {"so would it be within a form", request{service: "iam", form: "Action=ListRoles&Action=DeleteRole"}},
		"two names":      {"one in the URL, one in the form", request{service: "iam", rest: "POST /?RoleName=Mine", form: "Action=DeleteRole&RoleName=Theirs"}},
		"no JSON":        {"moto may be more lenient", request{service: "dynamodb", target: "DynamoDB_20120810.GetItem", body: `{"TableName":NaN}`}},
		"no queue":       {"a URL without account and name", request{service: "sqs", target: "AmazonSQS.SendMessage", body: `{"QueueUrl":"lost"}`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := actions.Of(c.request.of(t))
			if unreadable := (*actions.UnreadableError)(nil); !errors.As(err, &unreadable) {
				t.Errorf("%s: got %v, %v", c.reason, got, err)
			}
		})
	}
}

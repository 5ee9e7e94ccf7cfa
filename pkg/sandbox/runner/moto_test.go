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
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

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

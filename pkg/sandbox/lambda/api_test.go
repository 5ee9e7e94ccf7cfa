package lambda_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// api is a Lambda service with testdata/function under functionARN, and a client
// of it whose user may invoke functions but for those called "secret".
type api struct {
	*lambda.API
	client *awslambda.Client
	log    *safeBuffer
}

func newAPI(t *testing.T) api {
	t.Helper()
	directory := iam.NewDirectory(time.Now)
	if err := directory.AddAccount("111122223333"); err != nil {
		t.Fatal(err)
	}
	user, err := directory.CreateUser("111122223333", "", "ada")
	if err != nil {
		t.Fatal(err)
	}
	allowed := &policy.Document{Version: policy.Version2012, Statements: []policy.Statement{
		{Effect: policy.Allow, Action: []string{"lambda:InvokeFunction"}, Resource: []string{"*"}},
		{Effect: policy.Deny, Action: []string{"lambda:*"}, Resource: []string{"arn:aws:lambda:*:*:function:secret"}},
	}}
	if err := directory.PutPolicy(user.ARN, "lambda", allowed); err != nil {
		t.Fatal(err)
	}
	key, err := directory.CreateAccessKey(user.ARN)
	if err != nil {
		t.Fatal(err)
	}

	log := &safeBuffer{}
	process := newProcess(t, func(b *lambda.Bootstrap) { b.Log = log })
	functions := &lambda.Registry{}
	functions.Register(functionARN, process)
	functions.Register(functionARN+":live", process)

	service := &lambda.API{
		Verifier:  &sigv4.Verifier{Keys: directory, Now: time.Now},
		Decider:   iam.Decider{Policies: directory},
		Functions: functions,
		Region:    "us-east-1",
	}
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	return api{service, awslambda.New(awslambda.Options{
		BaseEndpoint: aws.String(server.URL),
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""),
		Retryer:      aws.NopRetryer{},
	}), log}
}

func (a api) invoke(t *testing.T, in awslambda.InvokeInput) (*awslambda.InvokeOutput, error) {
	t.Helper()
	return a.client.Invoke(t.Context(), &in)
}

func TestInvokeByEveryFormOfName(t *testing.T) {
	a := newAPI(t)
	cases := map[string]struct{ name, qualifier string }{
		"Name":             {"example", ""},
		"NameAndLatest":    {"example", "$LATEST"},
		"NameWithLatest":   {"example:$LATEST", ""},
		"PartialARN":       {"111122223333:function:example", ""},
		"ARN":              {functionARN, ""},
		"ARNWithAlias":     {functionARN + ":live", ""},
		"ARNAndAlias":      {functionARN, "live"},
		"ARNWithAliasBoth": {functionARN + ":live", "live"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := awslambda.InvokeInput{FunctionName: &tc.name, Payload: []byte(`{"message":"hi"}`)}
			if tc.qualifier != "" {
				in.Qualifier = &tc.qualifier
			}
			out, err := a.invoke(t, in)
			if err != nil {
				t.Fatal(err)
			}
			if out.StatusCode != http.StatusOK || out.FunctionError != nil || aws.ToString(out.ExecutedVersion) != "$LATEST" || !strings.Contains(string(out.Payload), `"echo":"hi"`) {
				t.Errorf("answer = %d %v %s", out.StatusCode, aws.ToString(out.FunctionError), out.Payload)
			}
		})
	}
}

func TestInvokeRefusesWhatLambdaRefuses(t *testing.T) {
	a := newAPI(t)
	large := []byte(`"` + strings.Repeat("x", lambda.MaxAsyncRequest-1) + `"`)
	cases := map[string]struct {
		reason        string
		in            awslambda.InvokeInput
		code, message string
	}{
		"NotFound": {
			"no such function", awslambda.InvokeInput{FunctionName: aws.String("nobody")},
			"ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:111122223333:function:nobody",
		},
		"UnknownAlias": {
			"an alias that does not exist", awslambda.InvokeInput{FunctionName: aws.String("example"), Qualifier: aws.String("dev")},
			"ResourceNotFoundException", "function:example:dev",
		},
		"TwoQualifiers": {
			"the name says one, the parameter another", awslambda.InvokeInput{FunctionName: aws.String("example:live"), Qualifier: aws.String("dev")},
			"InvalidParameterValueException", "derived qualifier",
		},
		"OtherRegion": {
			"functions are called where they are", awslambda.InvokeInput{FunctionName: aws.String("arn:aws:lambda:eu-west-1:111122223333:function:example")},
			"ResourceNotFoundException", "not reachable in this region",
		},
		"OtherAccount": {
			"no policy of the other account allows it", awslambda.InvokeInput{FunctionName: aws.String("444455556666:function:example")},
			"AccessDeniedException", "is not authorized to perform: lambda:InvokeFunction",
		},
		"Denied": {
			"the identity policy denies it", awslambda.InvokeInput{FunctionName: aws.String("secret")},
			"AccessDeniedException", "user/ada is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:111122223333:function:secret",
		},
		"BadName": {
			"a name has no blanks", awslambda.InvokeInput{FunctionName: aws.String("no name")},
			"ValidationException", "functionName",
		},
		"NotJSON": {
			"a payload is JSON", awslambda.InvokeInput{FunctionName: aws.String("example"), Payload: []byte(`{"a":`)},
			"InvalidRequestContentException", "Could not parse request body into json",
		},
		"BadClientContext": {
			"a client context is base64", awslambda.InvokeInput{FunctionName: aws.String("example"), ClientContext: aws.String("{}")},
			"InvalidRequestContentException", "Client context",
		},
		"BadType": {
			"there are three invocation types", awslambda.InvokeInput{FunctionName: aws.String("example"), InvocationType: "Later"},
			"InvalidParameterValueException", "Later",
		},
		"TooLarge": {
			"6 MB are the limit", awslambda.InvokeInput{FunctionName: aws.String("example"), Payload: []byte(`"` + strings.Repeat("x", lambda.MaxRequest-1) + `"`)},
			"RequestTooLargeException", "smaller than 6291456 bytes",
		},
		"TooLargeAsync": {
			"1 MB is the limit of asynchronous calls", awslambda.InvokeInput{FunctionName: aws.String("example"), InvocationType: types.InvocationTypeEvent, Payload: large},
			"RequestTooLargeException", "smaller than 1048576 bytes",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := a.invoke(t, tc.in)
			var got smithy.APIError
			if !errors.As(err, &got) {
				t.Fatalf("%s: %v, want %s", tc.reason, err, tc.code)
			}
			if got.ErrorCode() != tc.code || !strings.Contains(got.ErrorMessage(), tc.message) {
				t.Errorf("%s: %s: %q; want %s: …%s…", tc.reason, got.ErrorCode(), got.ErrorMessage(), tc.code, tc.message)
			}
		})
	}
}

func TestInvokeRefusesAWrongSignature(t *testing.T) {
	a := newAPI(t)
	_, err := a.client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("example")}, func(o *awslambda.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider("AKIANOBODY", "secret", "")
	})
	var got smithy.APIError
	if !errors.As(err, &got) || got.ErrorCode() != "UnrecognizedClientException" {
		t.Errorf("Invoke = %v, want UnrecognizedClientException", err)
	}
}

func TestInvokeSeparatesFunctionErrors(t *testing.T) {
	out, err := newAPI(t).invoke(t, awslambda.InvokeInput{FunctionName: aws.String("example"), Payload: []byte(`{"do":"error","message":"no"}`)})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"errorMessage":"no","errorType":"errorString"}`
	if out.StatusCode != http.StatusOK || aws.ToString(out.FunctionError) != "Unhandled" || string(out.Payload) != want {
		t.Errorf("answer = %d %s %s", out.StatusCode, aws.ToString(out.FunctionError), out.Payload)
	}
}

func TestInvokeClientContextAndLog(t *testing.T) {
	a := newAPI(t)
	in := awslambda.InvokeInput{
		FunctionName: aws.String("example"), Payload: []byte(`{"do":"context"}`), LogType: types.LogTypeTail,
		ClientContext: aws.String(base64.StdEncoding.EncodeToString([]byte(`{"custom":{"tool":"a___b"}}`))),
	}
	out, err := a.invoke(t, in)
	if err != nil || !strings.Contains(string(out.Payload), `"custom":{"tool":"a___b"}`) {
		t.Fatalf("answer = %s, %v", out.Payload, err)
	}
	in.Payload = []byte(`{"do":"print","message":"seen"}`)
	if out, err = a.invoke(t, in); err != nil {
		t.Fatal(err)
	}
	log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if err != nil || string(log) != "seen\n" {
		t.Errorf("log = %q, %v", log, err)
	}
}

func TestInvokeWithoutWaiting(t *testing.T) {
	a := newAPI(t)
	out, err := a.invoke(t, awslambda.InvokeInput{
		FunctionName: aws.String("example"), InvocationType: types.InvocationTypeEvent,
		Payload: []byte(`{"do":"print","message":"done later"}`),
	})
	if err != nil || out.StatusCode != http.StatusAccepted {
		t.Fatalf("Event = %v, %v; want 202", out, err)
	}
	a.Wait()
	if !strings.Contains(a.log.String(), "done later") {
		t.Errorf("log = %q", a.log)
	}
	out, err = a.invoke(t, awslambda.InvokeInput{FunctionName: aws.String("example"), InvocationType: types.InvocationTypeDryRun})
	if err != nil || out.StatusCode != http.StatusNoContent {
		t.Errorf("DryRun = %v, %v; want 204", out, err)
	}
}

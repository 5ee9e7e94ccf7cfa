package lambda_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// deployed is a function with a policy and a queue of its own.
type deployed struct {
	policy *policy.Document
	answer error
	queued []string
}

func (d *deployed) Invoke(context.Context, []byte, []byte) (lambda.Result, error) {
	return lambda.Result{Payload: []byte(`{}`)}, d.answer
}
func (d *deployed) ResourcePolicy() *policy.Document { return d.policy }
func (d *deployed) Queue(payload []byte)             { d.queued = append(d.queued, string(payload)) }

// registry is one function, whatever it is called.
type registry struct{ function lambda.Function }

func (r registry) Function(context.Context, string) (lambda.Function, error) { return r.function, nil }

func TestADeployedFunctionIsCalledByItsOwnRules(t *testing.T) {
	denying, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"lambda:InvokeFunction","Resource":"*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason   string
		function deployed
		region   string
		want     string // code of the refusal; "" for none
	}{
		"as usual":       {"nothing is against it", deployed{}, "us-east-1", ""},
		"another region": {"an API without a region of its own serves all", deployed{}, "eu-west-1", ""},
		"denied":         {"the function's own policy counts", deployed{policy: denying}, "us-east-1", "AccessDeniedException"},
		"throttled":      {"as many calls run as may", deployed{answer: lambda.ErrThrottled}, "us-east-1", "TooManyRequestsException"},
		"refused": {
			"what cannot run says so in its own words",
			deployed{answer: &lambda.Error{Status: 502, Code: "InvalidRuntimeException", Message: "no"}}, "us-east-1", "InvalidRuntimeException",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t)
			a.Region = ""
			a.Functions = registry{&c.function}
			_, err := a.client.Invoke(t.Context(), &awslambda.InvokeInput{FunctionName: aws.String("mine")}, func(o *awslambda.Options) { o.Region = c.region })
			got := ""
			if refused := (smithy.APIError)(nil); errors.As(err, &refused) {
				got = refused.ErrorCode()
			}
			if got != c.want || (err != nil) != (c.want != "") {
				t.Errorf("%s: got %v, want %q", c.reason, err, c.want)
			}
		})
	}
}

func TestAsyncCallIsQueued(t *testing.T) {
	a, function := newAPI(t), &deployed{}
	a.Functions = registry{function}
	answer, err := a.invoke(t, awslambda.InvokeInput{FunctionName: aws.String("mine"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"a":1}`)})
	if err != nil || answer.StatusCode != http.StatusAccepted || len(function.queued) != 1 || function.queued[0] != `{"a":1}` {
		t.Errorf("%v, %v; queued %q", err, answer, function.queued)
	}
}

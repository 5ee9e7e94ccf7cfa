package lambda_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

func inProcess(timeout time.Duration, handler any) *lambda.InProcess {
	return lambda.NewInProcess(lambda.Settings{ARN: functionARN, Timeout: timeout}, awslambda.NewHandler(handler))
}

func TestInProcessHandlerHasLambdaContext(t *testing.T) {
	f := inProcess(time.Minute, func(ctx context.Context, event map[string]string) (map[string]any, error) {
		invoked, _ := lambdacontext.FromContext(ctx)
		_, hasDeadline := ctx.Deadline()
		return map[string]any{
			"arn": invoked.InvokedFunctionArn, "id": invoked.AwsRequestID,
			"tool": invoked.ClientContext.Custom["tool"], "deadline": hasDeadline, "event": event["message"],
		}, nil
	})
	result, err := f.Invoke(t.Context(), []byte(`{"message":"hello"}`), []byte(`{"custom":{"tool":"a___b"}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := answer(t, result)
	if got["arn"] != functionARN || got["id"] != result.RequestID || got["tool"] != "a___b" || got["deadline"] != true || got["event"] != "hello" {
		t.Errorf("seen by the handler: %v", got)
	}
}

func TestAHandlerInsideThisProcessFailsAsInLambda(t *testing.T) {
	cases := map[string]struct {
		reason             string
		handler            func(context.Context) (string, error)
		errorType, message string
	}{
		"Error":   {"a plain error", func(context.Context) (string, error) { return "", errors.New("no") }, "errorString", "no"},
		"Wrapped": {"the type is the outermost one", func(context.Context) (string, error) { return "", fmt.Errorf("so: %w", errors.New("no")) }, "wrapError", "so: no"},
		"OwnError": {"an error may name its own type", func(context.Context) (string, error) {
			return "", messages.InvokeResponse_Error{Type: "Mine", Message: "no"}
		}, "Mine", "no"},
		"Panic":    {"a panic ends the call, not the program", func(context.Context) (string, error) { panic("oh") }, "string", "oh"},
		"TooLarge": {"the limit is that of Lambda", func(context.Context) (string, error) { return strings.Repeat("x", lambda.MaxResponse), nil }, "Function.ResponseSizeTooLarge", "(6291556 bytes)"},
		"Timeout":  {"the deadline ends the wait", func(ctx context.Context) (string, error) { <-ctx.Done(); return "late", nil }, "Sandbox.Timedout", "Task timed out after 0.20 seconds"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			timeout := time.Minute
			if name == "Timeout" {
				timeout = 200 * time.Millisecond
			}
			errorType, message := errorOf(t, invoke(t, inProcess(timeout, tc.handler), `{}`))
			if errorType != tc.errorType || !strings.Contains(message, tc.message) {
				t.Errorf("%s: %s: %q; want %s: …%s…", tc.reason, errorType, message, tc.errorType, tc.message)
			}
		})
	}
}

func TestAHandlerInsideThisProcessTakesItsTurn(t *testing.T) {
	release := make(chan struct{})
	f := inProcess(time.Minute, func() error { <-release; return nil })
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := f.Invoke(ctx, nil, nil)
		first <- err
	}()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("Invoke = %v, want context.Canceled", err)
	}
	close(release)
	invoke(t, f, `{}`) // the place is free again
}

func TestAnAnswerOutlivesTheNextCall(t *testing.T) {
	f := inProcess(time.Minute, func(event string) (string, error) { return event, nil })
	first := invoke(t, f, `"first"`)
	invoke(t, f, `"other"`)
	if got := string(first.Payload); got != `"first"` {
		t.Errorf("the answer to the first call is %s after the second, want \"first\"", got)
	}
}

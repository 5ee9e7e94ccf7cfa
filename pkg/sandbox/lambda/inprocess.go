package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// InProcess runs a handler inside this process, with the context, the deadline
// and the answers that it would have in Lambda. It is one execution environment,
// which runs one call at a time. The handler must heed the end of its context:
// unlike a process it cannot be killed.
type InProcess struct {
	settings Settings
	handler  lambda.Handler
	turn     chan struct{} // holds an element while a call runs
}

var _ Function = (*InProcess)(nil)

// NewInProcess makes a function of what aws-lambda-go's NewHandler returns.
func NewInProcess(settings Settings, handler lambda.Handler) *InProcess {
	settings = settings.withDefaults()
	return &InProcess{settings: settings, handler: handler, turn: make(chan struct{}, 1)}
}

// Invoke runs the handler once no other call is running.
func (f *InProcess) Invoke(ctx context.Context, payload, clientContext []byte) (Result, error) {
	select {
	case <-ctx.Done():
		return Result{}, abandoned(ctx)
	case f.turn <- struct{}{}:
	}
	inv := newInvocation(payload, clientContext)
	invoked := &lambdacontext.LambdaContext{AwsRequestID: inv.id, InvokedFunctionArn: f.settings.ARN}
	if len(clientContext) > 0 {
		if err := json.Unmarshal(clientContext, &invoked.ClientContext); err != nil {
			<-f.turn
			return functionError(inv, err), nil
		}
	}
	// The call outlives a caller who stops waiting, as in Lambda.
	running, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.settings.Timeout)
	go func() {
		defer cancel()
		inv.answer <- f.call(lambdacontext.NewContext(running, invoked), inv)
		<-f.turn
	}()
	select {
	case result := <-inv.answer:
		return result, nil
	case <-ctx.Done():
		return Result{}, abandoned(ctx)
	case <-running.Done():
	}
	select {
	case result := <-inv.answer: // it answered, and then its context ended
		return result, nil
	default:
		return inv.timedOut(f.settings.Timeout), nil
	}
}

func (f *InProcess) call(ctx context.Context, inv *invocation) (result Result) {
	defer func() {
		if panicked := recover(); panicked != nil {
			_, _ = fmt.Fprintf(f.settings.Log, "panic: %v\n%s", panicked, debug.Stack())
			result = Result{
				RequestID: inv.id, FunctionError: "Unhandled",
				Payload: errorPayload(typeName(panicked), fmt.Sprint(panicked)),
			}
		}
	}()
	payload, err := f.handler.Invoke(ctx, inv.payload)
	switch {
	case ctx.Err() != nil:
		return inv.timedOut(f.settings.Timeout) // too late, whatever it says
	case err != nil:
		return functionError(inv, err)
	case len(payload) > MaxResponse:
		return inv.tooLarge()
	default:
		// aws-lambda-go may write the next answer into the same buffer. One call runs at a
		// time, so the copy is made before.
		return Result{RequestID: inv.id, Payload: bytes.Clone(payload)}
	}
}

// functionError is a handler's error as aws-lambda-go reports it.
func functionError(inv *invocation, err error) Result {
	errorType, message := typeName(err), err.Error()
	if own, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		errorType, message = own.Type, own.Message
	}
	return Result{RequestID: inv.id, FunctionError: "Unhandled", Payload: errorPayload(errorType, message)}
}

func typeName(v any) string {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// How Lambda treats an asynchronous call unless the function says otherwise.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
const (
	DefaultAsyncRetries = 2
	DefaultAsyncMaxAge  = 6 * time.Hour
	// asyncWait is waited before the first retry, and twice as long before the
	// second. Lambda waits a minute, and then two; what a deployment has not
	// finished yet is there by then, here too.
	asyncWait = 10 * time.Second
	// A call that did not reach the function is tried again after these.
	asyncFirstBackoff = time.Second
	asyncLastBackoff  = 5 * time.Minute
)

// AsyncSettings are a function's event invoke config, with Lambda's defaults filled in.
// https://docs.aws.amazon.com/lambda/latest/api/API_FunctionEventInvokeConfig.html
type AsyncSettings struct {
	Retries int // of a call that failed in the function
	MaxAge  time.Duration
	// OnFailure sends the record of a call that is given up on to the destination of that
	// name. Without one the call is dropped.
	OnFailure   func(ctx context.Context, destination string, record []byte) error
	Destination string
}

// Async delivers asynchronous calls of one function, as Lambda does from the queue that it
// keeps for each. They are in memory: a call outlives the crashes of its function, not the
// end of the stand-in.
type Async struct {
	ARN      string          // of the function, without a version
	Function lambda.Function // makes a call wait while as many run as may
	Settings func() AsyncSettings
	Log      *slog.Logger
	Now      func() time.Time
}

// asyncCall is a call on its way.
type asyncCall struct {
	id       string
	payload  []byte
	queued   time.Time
	attempts int           // in which the function ran
	last     lambda.Result // of the last of them
}

// Deliver tries a call until it succeeds or is given up on, or ctx ends.
func (a *Async) Deliver(ctx context.Context, payload []byte) {
	call := &asyncCall{id: newID(), payload: payload, queued: a.Now()}
	backoff := asyncFirstBackoff
	for {
		settings := a.Settings()
		if a.Now().Sub(call.queued) > settings.MaxAge {
			a.giveUp(ctx, call, "EventAgeExceeded", settings)
			return
		}
		result, err := a.Function.Invoke(ctx, call.payload, nil)
		wait := backoff
		switch {
		case ctx.Err() != nil:
			a.Log.ErrorContext(ctx, "asynchronous call lost: the sandbox ends", "function", a.ARN)
			return
		case errors.Is(err, lambda.ErrThrottled):
			// Only a function that may not run at all does not wait for its turn.
			// https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
			a.giveUp(ctx, call, "ZeroReservedConcurrency", settings)
			return
		case err != nil:
			a.Log.ErrorContext(ctx, "asynchronous call did not reach its function; retrying", "function", a.ARN, "error", err, "after", wait)
			backoff = min(2*backoff, asyncLastBackoff)
		case result.FunctionError == "":
			return
		default:
			call.attempts++
			call.last = result
			a.Log.ErrorContext(ctx, "asynchronous call failed", "function", a.ARN, "attempt", call.attempts, "answer", string(result.Payload))
			if call.attempts > settings.Retries {
				a.giveUp(ctx, call, "RetriesExhausted", settings)
				return
			}
			wait = time.Duration(call.attempts) * asyncWait
		}
		pause(ctx, nil, wait)
	}
}

// asyncRecord is what Lambda sends about a call to its destination.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
type asyncRecord struct {
	Version   string           `json:"version"`
	Timestamp string           `json:"timestamp"`
	Request   requestContext   `json:"requestContext"`
	Payload   json.RawMessage  `json:"requestPayload"`
	Response  *responseContext `json:"responseContext,omitempty"` // none where the function never ran
	Answer    json.RawMessage  `json:"responsePayload,omitempty"`
}

// giveUp sends the call to the function's on-failure destination. Without one the call is
// dropped.
func (a *Async) giveUp(ctx context.Context, call *asyncCall, condition string, settings AsyncSettings) {
	log := a.Log.With("function", a.ARN, "condition", condition, "attempts", call.attempts, "payload", string(call.payload))
	if settings.Destination == "" {
		log.ErrorContext(ctx, "asynchronous call dropped: the function has no destination for failures")
		return
	}
	record := asyncRecord{
		Version: "1.0", Timestamp: a.Now().UTC().Format(millis),
		Request: requestContext{RequestID: call.id, FunctionARN: a.ARN + ":$LATEST", Condition: condition, Attempts: call.attempts},
		Payload: asJSON(call.payload),
	}
	if call.attempts > 0 {
		record.Response = &responseContext{StatusCode: 200, Version: "$LATEST", FunctionError: call.last.FunctionError}
		record.Answer = asJSON(call.last.Payload)
	}
	message, err := json.Marshal(record)
	if err == nil {
		err = settings.OnFailure(ctx, settings.Destination, message)
	}
	if err != nil {
		log.ErrorContext(ctx, "asynchronous call lost: its destination cannot be reached", "destination", settings.Destination, "error", err)
		return
	}
	log.ErrorContext(ctx, "asynchronous call sent to its destination for failures", "destination", settings.Destination)
}

// asJSON is the text itself, or a JSON string of one that is not JSON.
func asJSON(text []byte) json.RawMessage {
	if len(text) == 0 {
		return json.RawMessage("{}")
	}
	if json.Valid(text) {
		return text
	}
	quoted, _ := json.Marshal(string(text)) // a string always marshals
	return quoted
}

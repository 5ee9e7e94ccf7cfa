package runner

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// How Lambda treats an asynchronous call unless the function says otherwise.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
const (
	asyncRetries = 2
	asyncMaxAge  = 6 * time.Hour
	// asyncWait is waited before the first retry, and twice as long before the
	// second. Lambda waits a minute, and then two; what a deployment has not
	// finished yet is there by then, here too.
	asyncWait = 10 * time.Second
	// Where a call did not reach the function it is tried again after these.
	asyncFirstBackoff = time.Second
	asyncLastBackoff  = 5 * time.Minute
)

// asyncCall is a call that nobody waits for. It is kept in memory: it outlives the
// crashes of its function, not the end of the sandbox.
type asyncCall struct {
	id       string
	payload  []byte
	queued   time.Time
	attempts int           // in which the function ran
	last     lambda.Result // of the last of them
}

// Queue takes a call, and tries it until it succeeds or is given up on.
func (f *function) Queue(payload []byte) {
	call := &asyncCall{id: newID(), payload: payload, queued: f.runner.Now()}
	f.runner.spawn(func() { f.see(f.runner.running, call) })
}

// see has the call end, whatever it takes.
func (f *function) see(ctx context.Context, call *asyncCall) {
	backoff := asyncFirstBackoff
	for {
		settings := f.async()
		if f.runner.Now().Sub(call.queued) > settings.maxAge {
			f.giveUp(ctx, call, "EventAgeExceeded", settings.onFailure)
			return
		}
		result, err := f.invokeWhenFree(ctx, call.payload)
		wait := backoff
		switch {
		case ctx.Err() != nil:
			f.runner.Log.ErrorContext(ctx, "asynchronous call lost: the sandbox ends", "function", f.arn)
			return
		case errors.Is(err, lambda.ErrThrottled):
			// Only a function that may not run at all does not wait for its turn.
			// https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
			f.giveUp(ctx, call, "ZeroReservedConcurrency", settings.onFailure)
			return
		case err != nil:
			f.runner.Log.ErrorContext(ctx, "asynchronous call did not reach its function, will be tried again", "function", f.arn, "error", err, "after", wait)
			backoff = min(2*backoff, asyncLastBackoff)
		case result.FunctionError == "":
			return
		default:
			call.attempts++
			call.last = result
			f.runner.Log.ErrorContext(ctx, "asynchronous call failed", "function", f.arn, "attempt", call.attempts, "answer", string(result.Payload))
			if call.attempts > settings.retries {
				f.giveUp(ctx, call, "RetriesExhausted", settings.onFailure)
				return
			}
			wait = time.Duration(call.attempts) * asyncWait
		}
		sleep(ctx, wait)
	}
}

// asyncRules are a function's settings with Lambda's defaults filled in.
type asyncRules struct {
	retries   int
	maxAge    time.Duration
	onFailure string // ARN; "" for none
}

func (f *function) async() asyncRules {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return rulesOf(f.deployed.Async)
}

func rulesOf(settings cloud.AsyncSettings) asyncRules {
	rules := asyncRules{retries: asyncRetries, maxAge: asyncMaxAge, onFailure: settings.OnFailure}
	if settings.Retries != nil {
		rules.retries = *settings.Retries
	}
	if settings.MaxAge != nil {
		rules.maxAge = time.Duration(*settings.MaxAge) * time.Second
	}
	return rules
}

// asyncRecord is what Lambda sends about a call to its destination.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
type asyncRecord struct {
	Version   string          `json:"version"`
	Timestamp string          `json:"timestamp"`
	Request   asyncRequest    `json:"requestContext"`
	Payload   json.RawMessage `json:"requestPayload"`
	Response  *asyncResponse  `json:"responseContext,omitempty"` // none where the function never ran
	Answer    json.RawMessage `json:"responsePayload,omitempty"`
}

type asyncRequest struct {
	ID        string `json:"requestId"`
	Function  string `json:"functionArn"`
	Condition string `json:"condition"`
	Attempts  int    `json:"approximateInvokeCount"`
}

type asyncResponse struct {
	Status   int    `json:"statusCode"`
	Version  string `json:"executedVersion"`
	Function string `json:"functionError"`
}

// giveUp sends the call to the function's on-failure destination, in the
// function's role. Without one it is dropped.
func (f *function) giveUp(ctx context.Context, call *asyncCall, condition, destination string) {
	log := f.runner.Log.With("function", f.arn, "condition", condition, "attempts", call.attempts, "payload", string(call.payload))
	if destination == "" {
		log.ErrorContext(ctx, "asynchronous call dropped: the function has no destination for failures")
		return
	}
	record := asyncRecord{
		Version: "1.0", Timestamp: f.runner.Now().UTC().Format(millis),
		Request: asyncRequest{ID: call.id, Function: f.arn + ":$LATEST", Condition: condition, Attempts: call.attempts},
		Payload: asJSON(call.payload),
	}
	if call.attempts > 0 {
		record.Response = &asyncResponse{Status: 200, Version: "$LATEST", Function: call.last.FunctionError}
		record.Answer = asJSON(call.last.Payload)
	}
	message, err := json.Marshal(record)
	if err == nil {
		err = f.runner.send(ctx, f.credentials, destination, string(message), nil)
	}
	if err != nil {
		log.ErrorContext(ctx, "asynchronous call lost: its destination cannot be reached", "destination", destination, "error", err)
		return
	}
	log.ErrorContext(ctx, "asynchronous call given up on", "destination", destination)
}

// asJSON is the text itself, or a JSON string of one that is no JSON.
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

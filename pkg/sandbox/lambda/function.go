// Package lambda runs Lambda functions: real bootstrap executables through the
// Lambda runtime API, or handlers inside this process; and it serves the Invoke
// operation of the Lambda service for them.
package lambda

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Limits of a payload, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	MaxRequest      = 6 << 20     // 6,291,456
	MaxAsyncRequest = 1 << 20     // 1,048,576
	MaxResponse     = 6<<20 + 100 // 6,291,556
	logTail         = 4 << 10     // what LogType Tail returns
	initTimeout     = 10 * time.Second
	defaultTimeout  = 3 * time.Second
	defaultMemory   = 128 // MB
)

// ErrStopped says that a function was stopped before it could answer.
var ErrStopped = errors.New("function is stopped")

// ErrThrottled says that as many calls of a function are running as may.
var ErrThrottled = errors.New("Rate Exceeded.") //nolint:revive,staticcheck // AWS's own words

// Function is something that can be invoked, one call after another or several
// at once.
type Function interface {
	// Invoke hands the function a JSON payload and a client context, a JSON
	// object or nil, and waits for its answer. A function that fails, crashes or
	// takes too long has answered: Result.FunctionError says so. An error means
	// that there is no answer.
	Invoke(ctx context.Context, payload, clientContext []byte) (Result, error)
}

// Result is the answer of a function.
type Result struct {
	RequestID string
	// Payload is what the function returned, or the error object
	// {"errorMessage": …, "errorType": …} when FunctionError is set.
	Payload []byte
	// FunctionError is "" or "Unhandled", as in X-Amz-Function-Error.
	FunctionError string
	// Log is the end of what the function printed, at most 4 KB.
	Log []byte
}

// Settings describe a function, however it is run.
type Settings struct {
	// ARN is arn:aws:lambda:REGION:ACCOUNT:function:NAME.
	ARN string
	// Timeout ends an invocation; zero is Lambda's default of 3 seconds.
	Timeout time.Duration
	// Concurrency is how many invocations run at once; more wait. Zero is 1.
	Concurrency int
	// Log receives what the function prints, with Lambda's START and END lines
	// around it. It may be written to from several goroutines at once.
	Log io.Writer
}

func (s Settings) withDefaults() Settings {
	if s.Timeout <= 0 {
		s.Timeout = defaultTimeout
	}
	if s.Concurrency <= 0 {
		s.Concurrency = 1
	}
	if s.Log == nil {
		s.Log = io.Discard
	}
	return s
}

func (s Settings) name() string { return s.ARN[strings.LastIndexByte(s.ARN, ':')+1:] }

func (s Settings) region() string {
	parts := strings.Split(s.ARN, ":")
	if len(parts) < 4 {
		return ""
	}
	return parts[3]
}

// invocation is one call on its way through a function.
type invocation struct {
	id            string
	payload       []byte
	clientContext []byte
	taken         chan struct{} // closed when the process has it
	deadline      time.Time     // valid once taken is closed
	answer        chan Result   // buffered: an answer never waits for a reader
}

func newInvocation(payload, clientContext []byte) *invocation {
	if len(payload) == 0 {
		payload = []byte("{}") // what a function sees when nothing is sent
	}
	return &invocation{
		id: newRequestID(), payload: payload, clientContext: clientContext,
		taken: make(chan struct{}), answer: make(chan Result, 1),
	}
}

func (i *invocation) failed(errorType, format string, args ...any) Result {
	return Result{
		RequestID:     i.id,
		FunctionError: "Unhandled",
		Payload:       errorPayload(errorType, fmt.Sprintf("RequestId: %s Error: ", i.id)+fmt.Sprintf(format, args...)),
	}
}

func (i *invocation) timedOut(after time.Duration) Result {
	return i.failed("Sandbox.Timedout", "Task timed out after %.2f seconds", after.Seconds())
}

func (i *invocation) tooLarge() Result {
	return Result{
		RequestID:     i.id,
		FunctionError: "Unhandled",
		Payload: errorPayload("Function.ResponseSizeTooLarge",
			fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", MaxResponse)),
	}
}

func errorPayload(errorType, message string) []byte {
	payload, _ := json.Marshal(struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{errorType, message}) // two strings always marshal
	return payload
}

// abandoned is the error of a caller who stopped waiting.
func abandoned(ctx context.Context) error {
	return fmt.Errorf("waiting for the function: %w", ctx.Err())
}

func newRequestID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails: crypto/rand crashes the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

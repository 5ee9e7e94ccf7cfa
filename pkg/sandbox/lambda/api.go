package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

const maxClientContext = 3583 // bytes, base64 included

// API is the Invoke operation of the Lambda service, for callers who may do it
// by their identity policies or the function's own policy.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
type API struct {
	Verifier  *sigv4.Verifier
	Decider   iam.Decider
	Functions Functions
	Region    string // "": every region

	background sync.WaitGroup
}

// Wait returns when every asynchronous invocation so far has ended.
func (a *API) Wait() { a.background.Wait() }

// Guarded is a function with a resource policy.
type Guarded interface {
	// ResourcePolicy is nil if there is none.
	ResourcePolicy() *policy.Document
}

// Queued is a function whose asynchronous calls are kept and tried again, as
// Lambda's are. Any other is tried once.
type Queued interface {
	// Queue takes a call without waiting for it.
	Queue(payload []byte)
}

// Error is an answer that is an error of the Lambda API.
type Error struct {
	Status  int
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// ServeHTTP serves POST /2015-03-31/functions/{FunctionName}/invocations.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-RequestId", newRequestID())
	if err := a.invoke(w, r); err != nil {
		writeError(w, err)
	}
}

func (a *API) invoke(w http.ResponseWriter, r *http.Request) error {
	name, ok := strings.CutPrefix(r.URL.Path, "/2015-03-31/functions/")
	name, found := strings.CutSuffix(name, "/invocations")
	if !ok || !found || r.Method != http.MethodPost {
		return &Error{http.StatusNotFound, "UnknownOperationException", "Only POST /2015-03-31/functions/{FunctionName}/invocations is served."}
	}
	identity, err := a.Verifier.Verify(r, sigv4.Expect{Service: "lambda", Region: a.Region, MaxBody: MaxRequest})
	if refused, ok := errors.AsType[*sigv4.Error](err); ok && refused.Code == sigv4.RequestTooLarge {
		return tooLargeRequest(MaxRequest)
	}
	if err != nil {
		return err
	}
	arn, invalid := resolveARN(name, r.URL.Query().Get("Qualifier"), identity.Caller.Account, identity.Scope.Region)
	if invalid != nil {
		return invalid
	}
	function, missing := a.Functions.Function(r.Context(), arn)
	if missing != nil && !errors.Is(missing, ErrNotFound) {
		return missing
	}
	// A caller that may not invoke it does not learn whether it exists.
	if err := a.authorize(r, identity, arn, function); err != nil {
		return err
	}
	if missing != nil {
		return &Error{http.StatusNotFound, "ResourceNotFoundException", "Function not found: " + arn}
	}
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("reading the payload: %w", err)
	}
	return a.run(w, r, function, payload)
}

func (a *API) authorize(r *http.Request, identity sigv4.Identity, arn string, function Function) error {
	const action = "lambda:InvokeFunction"
	call := policy.Call{Action: action, Resource: arn, Context: identity.Context(r, a.Verifier.Now())}
	if guarded, ok := function.(Guarded); ok {
		call.ResourcePolicy = guarded.ResourcePolicy()
	}
	decision, err := a.Decider.Decide(r.Context(), identity.Caller, call)
	if err != nil {
		return err
	}
	if !decision.Allowed {
		return &Error{http.StatusForbidden, "AccessDeniedException",
			fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", identity.Caller.ARN, action, arn)}
	}
	return nil
}

func (a *API) run(w http.ResponseWriter, r *http.Request, function Function, payload []byte) error {
	if len(payload) > 0 && !json.Valid(payload) {
		return &Error{http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json: it is not valid JSON."}
	}
	clientContext, err := readClientContext(r)
	if err != nil {
		return err
	}
	switch kind := r.Header.Get("X-Amz-Invocation-Type"); kind {
	case "", "RequestResponse":
		return a.respond(w, r, function, payload, clientContext)
	case "Event":
		return a.accept(w, r, function, payload)
	case "DryRun":
		w.WriteHeader(http.StatusNoContent)
		return nil
	default:
		return &Error{http.StatusBadRequest, "InvalidParameterValueException", "Unknown invocation type: " + kind}
	}
}

func (a *API) respond(w http.ResponseWriter, r *http.Request, function Function, payload, clientContext []byte) error {
	result, err := function.Invoke(r.Context(), payload, clientContext)
	if errors.Is(err, ErrThrottled) {
		return &Error{http.StatusTooManyRequests, "TooManyRequestsException", ErrThrottled.Error()}
	}
	if err != nil {
		return fmt.Errorf("invoking: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("X-Amzn-RequestId", result.RequestID)
	header.Set("X-Amz-Executed-Version", latest)
	if result.FunctionError != "" {
		header.Set("X-Amz-Function-Error", result.FunctionError)
	}
	if r.Header.Get("X-Amz-Log-Type") == "Tail" {
		header.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(result.Log))
	}
	_, _ = w.Write(result.Payload) // a caller who left needs no answer
	return nil
}

func (a *API) accept(w http.ResponseWriter, r *http.Request, function Function, payload []byte) error {
	if len(payload) > MaxAsyncRequest {
		return tooLargeRequest(MaxAsyncRequest)
	}
	// Lambda hands the client context to synchronous calls only; the function's log
	// shows the result of the call.
	if queued, ok := function.(Queued); ok {
		queued.Queue(payload)
	} else {
		ctx := context.WithoutCancel(r.Context())
		a.background.Go(func() { _, _ = function.Invoke(ctx, payload, nil) })
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func readClientContext(r *http.Request) ([]byte, error) {
	encoded := r.Header.Get("X-Amz-Client-Context")
	if encoded == "" {
		return nil, nil
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	var object map[string]any
	if err != nil || len(encoded) > maxClientContext || json.Unmarshal(decoded, &object) != nil {
		return nil, &Error{http.StatusBadRequest, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."}
	}
	return decoded, nil
}

func tooLargeRequest(limit int) error {
	return &Error{http.StatusRequestEntityTooLarge, "RequestTooLargeException",
		fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", limit)}
}

func writeError(w http.ResponseWriter, err error) {
	answer := &Error{http.StatusInternalServerError, "ServiceException", err.Error()}
	if refused, ok := errors.AsType[*sigv4.Error](err); ok {
		answer = &Error{refused.Status(), refused.JSONCode(), refused.Message}
	} else if own, ok := errors.AsType[*Error](err); ok {
		answer = own
	}
	body, _ := json.Marshal(struct {
		Type    string `json:"Type"`
		Message string `json:"Message"`
		// Every SDK finds the message under this name.
		Lower string `json:"message"`
	}{map[bool]string{true: "Service", false: "User"}[answer.Status >= 500], answer.Message, answer.Message})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-ErrorType", answer.Code)
	w.WriteHeader(answer.Status)
	_, _ = w.Write(body)
}

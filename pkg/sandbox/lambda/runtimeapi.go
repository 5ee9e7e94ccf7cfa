package lambda

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// runtimeAPI is what a function's process talks to.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
func (e *environment) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", e.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", e.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", e.failure)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", e.initFailed)
	return mux
}

func (e *environment) next(w http.ResponseWriter, r *http.Request) {
	var inv *invocation
	select {
	case inv = <-e.work:
	case <-r.Context().Done():
		return
	}
	// The deadline counts from here: starting the process is not on the call's
	// time.
	inv.deadline = time.Now().Add(e.bootstrap.Timeout)
	close(inv.taken)
	e.mu.Lock()
	e.current = inv
	e.mu.Unlock()

	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
	header.Set("Lambda-Runtime-Invoked-Function-Arn", e.bootstrap.ARN)
	header.Set("Lambda-Runtime-Trace-Id", fmt.Sprintf("Root=1-%08x-%.24s;Sampled=0", inv.deadline.Unix(), strings.ReplaceAll(inv.id, "-", "")))
	if len(inv.clientContext) > 0 {
		header.Set("Lambda-Runtime-Client-Context", string(inv.clientContext))
	}
	_, _ = w.Write(inv.payload) // a process that is gone is noticed by its exit
}

func (e *environment) response(w http.ResponseWriter, r *http.Request) {
	inv, ok := e.claim(w, r)
	if !ok {
		return
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxResponse))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		inv.answer <- inv.tooLarge()
		reply(w, http.StatusRequestEntityTooLarge, errorPayload("RequestEntityTooLarge", "Exceeded maximum allowed payload size"))
	case err != nil:
		inv.answer <- inv.failed("Runtime.TruncatedResponse", "%v", err)
		reply(w, http.StatusBadRequest, errorPayload("TruncatedResponse", err.Error()))
	default:
		inv.answer <- Result{RequestID: inv.id, Payload: payload}
		accept(w)
	}
}

func (e *environment) failure(w http.ResponseWriter, r *http.Request) {
	inv, ok := e.claim(w, r)
	if !ok {
		return
	}
	inv.answer <- Result{RequestID: inv.id, Payload: readError(r), FunctionError: "Unhandled"}
	accept(w)
}

func (e *environment) initFailed(w http.ResponseWriter, r *http.Request) {
	failure := readError(r)
	e.mu.Lock()
	e.initError = failure
	e.mu.Unlock()
	accept(w)
}

// claim finds the call that is being answered; each is answered once.
func (e *environment) claim(w http.ResponseWriter, r *http.Request) (*invocation, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	inv := e.current
	if inv == nil || inv.id != r.PathValue("id") {
		reply(w, http.StatusBadRequest, errorPayload("InvalidRequestID", "Invalid request ID"))
		return nil, false
	}
	e.current = nil
	return inv, true
}

// readError takes the error object as it is sent. One that cannot be read is
// described by its type alone.
func readError(r *http.Request) []byte {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxResponse))
	if err != nil || len(body) == 0 {
		return errorPayload(r.Header.Get("Lambda-Runtime-Function-Error-Type"), "")
	}
	return body
}

func accept(w http.ResponseWriter) { reply(w, http.StatusAccepted, []byte(`{"status":"OK"}`)) }

func reply(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

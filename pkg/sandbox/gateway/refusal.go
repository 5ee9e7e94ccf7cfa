package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// JSON-RPC codes of refusals. -32001 and -32002 were observed on gateways; that
// of a gateway that is not there is not documented.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-using-auth.html
const (
	codeUnauthenticated = -32001
	codeForbidden       = -32002
	codeNotFound        = -32004
	codeInvalidRequest  = -32600
	codeInternal        = -32603
)

// refusal is an answer given before MCP is spoken.
type refusal struct {
	status  int
	code    int
	message string
	id      json.RawMessage // of the request, null if unknown
	header  map[string]string
}

func (e *refusal) Error() string { return e.message }

func refuse(w http.ResponseWriter, err error) {
	answer := &refusal{status: http.StatusInternalServerError, code: codeInternal, message: err.Error()}
	if signature, ok := errors.AsType[*sigv4.Error](err); ok {
		answer = unsigned(signature)
	} else if refused, ok := errors.AsType[*refusal](err); ok {
		answer = refused
	}
	id := answer.id
	if id == nil {
		id = json.RawMessage("null")
	}
	body, _ := json.Marshal(map[string]any{
		"jsonrpc": "2.0",
		"id":      id,
		"error":   map[string]any{"code": answer.code, "message": answer.message},
	}) // strings, a number and valid JSON always marshal
	for name, value := range answer.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.status)
	_, _ = w.Write(body)
}

// unsigned is the answer to a missing or wrong signature. That to a missing one,
// with a string for its id, was observed on a Runtime
// (https://github.com/CopilotKit/CopilotKit/issues/2912) and its status on a
// Gateway; the others take AWS's usual status and words.
func unsigned(e *sigv4.Error) *refusal {
	if e.Code == sigv4.RequestTooLarge {
		return tooLarge()
	}
	answer := &refusal{
		status: e.Status(), code: codeUnauthenticated, message: e.Message,
		id: json.RawMessage(`"null"`), header: map[string]string{"X-Amzn-ErrorType": e.JSONCode()},
	}
	if e.Code == sigv4.MissingAuthenticationToken {
		answer.status = http.StatusUnauthorized
	}
	return answer
}

// invalidBearer is the answer to anybody at a CUSTOM_JWT gateway: no token can be
// valid here, where there is nobody who issues any.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-using-auth.html
func invalidBearer(r *http.Request) *refusal {
	message := "Invalid Bearer token"
	if r.Header.Get("Authorization") == "" {
		message = "Missing Bearer token"
	}
	return &refusal{
		status: http.StatusUnauthorized, code: codeUnauthenticated, message: message, id: json.RawMessage("0"),
		header: map[string]string{"WWW-Authenticate": fmt.Sprintf(
			`Bearer resource_metadata="https://%s/.well-known/oauth-protected-resource"`, r.Host)},
	}
}

func tooLarge() *refusal {
	return &refusal{
		status: http.StatusRequestEntityTooLarge, code: codeInvalidRequest,
		message: fmt.Sprintf("Request body exceeds %d bytes", maxBody),
	}
}

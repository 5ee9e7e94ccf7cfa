package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
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

// errUnknownOperation is the answer to a request for a path that is not MCP's.
// That it is this error is observed, its form is that of AWS's other services.
// https://github.com/awslabs/agentcore-samples/pull/1952
var errUnknownOperation = errors.New("UnknownOperationException")

const unknownOperation = `{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}`

func refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, errUnknownOperation) {
		w.Header().Set("X-Amzn-ErrorType", err.Error())
		write(w, http.StatusNotFound, []byte(unknownOperation))
		return
	}
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
	write(w, answer.status, body)
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
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
// valid here, where no issuer exists.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-using-auth.html
func invalidBearer(r *http.Request, gateway model.Gateway) *refusal {
	message := "Invalid Bearer token"
	if r.Header.Get("Authorization") == "" {
		message = "Missing Bearer token"
	}
	return &refusal{
		status: http.StatusUnauthorized, code: codeUnauthenticated, message: message, id: json.RawMessage("0"),
		header: map[string]string{"WWW-Authenticate": fmt.Sprintf(
			`Bearer resource_metadata="https://%s/.well-known/oauth-protected-resource"`, advertisedHost(r, gateway))},
	}
}

// domainHeader selects one of the domains of a gateway that has its own.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_DomainOverride.html
const domainHeader = "X-Amzn-Bedrock-Agentcore-Gateway-Domain"

// advertisedHost is the host in the URLs that a gateway gives out: of its own
// domains the selected one or the default, else the request's.
func advertisedHost(r *http.Request, gateway model.Gateway) string {
	if selected := r.Header.Get(domainHeader); selected != "" {
		return selected
	}
	if gateway.DomainOverride != nil {
		return gateway.DomainOverride.Default
	}
	return r.Host
}

// checkDomain: "The gateway rejects a request that selects a domain that isn't
// configured." The answer is not documented.
func checkDomain(r *http.Request, gateway model.Gateway) error {
	selected := r.Header.Get(domainHeader)
	if selected == "" {
		return nil
	}
	if own := gateway.DomainOverride; own != nil && (own.Default == selected || slices.Contains(own.Alternates, selected)) {
		return nil
	}
	return &refusal{status: http.StatusBadRequest, code: codeInvalidRequest, message: "Domain is not configured: " + selected}
}

func tooLarge() *refusal {
	return &refusal{
		status: http.StatusRequestEntityTooLarge, code: codeInvalidRequest,
		message: fmt.Sprintf("Request body exceeds %d bytes", maxBody),
	}
}

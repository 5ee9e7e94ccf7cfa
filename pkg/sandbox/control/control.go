// Package control serves the model over HTTP as the control plane of Amazon
// Bedrock AgentCore (signing name bedrock-agentcore, protocol restJson1), so
// that AWS SDKs, the AWS CLI and boto3 work against it unchanged, and answers
// sts:GetCallerIdentity.
//
// Methods, paths and status codes are those of the service model
// (https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/).
// A call is authenticated by its signature and authorised by the caller's
// identity policies; gateways' resource policies cannot grant these actions. That
// the caller may pass the roles that it names (iam:PassRole) is not checked.
package control

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// Verifier says who signed a request; *sigv4.Verifier does.
type Verifier interface {
	Verify(r *http.Request, want sigv4.Expect) (sigv4.Identity, error)
}

// Decider says whether a caller's policies allow a call; iam.Decider does.
type Decider interface {
	Decide(ctx context.Context, caller iam.Caller, call policy.Call) (policy.Decision, error)
}

// signingName is the service in the signature's scope, which is not the one in
// the endpoint's host name.
const signingName = "bedrock-agentcore"

// maxBody holds the largest request: a target with a megabyte of inline schema.
const maxBody = 4 << 20

// Handler is the control plane over HTTP. Make one with New.
type Handler struct {
	model    *model.Service
	verifier Verifier
	decider  Decider
	now      func() time.Time
	mux      *http.ServeMux
}

// New serves the model to callers that the verifier knows, for calls that the
// decider allows. The clock fills aws:CurrentTime; time.Now if nil.
func New(service *model.Service, verifier Verifier, decider Decider, now func() time.Time) *Handler {
	if now == nil {
		now = time.Now
	}
	h := &Handler{model: service, verifier: verifier, decider: decider, now: now, mux: http.NewServeMux()}
	for _, op := range h.operations() {
		h.mux.HandleFunc(op.route, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, op) })
		if bare, ok := strings.CutSuffix(op.route, "/{$}"); ok {
			h.mux.HandleFunc(bare, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, op) })
		}
	}
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, newRequestID(), &failure{
			status: http.StatusNotFound, code: "UnknownOperationException",
			message: "Unable to determine operation for " + r.Method + " " + r.URL.Path,
		})
	})
	return h
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// operation is one operation of the service model.
type operation struct {
	name   string
	route  string // a pattern of net/http
	status int    // of success
	// on is the ARN that the caller must be allowed the action on.
	on func(*request) string
	do func(*request) (any, error)
}

// request is a call whose caller is known.
type request struct {
	*http.Request

	sigv4.Identity

	text []byte // of the body
}

func (r *request) by() model.Caller {
	return model.Caller{Account: r.Caller.Account, ARN: r.Caller.ARN, UserID: r.Caller.UserID, UserAgent: r.UserAgent()}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, op operation) {
	id := newRequestID()
	answer, err := h.answer(r, op)
	if err != nil {
		writeError(w, id, asFailure(err))
		return
	}
	writeJSON(w, id, op.status, answer)
}

func (h *Handler) answer(r *http.Request, op operation) (any, error) {
	identity, err := h.verifier.Verify(r, sigv4.Expect{Service: signingName, Region: h.model.Region(), MaxBody: maxBody})
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(r.Body) // bounded and buffered by the verifier
	if err != nil {
		return nil, fmt.Errorf("reading the request's body: %w", err)
	}
	call := &request{Request: r, Identity: identity, text: text}
	if err := h.authorize(r.Context(), call, op); err != nil {
		return nil, err
	}
	return op.do(call)
}

// body decodes a JSON body into the members of a request. None is the empty
// object. Members that the model does not know are passed over, as restJson1
// services do.
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
func body[In any](r *request) (In, error) {
	var in In
	if len(r.text) == 0 {
		return in, nil
	}
	if err := json.Unmarshal(r.text, &in); err != nil {
		return in, unreadable(err)
	}
	return in, nil
}

package gateway

import (
	"fmt"
	"maps"
	"net/http"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// authenticate says who calls, as far as the gateway's authorizer asks.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-inbound-auth.html
func (h *Handler) authenticate(r *http.Request, gateway model.Gateway) (sigv4.Identity, error) {
	switch gateway.AuthorizerType {
	case model.NoAuthorizer:
		return sigv4.Identity{}, nil
	case model.CustomJWT:
		return sigv4.Identity{}, invalidBearer(r, gateway)
	default:
		return h.Verifier.Verify(r, sigv4.Expect{Service: service, Region: h.Region, MaxBody: maxBody})
	}
}

// authorize decides by both sides' policies. Why a call is refused stays inside:
// AWS does not tell the caller either.
func (h *Handler) authorize(r *http.Request, gateway model.Gateway, identity sigv4.Identity, message message) error {
	document, err := h.Gateways.EffectivePolicy(gateway.ARN)
	if err != nil {
		return fmt.Errorf("reading the resource policy of %s: %w", gateway.ARN, err)
	}
	context := identity.Context(r, h.Verifier.Now())
	if h.Origin != nil {
		maps.Copy(context, h.Origin(r))
	}
	decision, err := h.Decider.Decide(r.Context(), identity.Caller, policy.Call{
		Action:          action,
		Resource:        gateway.ARN,
		ResourceAccount: gateway.Account,
		ResourcePolicy:  document,
		Context:         context,
	})
	if err != nil {
		return err
	}
	if !decision.Allowed {
		return &refusal{status: http.StatusForbidden, code: codeForbidden, message: "Insufficient permissions", id: message.ID}
	}
	return nil
}

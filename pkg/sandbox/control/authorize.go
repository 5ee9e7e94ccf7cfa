package control

import (
	"context"
	"net/http"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// The ARNs that actions are authorised on. CreateGateway and ListGateways have
// no resource type, so that only "*" in an identity policy matches them.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_bedrock-agentcore.html
func everything(*request) string { return "*" }

func arnInPath(r *request) string { return r.PathValue("arn") }

// gatewayInPath is the ARN of the caller's own gateway with the id in the path,
// whether it exists or not: a caller that may not look does not learn it.
func (h *Handler) gatewayInPath(r *request) string {
	return h.model.GatewayARN(r.Caller.Account, r.PathValue("gateway"))
}

// authorize asks the caller's identity policies for the operation's action.
func (h *Handler) authorize(ctx context.Context, r *request, op operation) error {
	action, resource := signingName+":"+op.name, op.on(r)
	decision, err := h.decider.Decide(ctx, r.Caller, policy.Call{
		Action:   action,
		Resource: resource,
		// Judged as the caller's own: whose the resource is decides the model,
		// since no resource policy can grant these actions.
		ResourceAccount: r.Caller.Account,
		Context:         h.conditionKeys(r, resource),
	})
	if err != nil {
		return err
	}
	if decision.Allowed {
		return nil
	}
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
	why := "because no identity-based policy allows the " + action + " action"
	if decision.Reason == policy.ExplicitDeny {
		why = "with an explicit deny in an identity-based policy"
	}
	return &failure{
		status: http.StatusForbidden, code: "AccessDeniedException",
		message: "User: " + r.Caller.ARN + " is not authorized to perform: " + action + " on resource: " + resource + " " + why,
	}
}

// conditionKeys are those of the request and of the resource; those of the
// caller come with the decision.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_bedrock-agentcore.html
func (h *Handler) conditionKeys(r *request, resource string) map[string][]string {
	keys := r.Identity.Context(r.Request, h.now())
	for name, value := range h.model.Tags(resource) {
		keys["aws:ResourceTag/"+name] = []string{value}
	}
	r.tagKeys(keys)
	return keys
}

// tagKeys adds the tags that a request brings, and the keys that it takes away.
// A body that cannot be read brings none; the operation will say so.
func (r *request) tagKeys(keys map[string][]string) {
	named := r.URL.Query()["tagKeys"]
	if in, err := body[tagsBody](r); err == nil {
		for name, value := range in.Tags {
			keys["aws:RequestTag/"+name] = []string{value}
			named = append(named, name)
		}
	}
	if len(named) > 0 {
		keys["aws:TagKeys"] = named
	}
}

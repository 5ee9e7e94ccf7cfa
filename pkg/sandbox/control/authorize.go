package control

import (
	"net"
	"net/http"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// The ARNs that actions are authorised on. CreateGateway and ListGateways have
// no resource type, so that only "*" in an identity policy matches them.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_bedrock-agentcore.html
func everything(*request) string { return "*" }

func arnInPath(r *request) string { return r.PathValue("arn") }

// gatewayInPath is the ARN of the caller's own gateway with the id in the path,
// whether it exists or not: who may not look is not told.
func (h *Handler) gatewayInPath(r *request) string {
	return h.model.GatewayARN(r.caller.Account, r.PathValue("gateway"))
}

// authorize asks the caller's identity policies for the operation's action.
func (h *Handler) authorize(r *request, op operation) error {
	action, resource := signingName+":"+op.name, op.on(r)
	decision, err := h.decider.Decide(r.Context(), r.caller, policy.Call{
		Action:   action,
		Resource: resource,
		// Judged as the caller's own: whose the resource is decides the model,
		// since no resource policy can grant these actions.
		ResourceAccount: r.caller.Account,
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
		message: "User: " + r.caller.ARN + " is not authorized to perform: " + action + " on resource: " + resource + " " + why,
	}
}

// conditionKeys are the keys of the request and of the resource that the
// service fills in, besides those of the caller.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (h *Handler) conditionKeys(r *request, resource string) map[string][]string {
	keys := map[string][]string{
		"aws:CurrentTime":     {h.now().UTC().Format(time.RFC3339)},
		"aws:RequestedRegion": {h.model.Region()},
		// AWS's endpoint, which this one stands for, speaks TLS only.
		"aws:SecureTransport": {"true"},
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		keys["aws:SourceIp"] = []string{host}
	}
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

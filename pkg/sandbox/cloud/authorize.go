package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/actions"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// denial is a permission that the caller does not have.
type denial struct {
	caller   string
	asked    actions.Permission
	decision policy.Decision
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func (d *denial) Error() string {
	side := "identity-based policy"
	if d.decision.Source == policy.ResourcePolicy {
		side = "resource-based policy"
	}
	why := "because no " + side + " allows the " + d.asked.Action + " action"
	if d.decision.Reason == policy.ExplicitDeny {
		why = "with an explicit deny in the " + side
	}
	return "User: " + d.caller + " is not authorized to perform: " + d.asked.Action + " on resource: " + d.asked.Resource + " " + why
}

// reach is where an authorized request goes to.
type reach struct {
	account string // that it acts in
	buses   bool   // it puts events on buses of other accounts
}

// authorize has everything decided that the request asks for. The first thing that
// the caller may not do is a *denial.
func (u *Upstream) authorize(r *http.Request, identity sigv4.Identity) (reach, error) {
	to := reach{account: identity.Caller.Account}
	if u.Decider == nil {
		return to, nil
	}
	request, err := u.asks(r, identity)
	if err != nil {
		return reach{}, err
	}
	asked, err := actions.Of(request)
	if err != nil {
		return reach{}, err
	}
	guards := guards{moto: u.identities.moto, region: request.Region, read: map[string]*policy.Document{}}
	for _, permission := range asked {
		if err := u.decide(r, identity, permission, &guards); err != nil {
			return reach{}, err
		}
		switch {
		case request.Service == "sqs": // a queue is the same to all who may use it
			to.account = permission.Account
		case permission.Action == "events:PutEvents" && permission.Account != to.account:
			to.buses = true
		}
	}
	return to, nil
}

func (u *Upstream) decide(r *http.Request, identity sigv4.Identity, asked actions.Permission, guards *guards) error {
	guard, err := guards.of(r.Context(), asked)
	if err != nil {
		return err
	}
	call := policy.Call{
		Action: asked.Action, Resource: asked.Resource, ResourceAccount: asked.Account,
		ResourcePolicy: guard, Context: identity.Context(r, u.verifier.Now()),
	}
	maps.Copy(call.Context, asked.Keys)
	if err := u.knowsConditions(r.Context(), identity, call); err != nil {
		return err
	}
	decision, err := u.Decider.Decide(r.Context(), identity.Caller, call)
	if err != nil {
		return err
	}
	if !decision.Allowed {
		return &denial{identity.Caller.ARN, asked, decision}
	}
	return nil
}

// knowsConditions refuses to decide by a condition key whose value is not known
// here: whatever it were taken for would admit, or keep out, callers that AWS does not.
func (u *Upstream) knowsConditions(ctx context.Context, identity sigv4.Identity, call policy.Call) error {
	documents, err := u.identities.IdentityPolicies(ctx, identity.Caller)
	if err != nil {
		return err
	}
	for _, document := range append([]*policy.Document{call.ResourcePolicy}, documents...) {
		if document == nil {
			continue
		}
		for _, statement := range document.Statements {
			for _, keys := range statement.Condition {
				for key := range keys {
					if !actions.Modelled(call.Action, key) {
						return &actions.UnreadableError{Message: "The stand-in does not know the condition key " + key + ", which a policy for this call has."}
					}
				}
			}
		}
	}
	return nil
}

// asks is the verified request as package actions takes it.
func (u *Upstream) asks(r *http.Request, identity sigv4.Identity) (actions.Request, error) {
	request := actions.Request{
		Service: identity.Scope.Service, Region: identity.Scope.Region, Account: identity.Caller.Account, HTTP: r,
		Entity: func(kind, name string) (string, error) {
			return u.identities.entityARN(r.Context(), identity.Caller.Account, kind, name)
		},
		PartitionKey: func(table string) (string, error) { return u.identities.partitionKey(r.Context(), table) },
		Organization: func() (actions.Organization, error) { return u.identities.organization(r.Context()) },
	}
	if request.Service == "s3" {
		return request, nil // whose bodies are objects
	}
	body, err := io.ReadAll(r.Body) // out of memory, where its verification has put it
	if err != nil {
		return actions.Request{}, fmt.Errorf("reading the request: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	request.Body = body
	return request, nil
}

// refuseUnauthorized answers what authorize says, in the service's own way.
func refuseUnauthorized(w http.ResponseWriter, r *http.Request, err error) {
	denied, unreadable := (*denial)(nil), (*actions.UnreadableError)(nil)
	switch {
	case errors.As(err, &denied):
		refuseAccess(w, r, denied.Error())
	case errors.As(err, &unreadable) && protocolOf(r) == awsJSON:
		refuse(w, r, http.StatusBadRequest, "SerializationException", unreadable.Message)
	case errors.As(err, &unreadable):
		refuse(w, r, http.StatusBadRequest, "MalformedInput", unreadable.Message)
	default:
		refuse(w, r, http.StatusInternalServerError, "InternalFailure", err.Error())
	}
}

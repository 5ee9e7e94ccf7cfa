package simulation

import (
	"context"
	"fmt"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

var _ reconcile.Gateways = (*run)(nil)

// call makes one call of the run. Other actors may act before its effect, and again
// before its answer arrives.
func (n *run) call(name string, kinds []fault, effect func(fault) error) error {
	if !n.w.every || !private[name] {
		n.pause(name)
	}
	f := n.fault(kinds)
	err := effect(f)
	if n.w.trace {
		n.w.log("%s: %s%s", n.name, name, map[bool]string{true: " fails: " + text(err)}[err != nil])
	}
	if name != "Policy" || err != nil {
		n.visible = n.w.text(n.gateway)
	}
	if n.w.every { // no other actor can act before the run's next call
		n.learn(name, err)
		return err
	}
	n.pause("answer of " + name)
	return err
}

// private are the calls that neither affect other actors of a tiny world nor depend on
// them: their order makes no difference there.
var private = map[string]bool{"Describe": true, "Lookup": true, "Journal": true, "Publish": true}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Describe reads the gateway from the model, and begins a pass.
func (n *run) Describe(_ context.Context, gateway grant.Gateway) (observed plan.Observed, err error) {
	n.refused, n.known, n.informed, n.unmarked = nil, nil, false, false // a pass begins
	err = n.call("Describe", readFaults, func(f fault) error {
		if f != none {
			return f.failure("describe")
		}
		found, exists := n.w.service.Lookup(gateway.ID())
		tags := n.w.service.Tags(found.ARN)
		observed = plan.Observed{
			Gateway: gateway, Exists: exists, Authorizer: string(found.AuthorizerType), Status: string(found.Status),
			Managed: tags[plan.ManagedTag] == plan.ManagedValue,
		}
		return nil
	})
	return observed, err
}

// Policy reads the policy from the model. A stale read answers an earlier one.
func (n *run) Policy(_ context.Context, _ grant.Gateway) (document *policy.Document, err error) {
	err = n.call("Policy", policyReads, func(f fault) error {
		if f != none && f != outdated {
			return f.failure("read the policy")
		}
		text := n.w.text(n.gateway)
		if was := n.gateway.was; f == outdated && len(was) > 0 {
			text = was[n.w.pick(len(was))].text
			n.stale = true
			n.w.log("%s: the next read is stale", n.name)
		}
		document = parse(text)
		n.read, n.readAt, n.visible = document, n.w.effects+1, text
		if n.known == nil {
			recorded := n.w.state(n.gateway)
			n.known, n.basis, n.basisAt = &recorded, document, n.readAt
		}
		n.doubts(document)
		for _, arn := range n.w.leftovers(document) {
			if n.gateway.gone[arn] == 0 && f == none && n.w.follows(n.gateway, arn) {
				n.gateway.gone[arn] = n.w.effects
			}
		}
		return nil
	})
	return document, err
}

// PutPolicy judges the document and has the model accept or reject it.
func (n *run) PutPolicy(_ context.Context, _ grant.Gateway, document *policy.Document) error {
	return n.write("PutPolicy", document)
}

// DeletePolicy judges a write that leaves no policy, and makes it.
func (n *run) DeletePolicy(context.Context, grant.Gateway) error { return n.write("DeletePolicy", nil) }

func (n *run) write(name string, document *policy.Document) error {
	visible := n.visible // as of the call before this one
	return n.call(name, writeFaults, func(f fault) error {
		n.gateway.attempts++
		n.onlyObserves()
		n.waitsForApproval()
		n.judge(document, visible)
		switch f {
		case none, unanswered:
			before := n.w.traces(n.gateway)
			if err := n.put(document); err != nil {
				return err
			}
			n.keepsGranted(ownedOnly(document))
			n.w.wipe(n.gateway, before, n.decided())
			if f == none {
				return nil
			}
		case delayed:
			if document == nil || !n.w.refuses(principalsOf(document)) && n.w.objection(document) == nil {
				n.keepsGranted(ownedOnly(document))
			}
			put := n.owes(document)
			n.gateway.late = append(n.gateway.late, lateWrite{put: put, by: n.w.now.Add(lateBy), decided: n.decided()})
		}
		return f.failure("write the policy")
	})
}

// put has AWS take the document, nil for none, or refuse it.
func (n *run) put(document *policy.Document) error {
	g := n.gateway
	err := n.w.replacePolicy(g, document)
	if document == nil && notFound(err) {
		return nil
	}
	if err != nil {
		return n.refusal(document, err)
	}
	n.w.product(g)
	n.others++
	put := n.owes(document)
	put.done = true
	n.w.log("%s: the policy of %s is now %s", n.name, g.name, put.text)
	return nil
}

// owes notes a write that the journal does not have yet.
func (n *run) owes(document *policy.Document) *written {
	n.owed = &written{cause: n.cause.Text}
	if document != nil {
		n.owed.text = document.String()
	}
	n.gateway.puts = append(n.gateway.puts, n.owed)
	return n.owed
}

// replacePolicy has AWS take a whole policy, nil for none, or refuse it.
func (w *world) replacePolicy(g *gateway, document *policy.Document) error {
	if document == nil {
		return w.service.DeleteResourcePolicy(caller, g.ARN())
	}
	if err := w.objection(document); err != nil {
		return err
	}
	_, err := w.service.PutResourcePolicy(caller, g.ARN(), document.String())
	return err
}

// objection is why AWS rejects a document in which it knows every principal: for one
// principal that no rule forbids, or for its size once AWS has expanded account ids.
// The product need not know either.
func (w *world) objection(document *policy.Document) error {
	for _, principal := range principalsOf(document) {
		if principal == w.disliked || rootOf(principal) == w.disliked {
			return &model.Error{Code: model.Validation, Message: "the policy is not valid"}
		}
	}
	if w.expands && w.expandedSize(document) > w.limits.MaxBytes {
		return &model.Error{Code: model.Validation, Message: fmt.Sprintf("Member must have length less than or equal to %d", w.limits.MaxBytes)}
	}
	return nil
}

// expandedSize is how many bytes a document has once account ids are root ARNs.
func (w *world) expandedSize(document *policy.Document) int {
	if document == nil {
		return 0
	}
	size := len(document.String())
	for _, principal := range principalsOf(document) {
		if len(principal) == len(owner) {
			size += len(rootOf(owner)) - len(owner)
		}
	}
	return size
}

// isTight reports whether the policy may have no room for what is granted.
func (w *world) isTight() bool { return w.limits.MaxBytes < plan.MaxPolicyBytes || w.crowded }

func notFound(err error) bool {
	failure, ok := err.(*model.Error) //nolint:errorlint // the model returns nothing else
	return ok && failure.Code == model.ResourceNotFound
}

func (n *run) refusal(document *policy.Document, err error) error {
	failure := err.(*model.Error) //nolint:errorlint // the model returns nothing else
	if strings.Contains(failure.Message, "length less than or equal to") {
		return &grant.Error{Code: reconcile.CodePolicyTooLarge, Op: "put the resource policy", Err: err}
	}
	if failure.Code == model.Validation && n.refused == nil {
		n.refused = document
	}
	if strings.Contains(failure.Message, "Invalid principal") {
		if n.sought == 0 {
			n.sought = n.w.iam.changes + 1
		}
		return &grant.Error{Code: reconcile.CodePrincipalRejected, Op: "put the resource policy", Err: err}
	}
	if failure.Code == model.Validation {
		return &grant.Error{Code: reconcile.CodeInvalidPolicy, Op: "put the resource policy", Err: err}
	}
	return err
}

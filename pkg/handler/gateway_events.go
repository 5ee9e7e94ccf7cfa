package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// OwnerList is the list of accounts whose gateways are managed.
type OwnerList interface {
	// IsOwner reports whether the account is on the list, or fails.
	IsOwner(ctx context.Context, account string) (bool, error)
}

// GatewayEvents handles events about single gateways: requests to reconcile
// one, and calls that touched one or its policy; and probes of the accounts that forward
// those. All fields but Owners and Listed are required.
type GatewayEvents struct {
	Reconciler Reconciler
	Owners     []string  // accounts whose gateways are managed; none for any
	Listed     OwnerList // where there are Owners: more of them
	Probes     Probes
	Now        func() time.Time
	Log        *slog.Logger
	Metrics    Metrics
}

// Handle reconciles the gateway that an event is about. An event says where to
// look, never what to do. Handle fails only where the same event may succeed
// later; one that is malformed, comes from the wrong account or is about no
// gateway is logged and dropped.
func (g *GatewayEvents) Handle(ctx context.Context, payload json.RawMessage) error {
	var done counts
	defer func() { g.Metrics.Emit(ctx, "", done) }()

	received, err := event.Parse(payload)
	if err == nil {
		owners, unread := g.owners(ctx, received)
		if unread != nil {
			return unread
		}
		err = checkSender(received, accountOf(ctx), owners)
	}
	if err != nil {
		g.Log.ErrorContext(ctx, "event dropped", "error", event.OneLine(err.Error()), "payload", event.OneLine(string(payload)))
		done.add(CountMalformed, 1)
		return nil
	}
	if probe, is := received.(event.Probe); is && probe.Source == event.ProbeGateways {
		return g.probed(ctx, probe)
	}
	about := subjectOf(received)
	if about.ignored != "" {
		g.Log.InfoContext(ctx, "event ignored", "reason", about.ignored)
		done.add(CountIgnored, 1)
		return nil
	}
	result, err := reconcileNow(ctx, g.Reconciler, g.Log, about.gateway, about.cause)
	if err != nil {
		done.add(CountUnrecorded, 1)
		return err
	}
	g.Metrics.Emit(ctx, about.gateway.ARN(), measured(about.cause, result))
	return nil
}

// owners are the accounts that may be the event's, as far as they are owners.
func (g *GatewayEvents) owners(ctx context.Context, received event.Event) ([]string, error) {
	if len(g.Owners) == 0 || g.Listed == nil {
		return g.Owners, nil
	}
	var owner string
	switch e := received.(type) {
	case event.GatewayCall:
		if owner = e.Gateway.Account(); owner != e.Sender {
			return g.Owners, nil
		}
	case event.Probe:
		owner = e.Sender
	default:
		return g.Owners, nil
	}
	if owner == accountOf(ctx) || slices.Contains(g.Owners, owner) {
		return g.Owners, nil
	}
	switch listed, err := g.Listed.IsOwner(ctx, owner); {
	case err != nil:
		return nil, fmt.Errorf("read whether account %s owns gateways: %w", owner, err)
	case listed:
		return []string{owner}, nil
	default:
		return g.Owners, nil
	}
}

// CodeWrongSender is the code of an event that its account may not send.
const CodeWrongSender grant.Code = "EventFromWrongAccount"

// checkSender fails with CodeWrongSender if an event comes from another account
// than its gateway is in, or from one that is neither an owner nor the hub. Only
// the hub, in which the functions run, requests reconciles; "" is a hub that is
// not known. Rules filter by account as well, but who may put events on a bus is
// for the policy of that bus to say, and others edit those.
func checkSender(received event.Event, hub string, owners []string) error {
	switch e := received.(type) {
	case event.Requested:
		if hub != "" && e.Sender != hub {
			return wrongSender(e.Sender, "requests a reconcile, which only account "+hub+" may do")
		}
	case event.GatewayCall:
		switch owner := e.Gateway.Account(); {
		case e.Sender != owner:
			return wrongSender(e.Sender, "is about a gateway of account "+owner)
		case len(owners) > 0 && owner != hub && !slices.Contains(owners, owner):
			return wrongSender(e.Sender, "is about a gateway of that account, which is no owner: gateway-grants account list --owner shows those that are")
		}
	case event.Probe:
		if e.Source == event.ProbeGateways && len(owners) > 0 && e.Sender != hub && !slices.Contains(owners, e.Sender) {
			return wrongSender(e.Sender, "is a probe of that account, which is no owner")
		}
	}
	return nil
}

func wrongSender(account, problem string) error {
	return &grant.Error{
		Code: CodeWrongSender, Op: "check the sender of an event",
		Hint: "an event of account " + event.OneLine(account) + " " + problem + ": check which accounts may put events on the bus",
	}
}

// accountOf is the account that the function runs in; "" outside Lambda.
// https://docs.aws.amazon.com/lambda/latest/dg/golang-context.html
func accountOf(ctx context.Context) string {
	invocation, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return ""
	}
	const accountField = 4 // arn:aws:lambda:REGION:ACCOUNT:function:NAME
	if fields := strings.Split(invocation.InvokedFunctionArn, ":"); len(fields) > accountField {
		return fields[accountField]
	}
	return ""
}

// subject is the gateway that an event is about, or why there is none.
type subject struct {
	gateway grant.Gateway
	cause   reconcile.Cause
	ignored string
}

func subjectOf(received event.Event) subject {
	switch e := received.(type) {
	case event.Requested:
		if e.Request.Every {
			return subject{ignored: "the sweep function handles requests for every gateway"}
		}
		return subject{gateway: e.Request.Gateway, cause: reconcile.Cause{Text: e.Request.Cause, RequestedAt: e.Request.At}}
	case event.GatewayCall:
		return subject{gateway: e.Gateway, cause: causeOf(e)}
	case event.Ignored:
		return subject{ignored: e.Reason}
	default:
		return subject{ignored: "the event is about no gateway"}
	}
}

// causeOf says which call it was and who made it. The product's own calls arrive
// as events like any other and are no drift: what is found wrong after one was
// done by others.
func causeOf(call event.GatewayCall) reconcile.Cause {
	cause := reconcile.Cause{Text: call.Name + " (CloudTrail event " + call.ID + ")", By: call.By, RequestedAt: call.At}
	if slices.Contains(strings.Fields(call.UserAgent), "app/"+AppID) {
		cause.Text, cause.By = "own "+cause.Text, ""
	}
	return cause
}

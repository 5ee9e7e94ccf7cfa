package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// What a schedule may ask for, as {"sweep": …}.
const (
	SweepDue          = "due"          // gateways whose time has come
	SweepGateways     = "gateways"     // the managed gateways whose turn it is
	SweepOrganization = "organization" // every account; the organization function's
)

// States is what is recorded about gateways, as far as sweeps need it.
type States interface {
	// Due lists the ARNs of the gateways that are due at the given time or
	// before it, the longest due first, without those just asked for.
	Due(ctx context.Context, before time.Time) (gateways []string, err error)
	// Asked records that a gateway that is due was asked for, which keeps it from
	// being Due until it was reconciled or the request must have been lost.
	Asked(ctx context.Context, gateway grant.Gateway, at time.Time) error
	// Load reads everything recorded about the gateway.
	Load(ctx context.Context, gateway grant.Gateway) (plan.State, error)
}

// Sweep asks for gateways to be reconciled that no event speaks of, and for each
// of those that a request for every gateway means. All fields but Minutes are
// required.
type Sweep struct {
	States   States
	Gateways Gateways
	Requests Requests
	Now      func() time.Time
	Log      *slog.Logger
	Metrics  Metrics

	// Minutes is how long a round through all managed gateways takes, with a run
	// each minute that asks for those whose turn it is. Each has its own minute
	// of the round, so no run needs to know of another. Zero means that every run
	// asks for all.
	Minutes int
}

// Handle publishes a request for each gateway that its input is about: the input
// of a schedule, or a request for every gateway. Gateways that are due stay due
// until they were reconciled, so a request that is lost is made again. The input
// is our own, so one that is not known is an error: somebody misconfigured a
// schedule or a rule.
func (s *Sweep) Handle(ctx context.Context, payload json.RawMessage) error {
	var input struct {
		event
		Sweep string    `json:"sweep"`
		At    time.Time `json:"at"` // when the schedule meant it to run
	}
	if err := json.Unmarshal(payload, &input); err != nil {
		return fmt.Errorf(`read the input, which is {"sweep":%q}, {"sweep":%q} or an event: %w`, SweepDue, SweepGateways, err)
	}
	now := s.Now()
	a := &asking{Sweep: s, cause: "sweep: " + input.Sweep, at: now}
	var err error
	switch {
	case input.Sweep == SweepDue:
		err = a.due(ctx, now)
	case input.Sweep == SweepGateways && input.At.IsZero():
		err = a.turn(ctx, now)
	case input.Sweep == SweepGateways:
		err = a.turn(ctx, input.At)
	case input.Source == Source && input.DetailType == ReconcileRequested:
		a.every(ctx, input.event)
	default:
		return fmt.Errorf("there is no sweep %q here; write %q or %q", clip(input.Sweep), SweepDue, SweepGateways)
	}
	return a.end(ctx, err)
}

// asking is one run under way.
type asking struct {
	*Sweep
	cause    string
	at       time.Time // when it was asked for, as the requests say
	pending  []Request
	done     counts
	failures []error
	then     func(Request) // with each request that was published
}

// due asks for what is due.
func (a *asking) due(ctx context.Context, now time.Time) error {
	arns, err := a.States.Due(ctx, now)
	if err != nil {
		return fmt.Errorf("look up what is due: %w", err)
	}
	a.then = func(request Request) {
		// If this is not recorded, it is asked for again a minute from now.
		if err := a.States.Asked(ctx, request.Gateway, now); err != nil {
			a.Log.WarnContext(ctx, "not recorded that a gateway was asked for", "gateway", request.Gateway.ARN(), "error", clip(err.Error()))
		}
	}
	for _, arn := range arns {
		gateway, err := grant.ParseGateway(arn)
		if err != nil {
			a.Log.ErrorContext(ctx, "item of the state table let go", "error", err.Error())
			continue
		}
		a.add(ctx, gateway)
	}
	return nil
}

// turn asks for the managed gateways whose turn it is at that time, and for those
// that are managed no more and may still let somebody in.
func (a *asking) turn(ctx context.Context, at time.Time) error {
	return a.walk(ctx, func(gateway grant.Gateway) bool { return a.isTurn(gateway, at) }, func(gateway grant.Gateway) bool {
		state, err := a.States.Load(ctx, gateway)
		if err != nil {
			a.failures = append(a.failures, fmt.Errorf("find out whether %s, which is not managed, lets anybody in: %w", gateway, err))
		}
		return err == nil && (mayLetIn(state.Gateway.AppliedHash) || mayLetIn(state.Gateway.PendingHash))
	})
}

// isTurn gives each gateway one minute of the round, by its name, so that they
// are spread over it evenly and each stays where it is when others come and go.
func (a *asking) isTurn(gateway grant.Gateway, at time.Time) bool {
	if a.Minutes <= 1 {
		return true
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(gateway.ARN()))
	round := uint64(a.Minutes)
	return sum.Sum64()%round == uint64(at.Unix()/60)%round //nolint:gosec // no time before 1970
}

// every asks for all managed gateways, as an event wants it.
func (a *asking) every(ctx context.Context, e event) {
	var request Request
	if json.Unmarshal(e.Detail, &request) != nil || !request.Every {
		a.Log.ErrorContext(ctx, "event let go: it asks for no sweep", "id", clip(e.ID), "detail", clip(string(e.Detail)))
		a.done.add(CountMalformed, 1)
		return
	}
	a.cause = request.Cause
	if !request.At.IsZero() {
		a.at = request.At
	}
	// What could not be found now is found in its turn. Failing would have Lambda
	// ask for all of them again, twice.
	_ = a.walk(ctx, func(grant.Gateway) bool { return true }, func(grant.Gateway) bool { return false })
}

// walk asks for the wanted gateways, as they are found. An owner or region that
// cannot be walked through keeps nobody else's gateways from being asked for.
func (a *asking) walk(ctx context.Context, wanted, thoughUnmanaged func(grant.Gateway) bool) error {
	err := a.Gateways.Walk(ctx, wanted, func(gateway grant.Gateway, managed bool) {
		if managed || thoughUnmanaged(gateway) {
			a.add(ctx, gateway)
		}
	})
	if err != nil {
		a.done.add(CountUnlisted, 1)
		a.Log.ErrorContext(ctx, "not all gateways could be found", "cause", a.cause, "error", err.Error())
		return fmt.Errorf("find the managed gateways: %w", err)
	}
	return nil
}

// together is how many requests one call of EventBridge takes.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
const together = 10

func (a *asking) add(ctx context.Context, gateway grant.Gateway) {
	a.pending = append(a.pending, Request{Gateway: gateway, Cause: a.cause, At: a.at})
	if len(a.pending) == together {
		a.publish(ctx)
	}
}

func (a *asking) publish(ctx context.Context) {
	requests := a.pending
	a.pending = nil
	err := a.Requests.Request(ctx, requests)
	lost := unsent(requests, err)
	if err != nil {
		a.failures = append(a.failures, err)
	}
	a.done.add(CountRequested, len(requests)-len(lost))
	a.done.add(CountUnrecorded, len(lost))
	for _, request := range requests {
		if _, is := lost[request.Gateway]; !is && a.then != nil {
			a.then(request)
		}
	}
}

// end publishes what is left and tells what was done.
func (a *asking) end(ctx context.Context, err error) error {
	if len(a.pending) > 0 {
		a.publish(ctx)
	}
	err = errors.Join(append(a.failures, err)...)
	a.Metrics.Emit(ctx, "", a.done)
	if len(a.done) > 0 || err != nil {
		a.Log.InfoContext(ctx, "sweep", "cause", a.cause, "requested", a.done[CountRequested], "lost", a.done[CountUnrecorded])
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a.cause, err)
	}
	return nil
}

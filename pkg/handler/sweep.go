package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// States is what is recorded about gateways, as far as sweeps need it.
type States interface {
	// Due lists the ARNs of the gateways that are due at the given time or
	// before it, the longest due first, without those just asked for.
	Due(ctx context.Context, before time.Time) (gateways []string, err error)
	// Asked records that a gateway that is due was asked for, which keeps it from
	// being Due until it was reconciled or the request must have been lost.
	Asked(ctx context.Context, gateway grant.Gateway, at time.Time) error
	// Attention reads what needs attention about each gateway, by ARN.
	Attention(ctx context.Context) (map[string]plan.Attention, error)
	// Removal reads the last mass removal; the zero MassRemoval is none.
	Removal(ctx context.Context) (grant.MassRemoval, error)
	// RecordedOwners reads what is recorded of owner accounts; nothing of one that has not joined.
	RecordedOwners(ctx context.Context) (map[string]ledger.Owner, error)
	// SetOwner records an owner account.
	SetOwner(ctx context.Context, account string, owner ledger.Owner) error
	// Load reads everything recorded about the gateway.
	Load(ctx context.Context, gateway grant.Gateway) (ledger.State, error)
}

// Sweep requests reconciles of gateways that are due or in their slot, without an event,
// and of each gateway that a request for every gateway is for. All fields but Minutes
// are required.
type Sweep struct {
	States   States
	Gateways Gateways
	Requests Requests
	Now      func() time.Time
	Log      *slog.Logger
	Metrics  Metrics

	// Minutes is how long a round through all managed gateways takes, with a run
	// each minute that asks for those in its slot. Each owner and each gateway has its own
	// slot, so no run needs to know of another. Zero means that every run asks for all.
	Minutes int
}

// Handle publishes a request for each gateway that its input is about: the input
// of a schedule, or a request for every gateway. Gateways that are due stay due
// until they were reconciled, so a request that is lost is made again. Schedules
// and rules are our own, so Handle fails if it does not know its input: the
// schedule or rule is misconfigured.
func (s *Sweep) Handle(ctx context.Context, payload json.RawMessage) error {
	received, err := event.Parse(payload)
	if err != nil && grant.CodeOf(err) != event.CodeMalformed {
		return fmt.Errorf(`read the input, which is {"sweep":%q}, {"sweep":%q} or an event: %w`, event.SweepDue, event.SweepGateways, err)
	}
	switch e := received.(type) {
	case event.Schedule:
		return s.scheduled(ctx, e)
	case event.Requested:
		if e.Request.Every {
			return s.every(ctx, e.Request)
		}
		err = fmt.Errorf("a request for gateway %s reached the sweep function: check the rule that sent it", e.Request.Gateway)
	case nil: // malformed
	default:
		return errors.New("the event is for another function: check the rule that sent it")
	}
	s.Log.ErrorContext(ctx, "event dropped", "error", event.OneLine(err.Error()), "payload", event.OneLine(string(payload)))
	s.Metrics.Emit(ctx, "", map[string]int{CountMalformed: 1})
	return nil
}

func (s *Sweep) scheduled(ctx context.Context, schedule event.Schedule) error {
	now := s.Now()
	run := &sweepRun{Sweep: s, cause: "sweep: " + schedule.Sweep, at: now}
	switch schedule.Sweep {
	case event.SweepDue:
		return run.end(ctx, errors.Join(run.due(ctx, now), s.publishGauges(ctx)))
	case event.SweepGateways:
		slot := schedule.At
		if slot.IsZero() {
			slot = now
		}
		return run.end(ctx, run.slot(ctx, slot))
	default:
		return fmt.Errorf("there is no sweep %q here; write %q or %q", event.OneLine(schedule.Sweep), event.SweepDue, event.SweepGateways)
	}
}

// every requests all managed gateways. A gateway that cannot be listed now is listed in
// its slot: an error would make Lambda request all of them again, twice.
func (s *Sweep) every(ctx context.Context, request event.Request) error {
	run := &sweepRun{Sweep: s, cause: request.Cause, at: request.At}
	if run.at.IsZero() {
		run.at = s.Now()
	}
	run.all(ctx, request.Owners)
	return run.end(ctx, nil)
}

// sweepRun is one run under way.
type sweepRun struct {
	*Sweep

	cause    string
	at       time.Time // when it was asked for, as the requests say
	pending  []event.Request
	done     counts
	failures []error
	then     func(event.Request) // with each request that was published
}

// due asks for what is due.
func (r *sweepRun) due(ctx context.Context, now time.Time) error {
	arns, err := r.States.Due(ctx, now)
	if err != nil {
		return fmt.Errorf("look up what is due: %w", err)
	}
	r.then = func(request event.Request) {
		// If this is not recorded, it is asked for again a minute from now.
		if err := r.States.Asked(ctx, request.Gateway, now); err != nil {
			r.Log.WarnContext(ctx, "failed to record that a reconcile was requested", "gateway", request.Gateway.ARN(), "error", event.OneLine(err.Error()))
		}
	}
	for _, arn := range arns {
		gateway, err := grant.ParseGateway(arn)
		if err != nil {
			r.Log.ErrorContext(ctx, "item of the state table dropped", "error", err.Error())
			continue
		}
		r.add(ctx, gateway)
	}
	return nil
}

// together is how many requests one call of EventBridge takes.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
const together = 10

func (r *sweepRun) add(ctx context.Context, gateway grant.Gateway) {
	r.pending = append(r.pending, event.Request{Gateway: gateway, Cause: r.cause, At: r.at})
	if len(r.pending) == together {
		r.publish(ctx)
	}
}

func (r *sweepRun) publish(ctx context.Context) {
	requests := r.pending
	r.pending = nil
	err := r.Requests.Request(ctx, requests)
	lost := unsent(requests, err)
	if err != nil {
		r.failures = append(r.failures, err)
	}
	r.done.add(CountRequested, len(requests)-len(lost))
	r.done.add(CountUnrecorded, len(lost))
	for _, request := range requests {
		if _, is := lost[request.Gateway]; !is && r.then != nil {
			r.then(request)
		}
	}
}

// end publishes what is left, and logs and counts what was done.
func (r *sweepRun) end(ctx context.Context, err error) error {
	if len(r.pending) > 0 {
		r.publish(ctx)
	}
	err = errors.Join(append(r.failures, err)...)
	r.Metrics.Emit(ctx, "", r.done)
	if len(r.done) > 0 || err != nil {
		r.Log.InfoContext(ctx, "sweep", "cause", r.cause, "requested", r.done[CountRequested], "lost", r.done[CountUnrecorded])
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.cause, err)
	}
	return nil
}

package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
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
	// Attention reads what of each gateway wants a person, by ARN.
	Attention(ctx context.Context) (map[string]plan.Attention, error)
	// Removal reads the last mass removal; the zero MassRemoval is none.
	Removal(ctx context.Context) (grant.MassRemoval, error)
	// Load reads everything recorded about the gateway.
	Load(ctx context.Context, gateway grant.Gateway) (ledger.State, error)
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
	// each minute that asks for those in its slot. Each gateway has its own slot, so
	// no run needs to know of another. Zero means that every run
	// asks for all.
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
		return run.end(ctx, errors.Join(run.due(ctx, now), s.publish(ctx)))
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

// every asks for all managed gateways. What cannot be found now is found in its
// slot: an error would make Lambda ask for all of them again, twice.
func (s *Sweep) every(ctx context.Context, request event.Request) error {
	run := &sweepRun{Sweep: s, cause: request.Cause, at: request.At}
	if run.at.IsZero() {
		run.at = s.Now()
	}
	_ = run.walk(ctx, func(grant.Gateway) bool { return true }, func(grant.Gateway) bool { return false })
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
			r.Log.WarnContext(ctx, "not recorded that a gateway was asked for", "gateway", request.Gateway.ARN(), "error", event.OneLine(err.Error()))
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

// slot asks for the managed gateways whose slot it is at that time, and for those
// that are no longer managed and may still hold statements of ours.
func (r *sweepRun) slot(ctx context.Context, at time.Time) error {
	err := r.walk(ctx, func(gateway grant.Gateway) bool { return r.inSlot(gateway, at) }, func(gateway grant.Gateway) bool {
		state, err := r.States.Load(ctx, gateway)
		if err != nil {
			r.failures = append(r.failures, fmt.Errorf("find out whether %s, which is not managed, holds statements of ours: %w", gateway, err))
		}
		return err == nil && (mayLetIn(state.Gateway.AppliedHash) || mayLetIn(state.Gateway.PendingHash))
	})
	unlisted := 0
	if err != nil {
		unlisted = 1
	}
	r.Metrics.Emit(ctx, "", map[string]int{GaugeUnlisted: unlisted})
	return err
}

// inSlot gives each gateway one minute of the round, by its name, so that they
// are spread over it evenly and each keeps its minute when others come and go.
func (r *sweepRun) inSlot(gateway grant.Gateway, at time.Time) bool {
	if r.Minutes <= 1 {
		return true
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(gateway.ARN()))
	round := uint64(r.Minutes)
	return sum.Sum64()%round == uint64(at.Unix()/60)%round //nolint:gosec // no time before 1970
}

// walk asks for the wanted gateways, as they are found. An owner or region that
// cannot be listed holds up no other.
func (r *sweepRun) walk(ctx context.Context, wanted, includeUnmanaged func(grant.Gateway) bool) error {
	err := r.Gateways.Walk(ctx, wanted, func(gateway grant.Gateway, managed bool) {
		if managed || includeUnmanaged(gateway) {
			r.add(ctx, gateway)
		}
	})
	if err != nil {
		r.Log.ErrorContext(ctx, "not all gateways could be found", "cause", r.cause, "error", err.Error())
		return fmt.Errorf("find the managed gateways: %w", err)
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

package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// What a schedule may ask for, as {"sweep": …}.
const (
	SweepDue          = "due"          // gateways whose time has come
	SweepGateways     = "gateways"     // every managed gateway
	SweepOrganization = "organization" // every account; the organization function's
)

// Due lists the gateways that are to be looked at again.
type Due interface {
	// Due lists the ARNs of the gateways that are due at the given time or
	// before it, the longest due first.
	Due(ctx context.Context, before time.Time) (gateways []string, err error)
}

// Sweep asks for gateways to be reconciled that no event speaks of. All fields
// are required.
type Sweep struct {
	States   Due
	Gateways Gateways
	Requests Requests
	Now      func() time.Time
	Log      *slog.Logger
	Metrics  Metrics
}

// Handle publishes a request for each gateway that the sweep is about. The
// gateways that are due stay due until they were reconciled, so a request that
// is lost is made again. Its input is our own, so one that it does not know is
// an error: somebody misconfigured a schedule.
func (s *Sweep) Handle(ctx context.Context, payload json.RawMessage) error {
	var done counts
	defer func() { s.Metrics.Emit(ctx, "", done) }()

	var input struct {
		Sweep string `json:"sweep"`
	}
	if err := json.Unmarshal(payload, &input); err != nil {
		return fmt.Errorf(`read the schedule's input, which is {"sweep":%q} or {"sweep":%q}: %w`, SweepDue, SweepGateways, err)
	}
	gateways, err := s.gateways(ctx, input.Sweep)
	if err != nil || len(gateways) == 0 {
		return err
	}
	now := s.Now()
	requests := make([]Request, len(gateways))
	for i, gateway := range gateways {
		requests[i] = Request{Gateway: gateway, Cause: "sweep: " + input.Sweep, At: now}
	}
	err = s.Requests.Request(ctx, requests)
	lost := len(unsent(requests, err))
	done.add(CountRequested, len(requests)-lost)
	done.add(CountUnrecorded, lost)
	s.Log.InfoContext(ctx, "sweep", "sweep", input.Sweep, "requested", len(requests)-lost, "lost", lost)
	if err != nil {
		return fmt.Errorf("sweep: %s: %w", input.Sweep, err)
	}
	return nil
}

func (s *Sweep) gateways(ctx context.Context, sweep string) ([]grant.Gateway, error) {
	switch sweep {
	case SweepDue:
		return s.due(ctx)
	case SweepGateways:
		gateways, err := s.Gateways.Managed(ctx)
		if err != nil {
			return nil, fmt.Errorf("sweep: list the managed gateways: %w", err)
		}
		return gateways, nil
	default:
		return nil, fmt.Errorf("there is no sweep %q here; write %q or %q", clip(sweep), SweepDue, SweepGateways)
	}
}

func (s *Sweep) due(ctx context.Context) ([]grant.Gateway, error) {
	arns, err := s.States.Due(ctx, s.Now())
	if err != nil {
		return nil, fmt.Errorf("sweep: look up what is due: %w", err)
	}
	gateways := make([]grant.Gateway, 0, len(arns))
	for _, arn := range arns {
		gateway, err := grant.ParseGateway(arn)
		if err != nil {
			s.Log.ErrorContext(ctx, "item of the state table let go", "error", err.Error())
			continue
		}
		gateways = append(gateways, gateway)
	}
	return gateways, nil
}

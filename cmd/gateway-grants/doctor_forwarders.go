package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/doctor"
	"github.com/gateway-grants/gateway-grants/pkg/inspect"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// probing is how long to wait for probes.
type probing struct{ most time.Duration }

func (w *probing) flags(cmd *cobra.Command) {
	const most = time.Minute
	cmd.Flags().DurationVar(&w.most, "timeout", most, "how long to wait at most for probes to arrive")
}

func (w probing) check(cmd *cobra.Command, preflight bool) error {
	switch {
	case preflight && cmd.Flags().Changed("timeout"):
		return usage(cmd, "--timeout is about a deployment that stands: it does not go with --preflight")
	case w.most <= 0:
		return usage(cmd, fmt.Sprintf("--timeout %s leaves no time to wait: write 1m, for example", w.most))
	}
	return nil
}

// forwarders sends a probe through each rule that forwards events to the hub, and waits
// until they arrive.
func (e examination) forwarders(ctx context.Context, f doctor.Facts, partition string, w probing) doctor.Reading[[]doctor.Forwarder] {
	run := strings.ToLower(rand.Text()[:16])
	deployment := reachOf(f.Stack.Value.Parameters)
	reach := doctor.Reach{Partition: partition, Regions: deployment.Regions, Role: deployment.Role, ExternalID: deployment.ExternalID}
	routes := doctor.Routes(f, reach, run)
	e.send(ctx, routes)
	arrived, err := e.arrived(ctx, f, run, routes, w)
	if err != nil {
		return doctor.Reading[[]doctor.Forwarder]{Err: e.reader.Explain(err)}
	}
	var all []doctor.Forwarder
	for _, r := range routes {
		for i, rule := range r.Rules {
			rule.Arrived = slices.Contains(arrived, r.Probes[i].ID)
			all = append(all, rule)
		}
	}
	return doctor.Reading[[]doctor.Forwarder]{Value: all}
}

// sendsAtOnce is how many accounts probes are sent in together.
const sendsAtOnce = 10

func (e examination) send(ctx context.Context, routes []*doctor.Route) {
	shown := e.p.steps("Sending probes", len(routes))
	defer shown.clear()
	var mu sync.Mutex
	var all sync.WaitGroup
	turn := make(chan struct{}, sendsAtOnce)
	for _, r := range routes {
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			err := e.reader.Send(ctx, r.Bus, r.Probes...)
			for i := range r.Rules {
				switch {
				case err == nil:
				case r.Optional && errors.Is(err, inspect.ErrNotAssumed):
					r.Rules[i].NotTried = true
				default:
					r.Rules[i].Unsent = e.reader.Explain(err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			shown.done()
		})
	}
	all.Wait()
}

// arrivesEvery is how often what arrived is looked at.
const arrivesEvery = time.Second

// arrived waits for the probes that were sent, and lists those that arrived in time.
func (e examination) arrived(ctx context.Context, f doctor.Facts, run string, routes []*doctor.Route, w probing) ([]string, error) {
	sent := 0
	for _, r := range routes {
		for _, rule := range r.Rules {
			if !rule.NotTried && rule.Unsent == "" {
				sent++
			}
		}
	}
	states := store.NewStates(dynamodb.NewFromConfig(e.s.config), f.Stack.Value.Outputs["StateTableName"])
	shown, deadline := e.p.steps("Waiting for probes to arrive", sent), e.p.now().Add(w.most)
	defer shown.clear()
	for sent > 0 {
		arrived, err := states.Probes(ctx, run+"-")
		if err != nil || len(arrived) >= sent || !e.p.now().Before(deadline) {
			return arrived, err
		}
		shown.at(len(arrived))
		if err := e.p.clock.Sleep(ctx, arrivesEvery); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

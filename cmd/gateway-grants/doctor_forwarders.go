package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/doctor"
	"github.com/gateway-grants/gateway-grants/pkg/event"
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

// Names that the stacks of other accounts give by default.
const (
	ownersRole         = "gateway-grants-owner"        // RoleName of infra/owner-account.yaml
	organizationsNames = "gateway-grants-organization" // NamePrefix of infra/organization-events.yaml
)

// route is a bus that probes are put on, and the rules there that forward them.
type route struct {
	bus    inspect.DefaultBus
	probes []event.Outgoing
	ids    []string // of the probes
	rules  []doctor.Forwarder
	// optional: only the roles that the stack there names may send
	optional bool
}

// forwarders sends a probe through each rule that forwards events to the hub, and waits
// until they arrive.
func (e examination) forwarders(ctx context.Context, f doctor.Facts, partition string, w probing) doctor.Reading[[]doctor.Forwarder] {
	run := strings.ToLower(rand.Text()[:16])
	routes := e.routes(f, partition, run)
	e.send(ctx, routes)
	arrived, err := e.arrived(ctx, f, run, routes, w)
	if err != nil {
		return doctor.Reading[[]doctor.Forwarder]{Err: e.reader.Explain(err)}
	}
	var all []doctor.Forwarder
	for _, r := range routes {
		for i, rule := range r.rules {
			rule.Arrived = slices.Contains(arrived, r.ids[i])
			all = append(all, rule)
		}
	}
	return doctor.Reading[[]doctor.Forwarder]{Value: all}
}

// routes are those from the owners, from the hub's other Regions and from the management
// account. An owner that has not joined or cannot be reached is the matter of another check.
func (e examination) routes(f doctor.Facts, partition, run string) []*route {
	var routes []*route
	reach, count := reachOf(f.Stack.Value.Parameters), 0
	id := func() string { count++; return fmt.Sprintf("%s-%d", run, count) }
	regions := reach.Regions
	if len(regions) == 0 {
		regions = []string{f.Region}
	}
	ofGateways := func(account, region, role, externalID string) {
		probe := id()
		routes = append(routes, &route{
			bus: inspect.DefaultBus{Region: region, Role: role, ExternalID: externalID}, ids: []string{probe}, probes: []event.Outgoing{event.GatewayProbe(probe)},
			rules: []doctor.Forwarder{{
				Account: account, Region: region, Rule: path.Base(cmp.Or(reach.Role, ownersRole)) + "-events",
				Events: "calls on gateways", Template: "infra/owner-account.yaml",
			}},
		})
	}
	for _, region := range regions {
		if region != f.Region {
			ofGateways(f.Account, region, "", "")
		}
		for _, owner := range f.Owners {
			if !owner.NotJoined && owner.Assumed.Err == "" && owner.Assumed.Value {
				ofGateways(owner.Account, region, "arn:"+partition+":iam::"+owner.Account+":role/"+strings.TrimPrefix(reach.Role, "/"), reach.ExternalID)
			}
		}
	}
	if management := f.Stack.Value.Parameters["ManagementAccountId"]; management != "" {
		// Where AWS Organizations tells of itself.
		// https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-organizations.html
		region := cmp.Or(map[string]string{"aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1"}[partition], "us-east-1")
		ids := [2]string{id(), id()}
		probes := event.AccountProbes(ids)
		const template = "infra/organization-events.yaml"
		routes = append(routes, &route{
			bus: inspect.DefaultBus{Region: region, Role: "arn:" + partition + ":iam::" + management + ":role/" + organizationsNames + "-probe"},
			ids: ids[:], probes: probes[:], optional: true,
			rules: []doctor.Forwarder{
				{Account: management, Region: region, Rule: organizationsNames + "-accounts", Events: "events of the organization", Template: template},
				{Account: management, Region: region, Rule: organizationsNames + "-tags", Events: "changes of accounts' tags", Template: template},
			},
		})
	}
	return routes
}

// sendsAtOnce is how many accounts probes are sent in together.
const sendsAtOnce = 10

func (e examination) send(ctx context.Context, routes []*route) {
	shown := e.p.steps("Sending probes", len(routes))
	defer shown.clear()
	var mu sync.Mutex
	var all sync.WaitGroup
	turn := make(chan struct{}, sendsAtOnce)
	for _, r := range routes {
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			err := e.reader.Send(ctx, r.bus, r.probes...)
			for i := range r.rules {
				switch {
				case err == nil:
					r.rules[i].Sent.Value = true
				case r.optional && errors.Is(err, inspect.ErrNotAssumed):
					r.rules[i].NotTried = "whether " + r.rules[i].Events + " arrive is tried by roles in HubAdminRoles of " + r.rules[i].Template
				default:
					r.rules[i].Sent.Err = e.reader.Explain(err)
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
func (e examination) arrived(ctx context.Context, f doctor.Facts, run string, routes []*route, w probing) ([]string, error) {
	sent := 0
	for _, r := range routes {
		for _, rule := range r.rules {
			if rule.Sent.Value {
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

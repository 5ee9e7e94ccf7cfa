// Gateway-events reconciles the gateway that an event is about: a request for
// it, or a call that touched the gateway or its policy. Events come in messages of
// a queue.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/gateway-grants/gateway-grants/functions/internal/boot"
	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/bus"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

func main() { boot.Run(compose) }

func compose(f boot.Function) any {
	tables, limits := f.Tables(), f.Limits()
	client := dynamodb.NewFromConfig(f.AWS)
	states, accounts := store.NewStates(client, tables.States), store.NewAccounts(client, tables.Accounts)
	events := &handler.GatewayEvents{
		Reconciler: handler.Watched{Attention: states, Log: f.Log, Reconciler: reconcile.New(reconcile.Dependencies{
			Gateways:  agentcore.New(f.AWS, agentcore.Deployment(f.Reach())),
			Grants:    store.NewGrants(client, tables.Grants),
			Directory: accounts,
			States:    states,
			Notices:   bus.New(eventbridge.NewFromConfig(f.AWS), f.Bus(), bus.Wait),
			Now:       f.Now, Log: f.Log,
		}, limits)},
		Owners: limits.Owners, Listed: accounts, Probes: states, Now: f.Now, Log: f.Log, Metrics: f.Metrics,
	}
	return handler.Queued(events.Handle)
}

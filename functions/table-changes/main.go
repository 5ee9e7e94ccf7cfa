// Table-changes reads the streams of the grants and accounts tables and
// reconciles the gateways that a change concerns, or asks for it.
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
	gateways := agentcore.New(f.AWS, agentcore.Deployment(f.Reach()))
	grants := store.NewGrants(client, tables.Grants)
	events := bus.New(eventbridge.NewFromConfig(f.AWS), f.Bus(), bus.Wait)
	states := store.NewStates(client, tables.States)
	changes := &handler.TableChanges{
		Reconciler: handler.Watched{Attention: states, Log: f.Log, Reconciler: reconcile.New(reconcile.Dependencies{
			Gateways: gateways, Grants: grants,
			Directory: store.NewAccounts(client, tables.Accounts), States: states,
			Notices: events, Now: f.Now, Log: f.Log,
		}, limits)},
		Grants: grants, Requests: events, History: states, Notices: events,
		GrantsTable: tables.Grants, AccountsTable: tables.Accounts,
		Now: f.Now, Log: f.Log, Metrics: f.Metrics,
	}
	return changes.Handle
}

// Sweep runs on schedules and asks for gateways to be reconciled: those that are
// due, or those in its slot. It also takes a request for every gateway apart.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/gateway-grants/gateway-grants/functions/internal/boot"
	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/bus"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

func main() { boot.Run(compose) }

func compose(f boot.Function) any {
	tables, client := f.Tables(), dynamodb.NewFromConfig(f.AWS)
	sweep := &handler.Sweep{
		States:   store.NewStates(client, tables.States),
		Gateways: agentcore.New(f.AWS, agentcore.Deployment(f.Reach())).WithOwners(store.NewAccounts(client, tables.Accounts).Owners),
		Requests: bus.New(eventbridge.NewFromConfig(f.AWS), f.Bus(), bus.Wait),
		Minutes:  f.SweepMinutes(),
		Now:      f.Now, Log: f.Log, Metrics: f.Metrics,
	}
	return sweep.Handle
}

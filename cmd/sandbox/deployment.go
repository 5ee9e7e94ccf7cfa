package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/gateway-grants/gateway-grants/pkg/dynamo"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/delivery"
	"github.com/gateway-grants/gateway-grants/pkg/tables"
)

// bus is where the product's own events go.
const bus = "gateway-grants"

// deployment is what a deployed template would make in account A: tables whose
// streams, rules whose events and schedules whose ticks reach our functions.
type deployment struct {
	streams    []*delivery.StreamMapping
	deliveries []*cloud.Delivery
	schedules  []*cloud.Schedule
}

func deploy(ctx context.Context, moto *cloud.Moto, functions *running, log *slog.Logger) (*deployment, error) {
	config := moto.Config(accountA, region)
	d := &deployment{}
	if err := d.tables(ctx, config, functions, log); err != nil {
		return nil, err
	}
	if err := d.events(ctx, moto, functions, log); err != nil {
		return nil, err
	}
	d.schedules = []*cloud.Schedule{
		{Name: "due", Input: []byte(`{"sweep":"due"}`), Every: time.Minute, Function: functions.processes["sweep"], Log: log},
		{Name: "gateways", Input: []byte(`{"sweep":"gateways"}`), Every: time.Minute, Function: functions.processes["sweep"], Log: log},
		{Name: "rechecks", Input: []byte(`{"sweep":"rechecks"}`), Every: time.Minute, Function: functions.processes["organization"], Log: log},
		{Name: "organization", Input: []byte(`{"sweep":"organization"}`), Every: time.Hour, Function: functions.processes["organization"], Log: log},
	}
	return d, nil
}

func (d *deployment) tables(ctx context.Context, config aws.Config, functions *running, log *slog.Logger) error {
	client, names := dynamodb.NewFromConfig(config), tables.DefaultNames()
	if err := dynamo.Create(ctx, client, names); err != nil {
		return fmt.Errorf("making the tables: %w", err)
	}
	if err := dynamo.NewGrants(client, names.Grants).PutSentinel(ctx); err != nil {
		return fmt.Errorf("making the tables: %w", err)
	}
	streams := dynamodbstreams.NewFromConfig(config)
	for _, name := range []string{names.Grants, names.Accounts} {
		table, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			return fmt.Errorf("finding the stream of table %s: %w", name, err)
		}
		stream := &delivery.DynamoDBStream{Client: streams, ARN: aws.ToString(table.Table.LatestStreamArn)}
		d.streams = append(d.streams, delivery.NewStreamMapping(stream, stream.ARN,
			functions.processes["table-changes"], functionARN("table-changes"), delivery.StreamOptions{ReportBatchItemFailures: true}, log))
	}
	return nil
}

func (d *deployment) events(ctx context.Context, moto *cloud.Moto, functions *running, log *slog.Logger) error {
	config := moto.Config(accountA, region)
	client := eventbridge.NewFromConfig(config)
	if _, err := client.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: aws.String(bus)}); err != nil {
		return fmt.Errorf("making the event bus: %w", err)
	}
	gatewayEvents, err := cloud.NewDelivery(ctx, config, accountA, "gateway-events", []cloud.Rule{
		{Name: "reconcile-requested", Bus: bus, Pattern: `{"source":["gateway-grants"],"detail-type":["Reconcile Requested"],"detail":{"gateway":[{"prefix":"arn:"}]}}`},
		{Name: "gateway-touched", Bus: "default", Pattern: `{"source":["aws.bedrock-agentcore"],"detail-type":["AWS API Call via CloudTrail"]}`},
	}, functions.processes["gateway-events"], log)
	if err != nil {
		return err
	}
	everyGateway, err := cloud.NewDelivery(ctx, config, accountA, "sweep", []cloud.Rule{
		{Name: "reconcile-of-every-gateway-requested", Bus: bus, Pattern: `{"source":["gateway-grants"],"detail-type":["Reconcile Requested"],"detail":{"gateway":["*"]}}`},
	}, functions.processes["sweep"], log)
	if err != nil {
		return err
	}
	// The organization tells of its accounts in the management account. Instead of
	// forwarding it, as infra/organization-events.yaml does, the queue is there, too.
	accounts, err := cloud.NewDelivery(ctx, moto.Config(management, region), management, "organization", []cloud.Rule{
		{Name: "accounts-change", Bus: "default", Pattern: `{"source":["aws.organizations"],"detail":{"errorCode":[{"exists":false}]}}`},
	}, functions.processes["organization"], log)
	if err != nil {
		return err
	}
	d.deliveries = append(d.deliveries, gatewayEvents, everyGateway, accounts)
	return nil
}

// wake has the tables' streams read now.
func (d *deployment) wake() {
	for _, stream := range d.streams {
		stream.Wake()
	}
}

// run serves streams, events and schedules until ctx ends.
func (d *deployment) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, stream := range d.streams {
		all.Go(func() { stream.Run(ctx) })
	}
	for _, delivery := range d.deliveries {
		all.Go(func() { delivery.Run(ctx) })
	}
	for _, schedule := range d.schedules {
		all.Go(func() { schedule.Run(ctx) })
	}
	all.Wait()
}

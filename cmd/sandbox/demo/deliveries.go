package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/delivery"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// functions are the product's, by what they do.
type functions struct {
	tableChanges, gatewayEvents, organization, sweep lambda.Function
}

// deliveries call the product's functions as the streams, rules and schedules of
// template.yaml do, with everything in memory.
type deliveries struct {
	work         *delivery.Work
	bus          *delivery.MemoryBus
	organization *delivery.Async
	sweep        *delivery.Async

	ctx     context.Context //nolint:containedctx // ends when the play does; no call brings it
	stop    context.CancelFunc
	running sync.WaitGroup
	log     *slog.Logger

	mu      sync.Mutex
	notices []plan.Notice
}

func newDeliveries(log *slog.Logger) *deliveries {
	d := &deliveries{work: &delivery.Work{}, log: log}
	d.bus = &delivery.MemoryBus{Log: log, Work: d.work}
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d
}

// close ends what is running.
func (d *deliveries) close() {
	d.stop()
	d.running.Wait()
}

// call makes an asynchronous call.
func (d *deliveries) call(function *delivery.Async, payload []byte) {
	d.work.Add(1)
	d.running.Go(func() {
		defer d.work.Done(1)
		function.Deliver(d.ctx, payload)
	})
}

// connect has the functions called by what they are for.
func (d *deliveries) connect(f functions) error {
	gatewayEvents := d.async("gateway-events", f.gatewayEvents)
	d.organization, d.sweep = d.async("organization", f.organization), d.async("sweep", f.sweep)
	to := func(function *delivery.Async) func(context.Context, []byte) error {
		return func(_ context.Context, payload []byte) error {
			d.call(function, payload)
			return nil
		}
	}
	for pattern, send := range map[string]func(context.Context, []byte) error{
		`{"source":["gateway-grants"],"detail-type":["Reconcile Requested"],"detail":{"gateway":[{"anything-but":["*"]}]}}`:            to(gatewayEvents),
		`{"source":["gateway-grants"],"detail-type":["Reconcile Requested"],"detail":{"gateway":["*"]}}`:                               to(d.sweep),
		`{"source":["aws.bedrock-agentcore"],"detail-type":["AWS API Call via CloudTrail"],"detail":{"errorCode":[{"exists":false}]}}`: to(gatewayEvents),
		`{"source":["aws.organizations"]}`: to(d.organization),
	} {
		if err := d.bus.Rule(pattern, send); err != nil {
			return fmt.Errorf("make a rule: %w", err)
		}
	}
	return nil
}

func (d *deliveries) async(name string, function lambda.Function) *delivery.Async {
	return &delivery.Async{
		ARN: functionARN(name), Function: watched{function, d.work}, Log: d.log, Now: time.Now,
		Settings: func() delivery.AsyncSettings {
			return delivery.AsyncSettings{Retries: delivery.DefaultAsyncRetries, MaxAge: delivery.DefaultAsyncMaxAge}
		},
	}
}

// follow has a function called with the changes of a table, for that to report.
func (d *deliveries) follow(table string, tableChanges lambda.Function) (changed func(events.DynamoDBEvent)) {
	stream := delivery.NewMemoryStream(d.work)
	arn := "arn:aws:dynamodb:" + region + ":" + accountA + ":table/" + table + "/stream/1"
	mapping := delivery.NewStreamMapping(stream, arn, watched{tableChanges, d.work}, functionARN("table-changes"),
		delivery.StreamOptions{ReportBatchItemFailures: true}, d.log)
	d.running.Go(func() { mapping.Run(d.ctx) })
	return func(event events.DynamoDBEvent) {
		stream.Append(event.Records...)
		mapping.Wake()
	}
}

// watched is a function whose failures end the play.
type watched struct {
	lambda.Function

	work *delivery.Work
}

func (w watched) Invoke(ctx context.Context, payload, clientContext []byte) (lambda.Result, error) {
	result, err := w.Function.Invoke(ctx, payload, clientContext)
	var answer struct {
		Failures []json.RawMessage `json:"batchItemFailures"`
	}
	_ = json.Unmarshal(result.Payload, &answer) // one without failures may be anything
	if err == nil && (result.FunctionError != "" || len(answer.Failures) > 0) {
		w.work.Fail(fmt.Errorf("a function answered %s %s", result.FunctionError, result.Payload))
	}
	return result, err
}

// Request puts requests to reconcile on the bus, and fails with the first that it cannot put.
func (d *deliveries) Request(ctx context.Context, requests []event.Request) error {
	for _, request := range requests {
		if err := d.put(ctx, event.Source, event.ReconcileRequested, request.At, request); err != nil {
			return err
		}
	}
	return nil
}

// Publish keeps notices for the story, and never fails.
func (d *deliveries) Publish(_ context.Context, notices []plan.Notice) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notices = append(d.notices, notices...)
	return nil
}

// take returns the notices published since it was last called.
func (d *deliveries) take() []plan.Notice {
	d.mu.Lock()
	defer d.mu.Unlock()
	notices := d.notices
	d.notices = nil
	return notices
}

// touched puts the event of a call to AgentCore on the bus, as CloudTrail does.
func (d *deliveries) touched(change model.Change) {
	detail, err := cloud.TrailDetail(change)
	if err == nil {
		err = d.put(d.ctx, "aws.bedrock-agentcore", "AWS API Call via CloudTrail", change.Time, detail)
	}
	if err != nil {
		d.work.Fail(err)
	}
}

// put writes an event as a rule delivers it.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
func (d *deliveries) put(ctx context.Context, source, detailType string, at time.Time, detail any) error {
	encoded, err := json.Marshal(map[string]any{
		"version": "0", "id": "00000000-0000-4000-8000-000000000000", "account": accountA, "region": region, "resources": []string{},
		"source": source, "detail-type": detailType, "time": at.UTC().Format(time.RFC3339), "detail": detail,
	})
	if err != nil {
		return fmt.Errorf("write event %s: %w", detailType, err)
	}
	d.bus.Put(ctx, encoded)
	return nil
}

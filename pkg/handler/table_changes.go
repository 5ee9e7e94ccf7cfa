package handler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// Grants finds the gateways that rows of the grants table are for.
type Grants interface {
	// Naming lists the gateway keys of the rows whose principal is one of those
	// given.
	Naming(ctx context.Context, principals []grant.Principal) (gateways []string, err error)
	// All reads every row, or fails.
	All(ctx context.Context) ([]grant.Row, error)
}

// TableChanges handles batches of the streams of the grants and accounts
// tables. All fields but the last two are required.
type TableChanges struct {
	Reconciler    Reconciler
	Grants        Grants
	Requests      Requests
	History       RowHistory
	Notices       Notices
	GrantsTable   string // names of the tables whose streams it reads
	AccountsTable string
	Now           func() time.Time
	Log           *slog.Logger
	Metrics       Metrics

	// AtOnce is how many gateways of a batch are reconciled on the spot, all at
	// the same time; the others are asked to be. Zero means 5.
	AtOnce int
	// Reserve is the part of the function's time that is kept for publishing
	// requests for what was not reconciled in time. Zero means a quarter of it,
	// and 10 seconds at most.
	Reserve time.Duration
}

const (
	defaultAtOnce = 5
	mostReserve   = 10 * time.Second
)

// Handle reconciles the gateways that a batch of changes concerns, or publishes
// requests for them. It reports a record as failed only if it could do neither, because
// the stream then delivers it again with everything after it. Handle itself never
// fails: a batch that cannot be read will not be readable later.
// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
func (t *TableChanges) Handle(ctx context.Context, payload json.RawMessage) (events.DynamoDBEventResponse, error) {
	b := newBatch(ctx, t)
	b.parse(ctx, payload)
	b.recordRows(ctx)
	// Rows for one gateway go first: no urgent change waits for the look-up of the
	// gateways that a wide one concerns.
	direct := b.pending(change.direct)
	b.dispatch(ctx, direct, min(b.atOnce, len(direct)))
	b.resolve(ctx)
	b.requestEvery(ctx)
	b.requestOwners(ctx)
	wide := b.pending(change.wide)
	b.dispatch(ctx, wide, allOrNone(len(wide), b.atOnce))

	response := b.response(b.rowsRecorded(ctx))
	b.counts.add(CountUnrecorded, len(response.BatchItemFailures))
	t.Metrics.Emit(ctx, "", b.counts)
	return response, nil
}

// batch is one batch under way.
type batch struct {
	*TableChanges
	changes  []change
	rows     rowRecords
	atOnce   int                     // how many more gateways may be reconciled on the spot
	until    time.Time               // when the reserve begins; zero for never
	outcomes map[grant.Gateway]error // nil: recorded or requested
	counts   counts
	selected map[grant.Principal]found // gateways of a selector's grants, looked up once
	within   map[string][]string       // gateway keys of the grants within an account, read once
	lost     error                     // why the request for every managed gateway was not published, if there was one
}

func newBatch(ctx context.Context, t *TableChanges) *batch {
	b := &batch{
		TableChanges: t, atOnce: t.AtOnce,
		outcomes: make(map[grant.Gateway]error), selected: make(map[grant.Principal]found),
	}
	if b.atOnce == 0 {
		b.atOnce = defaultAtOnce
	}
	if deadline, ok := ctx.Deadline(); ok {
		reserve := t.Reserve
		if reserve == 0 {
			reserve = min(time.Until(deadline)/4, mostReserve)
		}
		b.until = deadline.Add(-reserve)
	}
	return b
}

// parse takes the records in, and drops those that are malformed.
func (b *batch) parse(ctx context.Context, payload json.RawMessage) {
	records, err := event.Records(payload)
	if err != nil {
		b.Log.ErrorContext(ctx, "payload dropped", "error", event.OneLine(err.Error()), "payload", event.OneLine(string(payload)))
		b.counts.add(CountMalformed, 1)
		return
	}
	for _, raw := range records {
		record, err := event.ParseRecord(raw, event.Tables{Grants: b.GrantsTable, Accounts: b.AccountsTable})
		if record.Row != nil {
			row := *record.Row
			row.At = cmp.Or(row.At, b.Now())
			b.rows.changes = append(b.rows.changes, row)
		}
		if err != nil {
			b.Log.ErrorContext(ctx, "stream record dropped", "error", event.OneLine(err.Error()))
			b.counts.add(CountMalformed, 1)
			continue
		}
		c := changeOf(record)
		if !c.direct() && !c.wide() {
			b.counts.add(CountIgnored, 1)
			continue
		}
		b.changes = append(b.changes, c)
	}
}

// task is a gateway to reconcile, and the first change that asks for it.
type task struct {
	gateway grant.Gateway
	cause   reconcile.Cause
}

// pending are the gateways that the changes asked for concern, each once, and
// without those already settled.
func (b *batch) pending(asked func(change) bool) []task {
	var tasks []task
	seen := make(map[grant.Gateway]bool)
	for _, c := range b.changes {
		if !asked(c) {
			continue
		}
		for _, gateway := range c.gateways {
			if _, settled := b.outcomes[gateway]; settled || seen[gateway] {
				continue
			}
			seen[gateway] = true
			tasks = append(tasks, task{gateway, reconcile.Cause{Text: c.cause, RequestedAt: cmp.Or(c.at, b.Now())}})
		}
	}
	return tasks
}

func allOrNone(n, most int) int {
	if n > most {
		return 0
	}
	return n
}

// dispatch reconciles so many of the gateways at once. For the others, and for those for
// which time ran out, it publishes requests.
func (b *batch) dispatch(ctx context.Context, tasks []task, onTheSpot int) {
	b.atOnce -= onTheSpot
	late := b.reconcile(ctx, tasks[:onTheSpot])
	b.request(ctx, slices.Concat(late, tasks[onTheSpot:]))
}

// reconcile reconciles gateways, all at the same time, and returns those for
// which time ran out.
func (b *batch) reconcile(ctx context.Context, tasks []task) (late []task) {
	ctx, cancel := b.withReserve(ctx)
	defer cancel()
	if ctx.Err() != nil {
		return tasks
	}
	results, errs := make([]reconcile.Result, len(tasks)), make([]error, len(tasks))
	var all sync.WaitGroup
	for i, task := range tasks {
		all.Go(func() { results[i], errs[i] = reconcileNow(ctx, b.Reconciler, b.Log, task.gateway, task.cause) })
	}
	all.Wait()
	for i, task := range tasks {
		if errs[i] != nil && ctx.Err() != nil {
			late = append(late, task)
			continue
		}
		b.outcomes[task.gateway] = errs[i]
		if errs[i] == nil {
			b.Metrics.Emit(ctx, task.gateway.ARN(), measured(task.cause, results[i]))
		}
	}
	return late
}

// withReserve ends early enough to publish requests for what is left.
func (b *batch) withReserve(ctx context.Context) (context.Context, context.CancelFunc) {
	if b.until.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, b.until)
}

// request asks for gateways to be reconciled later.
func (b *batch) request(ctx context.Context, tasks []task) {
	if len(tasks) == 0 {
		return
	}
	requests := make([]event.Request, len(tasks))
	for i, task := range tasks {
		requests[i] = event.Request{Gateway: task.gateway, Cause: task.cause.Text, At: task.cause.RequestedAt}
		b.outcomes[task.gateway] = nil
	}
	lost := unsent(requests, b.Requests.Request(ctx, requests))
	for gateway, err := range lost {
		b.Log.ErrorContext(ctx, "reconcile not requested", "gateway", gateway.ARN(), "error", event.OneLine(err.Error()))
		b.outcomes[gateway] = err
	}
	b.counts.add(CountRequested, len(requests)-len(lost))
}

// requestEvery asks, once, for every managed gateway, if changes concern them
// all. To find them takes minutes where there are hundreds, and this shard must
// not wait: a sweep finds them.
func (b *batch) requestEvery(ctx context.Context) {
	i := slices.IndexFunc(b.changes, func(c change) bool { return c.every })
	if i < 0 {
		return
	}
	first := b.changes[i]
	b.lost = b.Requests.Request(ctx, []event.Request{{Every: true, Cause: first.cause, At: cmp.Or(first.at, b.Now())}})
	if b.lost != nil {
		b.Log.ErrorContext(ctx, "reconcile of every gateway not requested", "cause", first.cause, "error", event.OneLine(b.lost.Error()))
		return
	}
	b.counts.add(CountRequested, 1)
}

// requestOwners asks, once, for the gateways of all owners that came or went.
func (b *batch) requestOwners(ctx context.Context) {
	request := event.Request{Every: true}
	for _, c := range b.changes {
		if c.owner == "" || slices.Contains(request.Owners, c.owner) {
			continue
		}
		if len(request.Owners) == 0 {
			request.Cause, request.At = c.cause, cmp.Or(c.at, b.Now())
		}
		request.Owners = append(request.Owners, c.owner)
	}
	if len(request.Owners) == 0 {
		return
	}
	err := b.Requests.Request(ctx, []event.Request{request})
	if err == nil {
		b.counts.add(CountRequested, 1)
		return
	}
	b.Log.ErrorContext(ctx, "reconcile of owners' gateways not requested", "owners", len(request.Owners), "error", event.OneLine(err.Error()))
	for i := range b.changes {
		if b.changes[i].owner != "" {
			b.changes[i].err = err
		}
	}
}

// response names the records whose outcome is lost, beside those of which a change of
// a row is.
func (b *batch) response(rows []string) events.DynamoDBEventResponse {
	failures := []events.DynamoDBBatchItemFailure{}
	for _, sequence := range rows {
		failures = append(failures, events.DynamoDBBatchItemFailure{ItemIdentifier: sequence})
	}
	for _, c := range b.changes {
		lost := c.err
		if c.every {
			lost = errors.Join(lost, b.lost)
		}
		for _, gateway := range c.gateways {
			lost = errors.Join(lost, b.outcomes[gateway])
		}
		if lost != nil && !slices.Contains(rows, c.sequence) {
			failures = append(failures, events.DynamoDBBatchItemFailure{ItemIdentifier: c.sequence})
		}
	}
	return events.DynamoDBEventResponse{BatchItemFailures: failures}
}

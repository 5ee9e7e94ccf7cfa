package runner

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/eventpattern"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// mapping is an event source mapping. It keeps its place in the stream while its
// settings change, and while it is disabled.
type mapping struct {
	deployed cloud.DeployedMapping
	stream   *cloud.StreamMapping // that runs, or has run last
	stop     context.CancelFunc   // nil while nothing runs
	ended    chan struct{}        // closed when what was last started has ended
}

// runMappings runs each mapping on its own; the caller holds r.reading.
func (r *Runner) runMappings(deployed []cloud.DeployedMapping) {
	there := map[string]bool{}
	for _, d := range deployed {
		there[d.UUID] = true
		if m := r.mappings[d.UUID]; m != nil && reflect.DeepEqual(m.deployed, d) {
			continue
		}
		if err := r.runMapping(d); err != nil {
			r.refuse(d.UUID, "event source mapping does not run", err)
			continue
		}
		r.accept(d.UUID)
	}
	for id, m := range r.mappings {
		if !there[id] {
			r.haltMapping(m)
			delete(r.mappings, id)
		}
	}
}

// runMapping starts a mapping, or starts it again with other settings. One whose
// settings are not understood stops.
func (r *Runner) runMapping(d cloud.DeployedMapping) error {
	m := r.mappings[d.UUID]
	if m != nil {
		r.haltMapping(m)
	}
	options, err := r.streamOptions(d)
	if err != nil {
		return err
	}
	reader := dynamodbstreams.NewFromConfig(r.config(parseARN(d.Stream).region, r.credentialsOf(d.Function)))
	next := cloud.NewStreamMapping(reader, d.Stream, poller{r, d.Function}, d.Function, options, r.Log.With("function", d.Function))
	if m == nil {
		m = &mapping{stream: next, ended: make(chan struct{})}
		close(m.ended)
		r.mappings[d.UUID] = m
	}
	before := m.deployed
	m.deployed = d
	if !d.Enabled {
		return nil
	}
	ctx, cancel := context.WithCancel(r.running)
	from, previous, ended := m.stream, m.ended, make(chan struct{})
	m.stop, m.ended, m.stream = cancel, ended, next
	r.mu.Lock()
	r.streams[d.UUID] = next
	r.mu.Unlock()
	r.spawn(func() {
		defer close(ended)
		<-previous
		if before.Stream == d.Stream {
			next.TakeOver(from)
		}
		next.Run(ctx)
	})
	return nil
}

// haltMapping stops a mapping when it has dealt with the batch that it is at.
func (r *Runner) haltMapping(m *mapping) {
	if m.stop == nil {
		return
	}
	m.stop()
	m.stop = nil
	r.mu.Lock()
	delete(r.streams, m.deployed.UUID)
	r.mu.Unlock()
}

func (r *Runner) streamOptions(d cloud.DeployedMapping) (cloud.StreamOptions, error) {
	filter, err := filterOf(d.Filters)
	if err != nil {
		return cloud.StreamOptions{}, err
	}
	options := cloud.StreamOptions{
		BatchSize: d.BatchSize, Filter: filter,
		ReportBatchItemFailures: d.ReportBatchItemFailures, BisectOnError: d.BisectOnError,
	}
	switch d.StartingPosition {
	case "TRIM_HORIZON":
	case "LATEST":
		options.FromLatest = true
	default:
		return cloud.StreamOptions{}, fmt.Errorf("starting position %q is not one that DynamoDB streams have", d.StartingPosition)
	}
	if d.Retries >= 0 {
		options.Retries = &d.Retries
	}
	if d.MaxAge >= 0 {
		options.MaxAge = time.Duration(d.MaxAge) * time.Second
	}
	if d.OnFailure != "" {
		options.OnFailure = func(ctx context.Context, message []byte) error {
			return r.send(ctx, r.credentialsOf(d.Function), d.OnFailure, string(message), nil)
		}
	}
	return options, nil
}

// filterOf has a record pass that one pattern matches; without patterns all pass.
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
func filterOf(filters []string) (func(record []byte) bool, error) {
	if len(filters) == 0 {
		return nil, nil
	}
	var patterns []eventpattern.Pattern
	for _, filter := range filters {
		pattern, err := eventpattern.Parse(filter)
		if err != nil {
			return nil, fmt.Errorf("filter %s: %w", filter, err)
		}
		patterns = append(patterns, pattern)
	}
	return func(record []byte) bool {
		for _, pattern := range patterns {
			if pattern.Matches(record) {
				return true
			}
		}
		return false
	}, nil
}

// credentialsOf are those of a function's role, as it is when they are asked for.
func (r *Runner) credentialsOf(arn string) credentials {
	return func(ctx context.Context) (iam.AccessKey, error) {
		f, err := r.find(ctx, arn)
		if err != nil {
			return iam.AccessKey{}, err
		}
		return f.credentials(ctx)
	}
}

// poller is a function as Lambda's pollers call it: they wait for a free
// environment, and once they have called, for the answer.
type poller struct {
	runner *Runner
	arn    string
}

func (p poller) Invoke(ctx context.Context, payload, _ []byte) (lambda.Result, error) {
	f, err := p.runner.find(ctx, p.arn)
	if err != nil {
		return lambda.Result{}, err
	}
	return f.invokeWhenFree(ctx, payload)
}

package runner

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/delivery"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// mapping is an event source mapping. It keeps its place in the stream while its
// settings change, and while it is disabled.
type mapping struct {
	deployed cloud.DeployedMapping
	source   deliverer          // that runs, or has run last
	stop     context.CancelFunc // nil while nothing runs
	ended    chan struct{}      // closed when what was last started has ended
}

// deliverer delivers what comes from a stream or a queue until its context ends.
type deliverer interface{ Run(ctx context.Context) }

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
	next, err := r.newSource(d)
	if err != nil {
		return err
	}
	if m == nil {
		m = &mapping{source: next, ended: make(chan struct{})}
		close(m.ended)
		r.mappings[d.UUID] = m
	}
	before := m.deployed
	m.deployed = d
	if !d.Enabled {
		return nil
	}
	ctx, cancel := context.WithCancel(r.running)
	from, previous, ended := m.source, m.ended, make(chan struct{})
	m.stop, m.ended, m.source = cancel, ended, next
	stream, isStream := next.(*delivery.StreamMapping)
	if isStream {
		r.mu.Lock()
		r.streams[d.UUID] = stream
		r.mu.Unlock()
	}
	r.spawn(func() {
		defer close(ended)
		<-previous
		if last, ok := from.(*delivery.StreamMapping); ok && isStream && before.Source == d.Source {
			stream.TakeOver(last)
		}
		next.Run(ctx)
	})
	return nil
}

// haltMapping stops a mapping when it has dealt with what it is at.
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

// newSource acts in the function's role, as Lambda's pollers do.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
func (r *Runner) newSource(d cloud.DeployedMapping) (deliverer, error) {
	at := parseARN(d.Source)
	config := r.config(at.region, r.credentialsOf(d.Function))
	filter, err := delivery.ParseFilter(d.Filters)
	if err != nil {
		return nil, err
	}
	log := r.Log.With("function", d.Function)
	if at.service == "sqs" {
		if d.BatchingWindow > 0 {
			return nil, errors.New("the sandbox has no batching windows")
		}
		queue := &delivery.SQS{Client: sqs.NewFromConfig(config), URL: *queueURL(r.Endpoint, at), ARN: d.Source, Region: at.region}
		return delivery.NewQueueMapping(queue, poller{r, d.Function}, delivery.QueueOptions{
			BatchSize: d.BatchSize, MaximumConcurrency: d.MaximumConcurrency, Filter: filter, ReportBatchItemFailures: d.ReportBatchItemFailures,
		}, log), nil
	}
	stream := &delivery.DynamoDBStream{Client: dynamodbstreams.NewFromConfig(config), ARN: d.Source}
	switch d.StartingPosition {
	case "TRIM_HORIZON":
	case "LATEST":
		stream.FromLatest = true
	default:
		return nil, fmt.Errorf("starting position %q is not one that DynamoDB streams have", d.StartingPosition)
	}
	return delivery.NewStreamMapping(stream, d.Source, poller{r, d.Function}, d.Function, r.streamOptions(d, filter), log), nil
}

func (r *Runner) streamOptions(d cloud.DeployedMapping, filter delivery.Filter) delivery.StreamOptions {
	options := delivery.StreamOptions{
		BatchSize: d.BatchSize, Filter: filter,
		ReportBatchItemFailures: d.ReportBatchItemFailures, BisectOnError: d.BisectOnError,
	}
	if d.Retries >= 0 {
		options.Retries = aws.Int(d.Retries)
	}
	if d.MaxAge >= 0 {
		options.MaxAge = time.Duration(d.MaxAge) * time.Second
	}
	if d.OnFailure != "" {
		options.OnFailure = func(ctx context.Context, message []byte) error {
			return r.send(ctx, r.credentialsOf(d.Function), d.OnFailure, string(message), nil)
		}
	}
	return options
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

package runner

import (
	"context"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/delivery"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// Queue takes an asynchronous call, and tries it until it succeeds or is given up on.
func (f *function) Queue(payload []byte) {
	async := &delivery.Async{ARN: f.arn, Function: whenFree{f}, Settings: f.async, Log: f.runner.Log, Now: f.runner.Now}
	f.runner.spawn(func() { async.Deliver(f.runner.running, payload) })
}

// async are the function's settings at this moment. What fails is sent in its role.
func (f *function) async() delivery.AsyncSettings {
	f.mu.RLock()
	defer f.mu.RUnlock()
	deployed := f.deployed.Async
	settings := delivery.AsyncSettings{
		Retries: delivery.DefaultAsyncRetries, MaxAge: delivery.DefaultAsyncMaxAge, Destination: deployed.OnFailure,
		OnFailure: func(ctx context.Context, destination string, record []byte) error {
			return f.runner.send(ctx, f.credentials, destination, string(record), nil)
		},
	}
	if deployed.Retries != nil {
		settings.Retries = *deployed.Retries
	}
	if deployed.MaxAge != nil {
		settings.MaxAge = time.Duration(*deployed.MaxAge) * time.Second
	}
	return settings
}

// whenFree is a function as Lambda's own queue calls it.
type whenFree struct{ *function }

func (f whenFree) Invoke(ctx context.Context, payload, _ []byte) (lambda.Result, error) {
	return f.invokeWhenFree(ctx, payload)
}

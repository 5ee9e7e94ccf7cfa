// Package boot is what the mains of the functions have in common: reading the
// settings, logging, counting and starting.
package boot

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// Function is what every function's main composes its handler from.
type Function struct {
	*settings.Reader // of the environment variables

	AWS     aws.Config
	Log     *slog.Logger
	Metrics *Metrics
	Now     func() time.Time
}

// Run composes a function's handler and serves it until Lambda ends the
// process. A function that cannot start says why and ends with 1.
func Run(compose func(Function) (handler any)) {
	limitMemory(lambdacontext.MemoryLimitInMB)
	body, err := start(compose)
	if err != nil {
		slog.New(slog.NewJSONHandler(os.Stderr, nil)).Error("function cannot start", "error", err.Error())
		os.Exit(1)
	}
	lambda.Start(body)
}

func start(compose func(Function) any) (any, error) {
	reader := settings.NewReader(settings.Variables(os.LookupEnv))
	loaded, err := loadAWS(context.Background())
	if err != nil {
		return nil, err
	}
	body := compose(Function{
		Reader:  reader,
		AWS:     loaded,
		Log:     newLog(os.Stdout, reader.LogLevel()),
		Metrics: NewMetrics(os.Stdout, lambdacontext.FunctionName, time.Now),
		Now:     time.Now,
	})
	return body, reader.Err()
}

// limitMemory has the garbage collector work harder before Lambda ends the
// process for want of memory: a listing of 50,000 accounts leaves much behind
// that could be collected. An eighth is left to what the limit does not count.
// Outside Lambda there is no limit.
// https://pkg.go.dev/runtime/debug#SetMemoryLimit
func limitMemory(megabytes int) {
	if megabytes > 0 {
		debug.SetMemoryLimit(int64(megabytes) << 20 / 8 * 7)
	}
}

// loadAWS finds the region and the credentials of the function's role, and has
// every call carry the product's name, by which its own calls are known when
// CloudTrail records them.
func loadAWS(ctx context.Context) (aws.Config, error) {
	loaded, err := config.LoadDefaultConfig(ctx, config.WithAppID(handler.AppID))
	if err != nil {
		return aws.Config{}, fmt.Errorf("load the AWS configuration: %w", err)
	}
	return loaded, nil
}

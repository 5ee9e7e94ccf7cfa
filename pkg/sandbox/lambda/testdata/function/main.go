// Command function is a Lambda function that does what its event asks for, to
// show how each outcome reaches the caller.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do      string `json:"do"`
	Message string `json:"message"`
	Size    int    `json:"size"`
}

func main() {
	switch os.Getenv("INIT") {
	case "exit":
		fmt.Println("going nowhere")
		os.Exit(3)
	}
	calls := 0
	lambda.Start(func(ctx context.Context, e event) (map[string]any, error) {
		calls++
		switch e.Do {
		case "context":
			return describe(ctx, calls), nil
		case "environment":
			return map[string]any{"environment": os.Environ()}, nil
		case "error":
			return nil, errors.New(e.Message)
		case "panic":
			panic(e.Message)
		case "exit":
			os.Exit(e.Size)
		case "sleep":
			time.Sleep(time.Hour)
		case "wait":
			for {
				if _, err := os.Stat(e.Message); err == nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
		case "print":
			fmt.Println(e.Message)
		case "large":
			return map[string]any{"large": strings.Repeat("x", e.Size)}, nil
		}
		return map[string]any{"echo": e.Message, "calls": calls, "pid": os.Getpid()}, nil
	})
}

func describe(ctx context.Context, calls int) map[string]any {
	invoked, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return map[string]any{
		"requestId": invoked.AwsRequestID,
		"arn":       invoked.InvokedFunctionArn,
		"custom":    invoked.ClientContext.Custom,
		"left":      time.Until(deadline).Seconds(),
		"name":      lambdacontext.FunctionName,
		"calls":     calls,
	}
}

// A bare handler with the AWS clients of table-changes, gateway-events and sweep.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

func main() {
	loaded, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	tables, bus, gateways := dynamodb.NewFromConfig(loaded), eventbridge.NewFromConfig(loaded), control.NewFromConfig(loaded)
	lambda.Start(func(ctx context.Context) error {
		if _, err := tables.Query(ctx, &dynamodb.QueryInput{}); err != nil {
			return err
		}
		if _, err := bus.PutEvents(ctx, &eventbridge.PutEventsInput{}); err != nil {
			return err
		}
		_, err := gateways.GetResourcePolicy(ctx, &control.GetResourcePolicyInput{})
		return err
	})
}

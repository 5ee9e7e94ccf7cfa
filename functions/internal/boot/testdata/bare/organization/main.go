// A bare handler with the AWS clients of organization.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
)

func main() {
	loaded, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	tables, bus, accounts := dynamodb.NewFromConfig(loaded), eventbridge.NewFromConfig(loaded), organizations.NewFromConfig(loaded)
	lambda.Start(func(ctx context.Context) error {
		if _, err := tables.Query(ctx, &dynamodb.QueryInput{}); err != nil {
			return err
		}
		if _, err := bus.PutEvents(ctx, &eventbridge.PutEventsInput{}); err != nil {
			return err
		}
		_, err := accounts.ListAccounts(ctx, &organizations.ListAccountsInput{})
		return err
	})
}

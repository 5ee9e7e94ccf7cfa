// Organization keeps the accounts table in line with AWS Organizations: by
// events about single accounts, and by schedules that have all of them listed and
// some read again.
package main

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/gateway-grants/gateway-grants/functions/internal/boot"
	"github.com/gateway-grants/gateway-grants/pkg/bus"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/organizations"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

func main() { boot.Run(compose) }

func compose(f boot.Function) any {
	// The client keeps to Organizations' rates by itself, and asks again where
	// they were used up; tries of the SDK's own would not be counted.
	client := sdk.NewFromConfig(f.AWS, func(o *sdk.Options) {
		o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) {
			s.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(notThrottled)}, s.Retryables...)
		})
	})
	tables, dynamoDB := f.Tables(), dynamodb.NewFromConfig(f.AWS)
	organization := &handler.Organization{
		Directory: dirsync.New(
			organizations.New(client, organizations.SystemClock()),
			store.NewAccounts(dynamoDB, tables.Accounts), store.NewGrants(dynamoDB, tables.Grants), f.Now,
		),
		Notices: bus.New(eventbridge.NewFromConfig(f.AWS), f.Bus(), bus.Wait), Probes: store.NewStates(dynamoDB, tables.States),
		Now: f.Now, Log: f.Log, Metrics: f.Metrics,
	}
	return organization.Handle
}

func notThrottled(err error) aws.Ternary {
	if _, throttled := errors.AsType[*types.TooManyRequestsException](err); throttled {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

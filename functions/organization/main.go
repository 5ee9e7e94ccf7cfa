// Organization keeps the accounts table in line with AWS Organizations: by
// events about single accounts, and by listing all of them on a schedule.
package main

import (
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/gateway-grants/gateway-grants/functions/internal/boot"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/dynamo"
	"github.com/gateway-grants/gateway-grants/pkg/organizations"
	"github.com/gateway-grants/gateway-grants/pkg/trigger"
)

func main() { boot.Run(handler) }

func handler(f boot.Function) any {
	// Organizations allows a few calls a second to everybody together, so the
	// client slows down rather than fail.
	client := sdk.NewFromConfig(f.AWS, func(o *sdk.Options) {
		o.Retryer = retry.NewAdaptiveMode(func(r *retry.AdaptiveModeOptions) {
			r.StandardOptions = append(r.StandardOptions, func(s *retry.StandardOptions) { s.MaxAttempts = 10 })
		})
	})
	organization := &trigger.Organization{
		Directory: dirsync.New(
			organizations.New(client),
			dynamo.NewAccounts(dynamodb.NewFromConfig(f.AWS), f.Tables().Accounts),
			f.Now,
		),
		Log: f.Log, Metrics: f.Metrics,
	}
	return organization.Handle
}

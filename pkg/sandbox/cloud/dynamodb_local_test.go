//go:build dynamodb_local

package cloud_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

func TestDynamoDBLocalServesUntilItIsStopped(t *testing.T) {
	local := cloudtest.DynamoDBLocal(t)
	client := dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(local.Endpoint()),
		Credentials:  credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
	})
	if _, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil {
		t.Fatalf("listing tables: %v", err)
	}

	if err := local.Stop(); err != nil {
		t.Fatalf("stopping: %v", err)
	}
	if _, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{}, func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }); err == nil {
		t.Error("it answers after it was stopped")
	}
}

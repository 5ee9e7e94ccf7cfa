//go:build dynamodb_local

package dynamo_test

import (
	"net/http"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

func TestTheTablesKeepTheirContractOnDynamoDBLocal(t *testing.T) {
	keepContract(t, &server{endpoint: cloudtest.DynamoDBLocal(t).Endpoint()}, http.DefaultTransport)
}

package dynamo_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gateway-grants/gateway-grants/pkg/dynamo"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/tables"
	"github.com/gateway-grants/gateway-grants/pkg/tabletest"
)

// server is a running DynamoDB, on which every test has an account of its own.
type server struct {
	endpoint string
	accounts atomic.Int64
}

func TestTheTablesKeepTheirContractOnMoto(t *testing.T) {
	moto := &server{endpoint: cloudtest.Moto(t).Endpoint()}
	t.Run("as it is", func(t *testing.T) { keepContract(t, moto, http.DefaultTransport) })
	t.Run("a little at a time", func(t *testing.T) { keepContract(t, moto, miserly{}) })
}

func TestTheTablesKeepTheirContractOnDynamoDBLocal(t *testing.T) {
	keepContract(t, &server{endpoint: cloudtest.DynamoDBLocal(t).Endpoint()}, http.DefaultTransport)
}

func keepContract(t *testing.T, s *server, transport http.RoundTripper) {
	names := tables.DefaultNames()
	t.Run("grants", func(t *testing.T) {
		tabletest.Grants(t, func(t *testing.T) tabletest.GrantsTable {
			return dynamo.NewGrants(s.open(t, transport), names.Grants)
		})
	})
	t.Run("accounts", func(t *testing.T) {
		tabletest.Accounts(t, func(t *testing.T) tabletest.AccountsTable {
			return dynamo.NewAccounts(s.open(t, transport), names.Accounts)
		})
	})
	t.Run("states", func(t *testing.T) {
		tabletest.States(t, func(t *testing.T) tabletest.StatesTable {
			return dynamo.NewStates(s.open(t, transport), names.States)
		})
	})
}

// open makes three empty tables in a new account, and returns a client of that
// account which reaches them over the given transport.
func (s *server) open(t *testing.T, transport http.RoundTripper) *dynamodb.Client {
	t.Helper()
	account := fmt.Sprintf("%012d", s.accounts.Add(1))
	client := func(transport http.RoundTripper) *dynamodb.Client {
		return dynamodb.New(dynamodb.Options{
			Region:       "us-east-1",
			BaseEndpoint: aws.String(s.endpoint),
			// To DynamoDB Local an account is its key, and to moto what the header says.
			Credentials: credentials.NewStaticCredentialsProvider("AKIA"+account, "secret", ""),
			HTTPClient:  &http.Client{Transport: inAccount{account: account, next: transport}},
		})
	}
	if err := dynamo.Create(t.Context(), client(http.DefaultTransport), tables.DefaultNames()); err != nil {
		t.Fatal(err)
	}
	return client(transport)
}

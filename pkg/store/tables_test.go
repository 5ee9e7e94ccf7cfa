package store_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/store"
	"github.com/gateway-grants/gateway-grants/pkg/store/storetest"
)

// server is a running DynamoDB. Every test has tables of its own, and on moto an
// account of its own: its transactions copy all that the account has.
type server struct {
	endpoint string
	opened   atomic.Int64
}

func TestContractOnMoto(t *testing.T) {
	moto := &server{endpoint: cloudtest.Moto(t).Endpoint()}
	t.Run("as it is", func(t *testing.T) { keepContract(t, moto, bounded()) })
	t.Run("a little at a time", func(t *testing.T) { keepContract(t, moto, miserly(t)) })
}

func keepContract(t *testing.T, s *server, way http.RoundTripper) {
	t.Run("grants", func(t *testing.T) {
		storetest.Grants(t, func(t *testing.T) storetest.GrantsTable {
			client, names := s.open(t, way)
			return store.NewGrants(client, names.Grants)
		})
	})
	t.Run("accounts", func(t *testing.T) {
		storetest.Accounts(t, func(t *testing.T) storetest.AccountsTable {
			client, names := s.open(t, way)
			return store.NewAccounts(client, names.Accounts)
		})
	})
	t.Run("states", func(t *testing.T) {
		storetest.States(t, func(t *testing.T) storetest.StatesTable {
			client, names := s.open(t, way)
			return store.NewStates(client, names.States)
		})
	})
}

// open makes three empty tables, and returns a client that reaches them over the
// given transport.
func (s *server) open(t *testing.T, way http.RoundTripper) (*dynamodb.Client, store.Names) {
	t.Helper()
	client, _, names := s.openTwice(t, way)
	return client, names
}

// openTwice is open with another client, which has no transport of its own.
func (s *server) openTwice(t *testing.T, way http.RoundTripper) (client, plain *dynamodb.Client, names store.Names) {
	t.Helper()
	number := s.opened.Add(1)
	names = store.Names{
		Grants:   fmt.Sprintf("grants-%d", number),
		Accounts: fmt.Sprintf("accounts-%d", number),
		States:   fmt.Sprintf("states-%d", number),
	}
	over := func(way http.RoundTripper) *dynamodb.Client {
		return dynamodb.New(dynamodb.Options{
			Region:       "us-east-1",
			BaseEndpoint: aws.String(s.endpoint),
			Credentials:  credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
			HTTPClient:   &http.Client{Transport: inAccount(fmt.Sprintf("%012d", number), way)},
		})
	}
	client, plain = over(way), over(http.DefaultTransport)
	if err := store.Create(t.Context(), plain, names); err != nil {
		t.Fatal(err)
	}
	return client, plain, names
}

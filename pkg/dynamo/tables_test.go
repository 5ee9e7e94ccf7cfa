package dynamo_test

import (
	"fmt"
	"net/http"
	"strings"
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

// server is a running DynamoDB, on which every test has tables of its own.
type server struct {
	endpoint string
	made     atomic.Int64
}

func TestTheTablesKeepTheirContractOnMoto(t *testing.T) {
	keepContract(t, &server{endpoint: cloudtest.Moto(t).Endpoint()})
}

func TestTheTablesKeepTheirContractOnDynamoDBLocal(t *testing.T) {
	keepContract(t, &server{endpoint: cloudtest.DynamoDBLocal(t).Endpoint()})
}

func keepContract(t *testing.T, s *server) {
	t.Run("grants", func(t *testing.T) {
		tabletest.Grants(t, func(t *testing.T) tabletest.GrantsTable {
			client, names := s.open(t, http.DefaultTransport)
			return dynamo.NewGrants(client, names.Grants)
		})
	})
}

// client reaches the server over the given transport.
func (s *server) client(transport http.RoundTripper) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(s.endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
		HTTPClient:   &http.Client{Transport: transport},
	})
}

// open makes three empty tables.
func (s *server) open(t *testing.T, transport http.RoundTripper) (*dynamodb.Client, tables.Names) {
	t.Helper()
	prefix := fmt.Sprintf("%d-%s", s.made.Add(1), strings.Map(plain, t.Name()[strings.LastIndex(t.Name(), "/")+1:]))
	names := tables.Names{Grants: prefix + "-g", Accounts: prefix + "-a", States: prefix + "-s"}
	if err := dynamo.Create(t.Context(), s.client(http.DefaultTransport), names); err != nil {
		t.Fatal(err)
	}
	return s.client(transport), names
}

func plain(r rune) rune {
	if r == '_' || r >= 'a' && r <= 'z' {
		return r
	}
	return -1
}

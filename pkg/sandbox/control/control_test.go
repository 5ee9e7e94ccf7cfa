package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/control"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

const (
	accountA = "111122223333"
	accountB = "444455556666"
)

// sandbox is the control plane behind a real server, with an IAM of its own.
type sandbox struct {
	t         *testing.T
	url       string
	stsURL    string
	model     *model.Service
	directory *iam.Directory
}

func start(t *testing.T, set ...func(*model.Options)) *sandbox {
	t.Helper()
	directory := iam.NewDirectory(time.Now)
	for _, account := range []string{accountA, accountB} {
		if err := directory.AddAccount(account); err != nil {
			t.Fatal(err)
		}
	}
	opts := model.Options{Principals: directory}
	for _, s := range set {
		s(&opts)
	}
	s := &sandbox{t: t, directory: directory, model: model.New(opts)}
	verifier := &sigv4.Verifier{Keys: directory, Now: time.Now}
	handler := control.New(s.model, verifier, iam.Decider{Policies: directory}, nil)
	unknown := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusTeapot)
		_, _ = fmt.Fprintf(w, "passed on: %s", text)
	})
	s.url, s.stsURL = serve(t, handler), serve(t, control.Identity(verifier, unknown))
	return s
}

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// root is a key of an account's root, which may do everything in its account.
func (s *sandbox) root(account string) iam.AccessKey {
	s.t.Helper()
	key, err := s.directory.CreateRootAccessKey(account)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

// user is a key of a new user of account A with one identity policy.
func (s *sandbox) user(name, identityPolicy string) iam.AccessKey {
	s.t.Helper()
	made, err := s.directory.CreateUser(accountA, "/", name)
	if err != nil {
		s.t.Fatal(err)
	}
	document, err := policy.Parse([]byte(identityPolicy))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.directory.PutPolicy(made.ARN, "only", document); err != nil {
		s.t.Fatal(err)
	}
	key, err := s.directory.CreateAccessKey(made.ARN)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

func (s *sandbox) config(key iam.AccessKey) aws.Config {
	return aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &s.url,
		Credentials:  credentials.NewStaticCredentialsProvider(key.ID, key.Secret, key.SessionToken),
		// A busy machine breaks connections (aws/aws-sdk-go-v2#2737): no answer to test.
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Retryables = []retry.IsErrorRetryable{retry.RetryableConnectionError{}}
			})
		},
	}
}

func (s *sandbox) client(key iam.AccessKey) *bedrockagentcorecontrol.Client {
	return bedrockagentcorecontrol.NewFromConfig(s.config(key))
}

func (s *sandbox) owner() *bedrockagentcorecontrol.Client { return s.client(s.root(accountA)) }

func gatewayNamed(name string) *bedrockagentcorecontrol.CreateGatewayInput {
	return &bedrockagentcorecontrol.CreateGatewayInput{
		Name:           aws.String(name),
		AuthorizerType: types.AuthorizerTypeAwsIam,
		RoleArn:        aws.String("arn:aws:iam::111122223333:role/Gateway"),
		ProtocolType:   types.GatewayProtocolTypeMcp,
	}
}

func (s *sandbox) gateway(client *bedrockagentcorecontrol.Client, name string) *bedrockagentcorecontrol.CreateGatewayOutput {
	s.t.Helper()
	made, err := client.CreateGateway(s.t.Context(), gatewayNamed(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return made
}

// status is that of the HTTP answer behind a result of the SDK.
func status(t *testing.T, metadata middleware.Metadata, err error) int {
	t.Helper()
	if failed, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return failed.HTTPStatusCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	response, ok := awsmiddleware.GetRawResponse(metadata).(*smithyhttp.Response)
	if !ok {
		t.Fatal("no response is retained")
	}
	return response.StatusCode
}

// said is an error's code and message as the SDK reads them.
func said(err error) string {
	if failed, ok := errors.AsType[smithy.APIError](err); ok {
		return failed.ErrorCode() + ": " + failed.ErrorMessage()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func identify(ctx context.Context, s *sandbox, key iam.AccessKey) (*sts.GetCallerIdentityOutput, error) {
	config := s.config(key)
	config.BaseEndpoint = &s.stsURL
	return sts.NewFromConfig(config).GetCallerIdentity(ctx, nil)
}

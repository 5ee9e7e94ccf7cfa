package control_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

func TestTheSDKReadsEveryErrorShape(t *testing.T) {
	s := start(t, func(o *model.Options) { o.Rates = map[model.RateGroup]int{model.PolicyCalls: 1} })
	client, ctx := s.owner(), t.Context()
	g := s.gateway(client, "tools")
	_, conflict := client.CreateGateway(ctx, gatewayNamed("tools"))
	_, missing := client.GetGateway(ctx, &bedrockagentcorecontrol.GetGatewayInput{GatewayIdentifier: aws.String("gone-0123456789")})
	_, first := client.GetResourcePolicy(ctx, &bedrockagentcorecontrol.GetResourcePolicyInput{ResourceArn: g.GatewayArn})
	_, throttled := client.GetResourcePolicy(ctx, &bedrockagentcorecontrol.GetResourcePolicyInput{ResourceArn: g.GatewayArn})
	_, foreign := s.client(s.root(accountB)).ListTagsForResource(ctx, &bedrockagentcorecontrol.ListTagsForResourceInput{ResourceArn: g.GatewayArn})
	tags := map[string]string{}
	for i := range 50 {
		tags[fmt.Sprint("k", i)] = ""
	}
	_, tagged := client.TagResource(ctx, &bedrockagentcorecontrol.TagResourceInput{ResourceArn: g.GatewayArn, Tags: tags})
	_, quota := client.TagResource(ctx, &bedrockagentcorecontrol.TagResourceInput{ResourceArn: g.GatewayArn, Tags: map[string]string{"more": ""}})
	if first != nil || tagged != nil {
		t.Fatal(first, tagged)
	}
	for _, test := range []struct {
		err    error
		as     any
		status int
	}{
		{conflict, new(*types.ConflictException), http.StatusConflict},
		{missing, new(*types.ResourceNotFoundException), http.StatusNotFound},
		{throttled, new(*types.ThrottlingException), http.StatusTooManyRequests},
		{foreign, new(*types.AccessDeniedException), http.StatusForbidden},
		{quota, new(*types.ServiceQuotaExceededException), http.StatusPaymentRequired},
	} {
		if code := status(t, middleware.Metadata{}, test.err); !errors.As(test.err, test.as) || code != test.status {
			t.Errorf("%d, %v, want %d, %T", code, test.err, test.status, test.as)
		}
	}
}

func TestADirectoryThatFailsIsAnInternalError(t *testing.T) {
	s := start(t, func(o *model.Options) { o.Principals = broken{} })
	client := s.owner()
	g := s.gateway(client, "tools")
	code, err := put(t, client, *g.GatewayArn, grantTo(*g.GatewayArn))
	if shape := (*types.InternalServerException)(nil); !errors.As(err, &shape) || code != http.StatusInternalServerError {
		t.Errorf("%d, %v", code, err)
	}
}

type broken struct{}

func (broken) UniqueID(string) (string, error) { return "", errors.New("no directory") }

// send signs and sends a request as no SDK would.
func (s *sandbox) send(key iam.AccessKey, method, path, text string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewBufferString(text))
	if err != nil {
		s.t.Fatal(err)
	}
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	credentials := aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret, SessionToken: key.SessionToken}
	if err := v4.NewSigner().SignHTTP(s.t.Context(), credentials, r, hash, "bedrock-agentcore", "us-east-1", time.Now()); err != nil {
		s.t.Fatal(err)
	}
	return s.answer(r)
}

func (s *sandbox) answer(r *http.Request) (*http.Response, string) {
	s.t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response, string(text)
}

func TestOddRequestsAreAnsweredAsAWSDoes(t *testing.T) {
	s := start(t)
	key := s.root(accountA)
	g := s.gateway(s.client(key), "tools")
	for name, test := range map[string]struct {
		reason             string
		method, path, text string
		status             int
		code               string
	}{
		"BrokenBody":     {"a body that is not JSON", "POST", "/gateways/", `{"name":`, 400, "SerializationException"},
		"WrongType":      {"a member of another type", "POST", "/gateways/", `{"name":1}`, 400, "SerializationException"},
		"EmptyBody":      {"a body without required members", "POST", "/gateways/", "", 400, "ValidationException"},
		"BadPageSize":    {"a number that is none", "GET", "/gateways/?maxResults=many", "", 400, "SerializationException"},
		"NoPolicy":       {"a put without a policy", "PUT", "/resourcepolicy/" + *g.GatewayArn, "{}", 400, "ValidationException"},
		"UnknownPath":    {"a path of another operation", "GET", "/runtimes/", "", 404, "UnknownOperationException"},
		"UnknownMethod":  {"a method that the path has not", "PATCH", "/gateways/", "", 404, "UnknownOperationException"},
		"NoSlash":        {"a path without its last slash", "GET", "/gateways/" + *g.GatewayId, "", 200, ""},
		"PlainARN":       {"an ARN whose slash is not escaped", "GET", "/tags/" + *g.GatewayArn, "", 200, ""},
		"EscapedARN":     {"an ARN escaped as botocore does", "GET", "/tags/" + strings.NewReplacer(":", "%3A", "/", "%2F").Replace(*g.GatewayArn), "", 200, ""},
		"UnknownMembers": {"unknown members", "POST", "/gateways/", `{"name":"new","roleArn":"arn:aws:iam::111122223333:role/G","authorizerType":"AWS_IAM","x":[1]}`, 202, ""},
	} {
		t.Run(name, func(t *testing.T) {
			response, text := s.send(key, test.method, test.path, test.text)
			if got := response.Header.Get("x-amzn-ErrorType"); response.StatusCode != test.status || got != test.code {
				t.Errorf("%s: %d %s %s, want %d %s", test.reason, response.StatusCode, got, text, test.status, test.code)
			}
			if !json.Valid([]byte(text)) || response.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %s", test.reason, text)
			}
			id := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
			if got := response.Header.Get("x-amzn-RequestId"); !id.MatchString(got) {
				t.Errorf("%s: request id %q", test.reason, got)
			}
		})
	}
}

func TestAnUnsignedCallIsRefused(t *testing.T) {
	s := start(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/gateways/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, text := s.answer(r)
	if got := response.Header.Get("x-amzn-ErrorType"); response.StatusCode != http.StatusForbidden || got != "MissingAuthenticationTokenException" {
		t.Errorf("%d %s %s", response.StatusCode, got, text)
	}
}

func TestAWrongSecretIsRefused(t *testing.T) {
	s := start(t)
	key := s.root(accountA)
	key.Secret += "x"
	_, err := s.client(key).ListGateways(t.Context(), nil)
	if code := status(t, middleware.Metadata{}, err); code != http.StatusForbidden || !strings.HasPrefix(said(err), "InvalidSignatureException: ") {
		t.Errorf("%d, %s", code, said(err))
	}
}

func TestASignatureForAnotherServiceIsRefused(t *testing.T) {
	s := start(t)
	config := s.config(s.root(accountA))
	config.Region = "eu-west-1"
	_, err := bedrockagentcorecontrol.NewFromConfig(config).ListGateways(t.Context(), nil)
	if code := status(t, middleware.Metadata{}, err); code != http.StatusForbidden {
		t.Errorf("another region: %d, %s", code, said(err))
	}
}

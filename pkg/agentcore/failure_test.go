package agentcore

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

func aDocument(t *testing.T) *policy.Document {
	t.Helper()
	document, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Sid":"One","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + theGateway(t).ARN() + `"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func TestWriteFailureCodes(t *testing.T) {
	const (
		put    = "PUT"
		remove = "DELETE"
	)
	tests := []struct {
		reason string
		method string
		answer answer
		want   grant.Code
	}{
		{"AWS asks for fewer calls", put, refuse(429, "ThrottlingException", "Rate exceeded"), reconcile.CodeThrottled},
		{"any 429 asks for fewer calls", remove, say(429, "slow down"), reconcile.CodeThrottled},
		{"throttled with a status of the server's is throttled: it was not done", put, refuse(503, "ThrottlingException", "Rate exceeded"), reconcile.CodeThrottled},
		{"a permission is missing", put, refuse(403, "AccessDeniedException", "User is not authorized"), reconcile.CodeAccessDenied},
		{"an expired token is no permission", remove, refuse(403, "ExpiredTokenException", "The security token included in the request is expired"), reconcile.CodeAccessDenied},
		{"a proxy's 403 is a refusal too", remove, say(403, "<html>"), reconcile.CodeAccessDenied},
		{"a principal is unknown", put, refuse(400, "ValidationException", "Invalid principal in policy"), reconcile.CodePrincipalRejected},
		{"however it is spelt", put, refuse(400, "ValidationException", "Policy contains an INVALID PRINCIPAL"), reconcile.CodePrincipalRejected},
		{"another rule of documents is broken", put, refuse(400, "ValidationException", "Policy has no statements"), reconcile.CodeInvalidPolicy},
		{"a deletion has no document to blame", remove, refuse(400, "ValidationException", "Invalid principal in policy"), reconcile.CodeUnknown},
		{"the gateway is gone", put, refuse(404, "ResourceNotFoundException", "no such gateway"), reconcile.CodeUnknown},
		{"a document is too long", put, refuse(400, "ValidationException", "Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to 20480"), reconcile.CodePolicyTooLarge},
		{"the gateway is being changed", put, refuse(409, "ConflictException", "Gateway is being updated"), reconcile.CodeBusy},
		{"a quota is no rate", put, refuse(402, "ServiceQuotaExceededException", "too many"), reconcile.CodeUnknown},
		{"AWS failed and may have done it", put, refuse(500, "InternalServerException", "oops"), reconcile.CodeUnknownOutcome},
		{"a 5xx without a text", remove, say(502, ""), reconcile.CodeUnknownOutcome},
		{"a gateway in between gave up waiting", remove, say(504, "<html>"), reconcile.CodeUnknownOutcome},
		{"the request timed out on the way", put, say(408, ""), reconcile.CodeUnknownOutcome},
		{"the connection ended after the request was sent", put, hangUp, reconcile.CodeUnknownOutcome},
		{"so it did for a deletion", remove, hangUp, reconcile.CodeUnknownOutcome},
		{"the answer says done and breaks off", put, breakOff, reconcile.CodeUnknownOutcome},
		{"the answer says done and is no JSON", put, say(201, "done!"), reconcile.CodeUnknownOutcome},
		{"no answer comes in time", put, stall, reconcile.CodeUnknownOutcome},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			gateway := theGateway(t)
			call := test.method + " /resourcepolicy/" + gateway.ARN()
			service := serve(t, map[string]answer{call: test.answer})
			gateways, _ := gatewaysAt(service)
			gateways.timeout = 200 * time.Millisecond

			var err error
			if test.method == put {
				err = gateways.PutPolicy(t.Context(), gateway, aDocument(t))
			} else {
				err = gateways.DeletePolicy(t.Context(), gateway)
			}
			if got := grant.CodeOf(err); got != test.want {
				t.Errorf("code %q, want %q: %v", got, test.want, err)
			}
			if n := service.calls(call); n != 1 {
				t.Errorf("the write was sent %d times, want once", n)
			}
		})
	}
}

func TestUnsentWriteIsNotInDoubt(t *testing.T) {
	gateway := theGateway(t)
	refusing := serve(t, nil)
	refusing.Close()
	failed := errors.New("no credentials here")

	tests := []struct {
		reason string
		config func() aws.Config
	}{
		{"no server listens", func() aws.Config { return configFor(refusing.URL) }},
		{"there are no credentials", func() aws.Config {
			config := configFor(refusing.URL)
			config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{}, failed
			})
			return config
		}},
		{"there is no such host", func() aws.Config { return configFor("http://no-such-host.invalid") }},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			err := New(test.config(), Deployment{}).PutPolicy(t.Context(), gateway, aDocument(t))
			if got := grant.CodeOf(err); got != reconcile.CodeUnknown {
				t.Errorf("code %q, want %q: %v", got, reconcile.CodeUnknown, err)
			}
		})
	}
}

func TestUntrustedCertificateIsNotInDoubt(t *testing.T) {
	impostor := httptestTLS(t)
	err := New(configFor(impostor), Deployment{}).DeletePolicy(t.Context(), theGateway(t))
	if got := grant.CodeOf(err); got != reconcile.CodeUnknown {
		t.Errorf("code %q, want %q: %v", got, reconcile.CodeUnknown, err)
	}
}

func TestReadFailureCodes(t *testing.T) {
	tests := []struct {
		reason string
		answer answer
		want   grant.Code
		tries  int
	}{
		{"AWS asks for fewer calls", refuse(429, "ThrottlingException", "Rate exceeded"), reconcile.CodeThrottled, 3},
		{"a permission is missing", refuse(403, "AccessDeniedException", "no"), reconcile.CodeAccessDenied, 1},
		{"AWS failed", refuse(500, "InternalServerException", "oops"), reconcile.CodeUnknown, 3},
		{"the connection ended", hangUp, reconcile.CodeUnknown, 3},
		{"the ARN is refused", refuse(400, "ValidationException", "bad ARN"), reconcile.CodeUnknown, 1},
		{"the document cannot be understood", say(200, `{"policy":"{\"Statement\": "}`), reconcile.CodeUnreadablePolicy, 1},
		{"the document is another kind of JSON", say(200, `{"policy":"[]"}`), reconcile.CodeUnreadablePolicy, 1},
		{"which statements count is not known", say(200, `{"policy":"{\"Statement\":[],\"Statement\":[]}"}`), reconcile.CodeUnreadablePolicy, 1},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			gateway := theGateway(t)
			call := "GET /resourcepolicy/" + gateway.ARN()
			service := serve(t, map[string]answer{call: test.answer})
			gateways, _ := gatewaysAt(service)

			document, err := gateways.Policy(t.Context(), gateway)
			if got := grant.CodeOf(err); got != test.want || document != nil {
				t.Errorf("document %v, code %q, want none and %q: %v", document, got, test.want, err)
			}
			if n := service.calls(call); n != test.tries {
				t.Errorf("read %d times, want %d: a read is repeated where that may help", n, test.tries)
			}
		})
	}
}

func TestFailureWrapsItsCause(t *testing.T) {
	gateway := theGateway(t)
	service := serve(t, map[string]answer{
		"PUT /resourcepolicy/" + gateway.ARN(): refuse(http.StatusBadRequest, "ValidationException", "Policy has invalid action"),
	})
	gateways, _ := gatewaysAt(service)

	err := gateways.PutPolicy(t.Context(), gateway, aDocument(t))
	var cause *types.ValidationException
	if !errors.As(err, &cause) || cause.ErrorMessage() != "Policy has invalid action" {
		t.Errorf("cause %v of %v", cause, err)
	}
}

package sigv4_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

var want = sigv4.Expect{Service: "bedrock-agentcore", Region: "us-east-1", MaxBody: 1 << 10}

func TestUntouchedRequestIsAccepted(t *testing.T) {
	c := validCall()
	r := received(t, c.signed(t))
	got, err := verifierAt(noon).Verify(r, want)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	identity := sigv4.Identity{
		Caller:       session.Caller,
		Scope:        sigv4.Scope{AccessKeyID: session.ID, Date: "20260102", Region: "us-east-1", Service: "bedrock-agentcore"},
		SessionToken: session.SessionToken,
		SignedAt:     noon,
	}
	if diff := cmp.Diff(identity, got); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != c.body {
		t.Errorf("body read again = %q, %v; want %q", body, err, c.body)
	}
}

func TestOddButValidRequestsAreAccepted(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*call)
		want   sigv4.Expect
	}{
		"LongTermKey":       {reason: "a key without a token", change: func(c *call) { c.key = longTerm }},
		"FiveMinutesAhead":  {reason: "the skew is inclusive", change: func(c *call) { c.at = noon.Add(5 * time.Minute) }},
		"FiveMinutesBehind": {reason: "the skew is inclusive", change: func(c *call) { c.at = noon.Add(-5 * time.Minute) }},
		"NoBody": {reason: "a GET has an empty body", change: func(c *call) {
			c.method, c.body = http.MethodGet, ""
		}},
		"OddSpaces":   {reason: "runs of spaces are one", change: func(c *call) { c.header.Set("X-Odd", "  a   b  c ") }},
		"Duplicates":  {reason: "values of one header are joined in order", change: func(c *call) { c.header["X-Odd"] = []string{"b", "a", " c  d "} }},
		"EmptyHeader": {reason: "a header may be empty", change: func(c *call) { c.header.Set("X-Odd", "") }},
		"OddQuery": {reason: "parameters are sorted after they are encoded", change: func(c *call) {
			c.url += "?z=1&a=2&a=1&b&c=%20%2B%2F&a-b=1&a%2Fb=2&=empty&%C3%A9=~"
		}},
		"EscapedSlash":  {reason: "an escaped slash stays one", change: func(c *call) { c.url = "http://h/a%2Fb/c" }},
		"EscapedColon":  {reason: "an escape that was not needed stays", change: func(c *call) { c.url = "http://h/arn%3Aaws%3Ax" }},
		"PlainColon":    {reason: "and none is added", change: func(c *call) { c.url = "http://h/arn:aws:x" }},
		"Unicode":       {reason: "a path in UTF-8", change: func(c *call) { c.url = "http://h/é/ß" }},
		"LowerCaseHex":  {reason: "an escape stays as it is written", change: func(c *call) { c.url = "http://h/a%2fb" }},
		"DoubleSlashes": {reason: "Go's signer leaves them", change: func(c *call) { c.url = "http://h/a//b" }},
		"AnyScope": {
			reason: "an empty expectation is none",
			change: func(c *call) { c.service, c.region = "dynamodb", "eu-west-1" },
			want:   sigv4.Expect{MaxBody: 1 << 10},
		},
		"UnsignedPayload": {
			reason: "allowed where the service allows it",
			change: func(c *call) {
				c.header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
				c.payloadHash = "UNSIGNED-PAYLOAD"
			},
			want: sigv4.Expect{Service: "bedrock-agentcore", Region: "us-east-1", MaxBody: 1 << 10, UnsignedPayload: true},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := validCall()
			tc.change(&c)
			if tc.want == (sigv4.Expect{}) {
				tc.want = want
			}
			if _, err := verifierAt(noon).Verify(received(t, c.signed(t)), tc.want); err != nil {
				t.Errorf("%s: Verify: %v", tc.reason, err)
			}
		})
	}
}

func TestAFailedLookupIsNoRefusal(t *testing.T) {
	c := validCall()
	c.key.ID = "AKIABROKEN"
	_, err := verifierAt(noon).Verify(received(t, c.signed(t)), want)
	var refused *sigv4.Error
	if err == nil || errors.As(err, &refused) {
		t.Errorf("Verify = %v, want the lookup's own error", err)
	}
}

func TestScopeIsReadWithoutVerifying(t *testing.T) {
	c := validCall()
	c.service, c.key.Secret = "dynamodb", "guess"
	got, err := sigv4.ScopeOf(received(t, c.signed(t)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sigv4.Scope{AccessKeyID: session.ID, Date: "20260102", Region: "us-east-1", Service: "dynamodb"}, got); diff != "" {
		t.Errorf("scope (-want +got):\n%s", diff)
	}
}

func TestEveryCodeHasBothSpellings(t *testing.T) {
	for _, code := range []sigv4.Code{
		sigv4.MissingAuthenticationToken, sigv4.IncompleteSignature, sigv4.InvalidClientTokenID, sigv4.ExpiredToken,
		sigv4.SignatureDoesNotMatch, sigv4.MalformedQueryString, sigv4.RequestTooLarge,
	} {
		e := &sigv4.Error{Code: code}
		if !strings.HasSuffix(e.JSONCode(), "Exception") || e.QueryCode() == "" || e.Status() < 400 {
			t.Errorf("%s: JSON %q, Query %q, status %d", code, e.JSONCode(), e.QueryCode(), e.Status())
		}
	}
}

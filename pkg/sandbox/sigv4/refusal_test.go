package sigv4_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

func TestASpoiltRequestIsRefused(t *testing.T) {
	type spoil struct {
		reason  string
		before  func(*call)         // it is signed
		after   func(*http.Request) // it was signed
		now     time.Time
		code    sigv4.Code
		message string // part of it
	}
	dropSigned := func(names ...string) func(*http.Request) {
		return func(r *http.Request) {
			for _, name := range names {
				old := r.Header.Get("Authorization")
				r.Header.Set("Authorization", strings.Replace(strings.Replace(old, ";"+name, "", 1), name+";", "", 1))
			}
		}
	}
	cases := map[string]spoil{
		"WrongSecret": {
			reason: "the signer must know the secret",
			before: func(c *call) { c.key.Secret = "guess" },
			code:   sigv4.SignatureDoesNotMatch, message: "does not match the signature you provided",
		},
		"AlteredBody": {
			reason: "the signature covers the body",
			after: func(r *http.Request) {
				r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", int(r.ContentLength))))
			},
			code: sigv4.SignatureDoesNotMatch, message: "does not match the signature you provided",
		},
		"AlteredBodyWithItsOldHash": {
			reason: "the real body counts, not the hash that the header claims",
			before: func(c *call) {
				sum := sha256.Sum256([]byte(c.body))
				c.header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
			},
			after: func(r *http.Request) {
				r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", int(r.ContentLength))))
			},
			code: sigv4.SignatureDoesNotMatch, message: "does not match the signature you provided",
		},
		"AlteredQuery": {
			reason: "the signature covers the query",
			after:  func(r *http.Request) { r.URL.RawQuery = "admin=true" },
			code:   sigv4.SignatureDoesNotMatch, message: "does not match the signature you provided",
		},
		"AlteredPath": {
			reason: "the signature covers the path",
			after:  func(r *http.Request) { r.URL.Path = "/gateway/gw-2/mcp" },
			code:   sigv4.SignatureDoesNotMatch, message: "does not match the signature you provided",
		},
		"AlteredEscapeInPath": {
			reason: "a slash and an escaped slash are different paths",
			before: func(c *call) { c.url = "http://127.0.0.1:4566/a/b" },
			after:  func(r *http.Request) { r.URL.RawPath = "/a%2Fb" },
			code:   sigv4.SignatureDoesNotMatch, message: "does not match the signature you provided",
		},
		"AlteredMethod": {
			reason: "the signature covers the method",
			after:  func(r *http.Request) { r.Method = http.MethodPut },
			code:   sigv4.SignatureDoesNotMatch, message: "does not match the signature you provided",
		},
		"AlteredHost": {
			reason: "a request for one gateway is none for another",
			after:  func(r *http.Request) { r.Host = "gw-2.gateway.bedrock-agentcore.us-east-1.amazonaws.com" },
			code:   sigv4.SignatureDoesNotMatch, message: "does not match the signature you provided",
		},
		"AlteredHeader": {
			reason: "the signature covers every header that it lists",
			after:  func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
			code:   sigv4.SignatureDoesNotMatch, message: "does not match the signature you provided",
		},
		"OldDate": {
			reason: "a request is good for five minutes",
			now:    noon.Add(5*time.Minute + time.Second),
			code:   sigv4.SignatureDoesNotMatch, message: "Signature expired: 20260102T120000Z is now earlier than 20260102T120001Z (20260102T120501Z - 5 min.)",
		},
		"FutureDate": {
			reason: "a clock may be five minutes ahead, not more",
			now:    noon.Add(-5*time.Minute - time.Second),
			code:   sigv4.SignatureDoesNotMatch, message: "Signature not yet current",
		},
		"AlteredDate": {
			reason: "an old signature with a new date is no new signature",
			after:  func(r *http.Request) { r.Header.Set("X-Amz-Date", "20260102T120001Z") },
			code:   sigv4.SignatureDoesNotMatch, message: "does not match the signature you provided",
		},
		"DateOfAnotherDay": {
			reason: "the scope's day is that of the date",
			after:  func(r *http.Request) { r.Header.Set("X-Amz-Date", "20260103T000000Z") },
			code:   sigv4.SignatureDoesNotMatch, message: "Date in Credential scope does not match",
		},
		"DateMalformed": {
			reason: "the date is ISO 8601 in its basic form",
			after:  func(r *http.Request) { r.Header.Set("X-Amz-Date", "2026-01-02T12:00:00Z") },
			code:   sigv4.IncompleteSignature, message: "ISO-8601",
		},
		"DateMissing": {
			reason: "there must be a date",
			after:  func(r *http.Request) { r.Header.Del("X-Amz-Date") },
			code:   sigv4.IncompleteSignature, message: "X-Amz-Date",
		},
		"DateTwice": {
			reason: "two dates leave open which one was signed",
			after:  func(r *http.Request) { r.Header.Add("X-Amz-Date", "20260102T120000Z") },
			code:   sigv4.IncompleteSignature, message: "got 2",
		},
		"WrongRegion": {
			reason: "a signature is good in one region",
			before: func(c *call) { c.region = "eu-west-1" },
			code:   sigv4.SignatureDoesNotMatch, message: "valid region",
		},
		"WrongService": {
			reason: "a signature is good for one service",
			before: func(c *call) { c.service = "execute-api" },
			code:   sigv4.SignatureDoesNotMatch, message: "Credential should be scoped to correct service: 'bedrock-agentcore'.",
		},
		"WrongTerminator": {
			reason: "the scope ends in aws4_request",
			after:  replaceInAuthorization("aws4_request", "aws5_request"),
			code:   sigv4.SignatureDoesNotMatch, message: "valid terminator",
		},
		"MissingSessionToken": {
			reason: "a temporary key is worth nothing without its token",
			before: func(c *call) { c.key.SessionToken = "" },
			code:   sigv4.InvalidClientTokenID, message: "The security token included in the request is invalid.",
		},
		"WrongSessionToken": {
			reason: "the token is the one that came with the key",
			before: func(c *call) { c.key.SessionToken = "another" },
			code:   sigv4.InvalidClientTokenID, message: "The security token included in the request is invalid.",
		},
		"TokenOfALongTermKey": {
			reason: "a long-term key has no token",
			before: func(c *call) { c.key = longTerm; c.key.SessionToken = "invented" },
			code:   sigv4.InvalidClientTokenID, message: "The security token included in the request is invalid.",
		},
		"UnsignedSessionToken": {
			reason: "an unsigned token could be exchanged on the way",
			after:  dropSigned("x-amz-security-token"),
			code:   sigv4.SignatureDoesNotMatch, message: "'X-Amz-Security-Token' must be a 'SignedHeader'",
		},
		"UnsignedDate": {
			reason: "an unsigned date could be renewed on the way",
			after:  dropSigned("x-amz-date"),
			code:   sigv4.SignatureDoesNotMatch, message: "'X-Amz-Date' must be a 'SignedHeader'",
		},
		"UnsignedTarget": {
			reason: "an unsigned x-amz-target could change what is asked for",
			after:  func(r *http.Request) { r.Header.Set("X-Amz-Target", "DynamoDB_20120810.DeleteTable") },
			code:   sigv4.SignatureDoesNotMatch, message: "'X-Amz-Target' must be a 'SignedHeader'",
		},
		"UnsignedHost": {
			reason: "an unsigned host could be exchanged on the way",
			after:  dropSigned("host"),
			code:   sigv4.SignatureDoesNotMatch, message: "'Host' or ':authority' must be a 'SignedHeader'",
		},
		"ExpiredSession": {
			reason: "a session ends",
			before: func(c *call) { c.at = noon.Add(time.Hour) },
			now:    noon.Add(time.Hour),
			code:   sigv4.ExpiredToken, message: "expired",
		},
		"UnknownKey": {
			reason: "no principal holds the key",
			before: func(c *call) { c.key.ID = "AKIANOBODY" },
			code:   sigv4.InvalidClientTokenID, message: "The security token included in the request is invalid.",
		},
		"NoAuthorization": {
			reason: "an unsigned request",
			after:  func(r *http.Request) { r.Header.Del("Authorization") },
			code:   sigv4.MissingAuthenticationToken, message: "Missing Authentication Token",
		},
		"TwoAuthorizations": {
			reason: "two signatures leave open which one counts",
			after:  func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) },
			code:   sigv4.IncompleteSignature, message: "exactly one",
		},
		"BearerToken": {
			reason: "a JWT is no signature",
			after:  func(r *http.Request) { r.Header.Set("Authorization", "Bearer abc") },
			code:   sigv4.IncompleteSignature, message: "Bearer",
		},
		"NoSignature": {
			reason: "every parameter is needed",
			after:  replaceInAuthorization(", Signature=", ", Other="),
			code:   sigv4.IncompleteSignature, message: "'Signature'",
		},
		"NoEqualSign": {
			reason: "parameters are key=value",
			after:  replaceInAuthorization(", Signature=", ", Signature"),
			code:   sigv4.IncompleteSignature, message: "missing equal-sign",
		},
		"ShortCredential": {
			reason: "a credential has five parts",
			after:  replaceInAuthorization("/us-east-1/", "/"),
			code:   sigv4.IncompleteSignature, message: "exactly 5",
		},
		"PresignedURL": {
			reason: "presigned URLs are refused by name, not as unsigned",
			after:  func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "X-Amz-Signature=abc" },
			code:   sigv4.IncompleteSignature, message: "presigned",
		},
		"UnsignedPayload": {
			reason: "a body outside the signature is refused unless it is allowed",
			before: func(c *call) {
				c.header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
				c.payloadHash = "UNSIGNED-PAYLOAD"
			},
			code: sigv4.SignatureDoesNotMatch, message: "does not match the signature you provided",
		},
		"MalformedQuery": {
			reason: "what does not parse would not be under the signature",
			after:  func(r *http.Request) { r.URL.RawQuery = "a=1;b=2" },
			code:   sigv4.MalformedQueryString, message: "syntax error",
		},
		"LargeBody": {
			reason: "a body is read to its limit",
			before: func(c *call) { c.body = strings.Repeat("x", 1<<10+1) },
			code:   sigv4.RequestTooLarge, message: "1024 bytes",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := validCall()
			if tc.before != nil {
				tc.before(&c)
			}
			r := c.signed(t)
			if tc.after != nil {
				tc.after(r)
			}
			now := tc.now
			if now.IsZero() {
				now = noon
			}
			_, err := verifierAt(now).Verify(received(t, r), want)
			var refused *sigv4.Error
			if !errors.As(err, &refused) {
				t.Fatalf("%s: Verify = %v, want a refusal", tc.reason, err)
			}
			if refused.Code != tc.code || !strings.Contains(refused.Message, tc.message) {
				t.Errorf("%s:\nVerify = %v\nwant %s: …%s…", tc.reason, refused, tc.code, tc.message)
			}
		})
	}
}

func replaceInAuthorization(old, replacement string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, replacement, 1))
	}
}

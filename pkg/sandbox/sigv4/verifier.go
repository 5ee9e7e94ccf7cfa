// Package sigv4 verifies requests signed with AWS Signature Version 4, as AWS
// services do, by signing them again with the AWS SDK's own signer.
//
// What the SDK's signer never signs (User-Agent, Expect, X-Amzn-Trace-Id,
// Transfer-Encoding, a Content-Length of 0) cannot be verified here either: a
// client that signs one of these is refused.
package sigv4

import (
	"bytes"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// Skew is how far a signature's time may be from the verifier's, either way.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
const Skew = 5 * time.Minute

const amzDateFormat = "20060102T150405Z"

// Keys finds access keys. It answers iam.ErrNotFound for a key that does not
// exist.
type Keys interface {
	AccessKey(ctx context.Context, id string) (iam.AccessKey, error)
}

// Verifier decides who sent a request.
type Verifier struct {
	Keys Keys
	Now  func() time.Time
}

// Expect is what a signature must be good for.
type Expect struct {
	// Service and Region must be those of the credential scope; empty allows
	// any.
	Service, Region string
	// MaxBody is the largest body that is read, in bytes. Zero or less reads
	// none but an empty one.
	MaxBody int64
	// UnsignedPayload accepts X-Amz-Content-Sha256: UNSIGNED-PAYLOAD, whose
	// signature says nothing of the body.
	UnsignedPayload bool
}

// Identity is what a valid signature proves.
type Identity struct {
	Caller iam.Caller
	Scope  Scope
	// SessionToken is what came with the request; empty for a long-term key.
	SessionToken string
	SignedAt     time.Time
}

// Verify says who signed the request. It reads the body whole and puts it
// back, so that it can be read again. A refusal is an *Error; any other error
// means that no answer could be found.
func (v *Verifier) Verify(r *http.Request, want Expect) (Identity, error) {
	auth, err := parseAuthorization(r)
	if err != nil {
		return Identity{}, err
	}
	if err := checkSignedHeaders(r, auth); err != nil {
		return Identity{}, err
	}
	signedAt, err := v.checkDate(r, auth.scope)
	if err != nil {
		return Identity{}, err
	}
	if err := checkScope(auth.scope, want); err != nil {
		return Identity{}, err
	}
	key, err := v.key(r, auth.scope.AccessKeyID)
	if err != nil {
		return Identity{}, err
	}
	body, err := readBody(r, want.MaxBody)
	if err != nil {
		return Identity{}, err
	}
	signature, err := resign(r, auth, key, signedAt, payloadHash(r, body, want.UnsignedPayload))
	if err != nil {
		return Identity{}, err
	}
	if !hmac.Equal([]byte(signature), []byte(auth.signature)) {
		return Identity{}, mismatch("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return Identity{Caller: key.Caller, Scope: auth.scope, SessionToken: key.SessionToken, SignedAt: signedAt}, nil
}

// checkSignedHeaders requires that the host and every x-amz-* header is under
// the signature, or a proxy on the way could change them.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html#create-canonical-request
func checkSignedHeaders(r *http.Request, auth authorization) error {
	if !auth.signs("host") {
		return mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range r.Header {
		if strings.HasPrefix(strings.ToLower(name), "x-amz-") && !auth.signs(name) {
			return mismatch("'%s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	return nil
}

func (v *Verifier) checkDate(r *http.Request, scope Scope) (time.Time, error) {
	dates := r.Header.Values("X-Amz-Date")
	if len(dates) != 1 {
		return time.Time{}, incomplete("Authorization header requires existence of exactly one 'X-Amz-Date' header, got %d.", len(dates))
	}
	signedAt, err := time.Parse(amzDateFormat, dates[0])
	if err != nil {
		return time.Time{}, incomplete("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", dates[0])
	}
	if day := signedAt.Format("20060102"); day != scope.Date {
		return time.Time{}, mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", scope.Date, day, dates[0])
	}
	now := v.Now().UTC()
	if oldest := now.Add(-Skew); signedAt.Before(oldest.Truncate(time.Second)) {
		return time.Time{}, mismatch("Signature expired: %s is now earlier than %s (%s - 5 min.)", dates[0], oldest.Format(amzDateFormat), now.Format(amzDateFormat))
	}
	if newest := now.Add(Skew); signedAt.After(newest) {
		return time.Time{}, mismatch("Signature not yet current: %s is still later than %s (%s + 5 min.)", dates[0], newest.Format(amzDateFormat), now.Format(amzDateFormat))
	}
	return signedAt, nil
}

func checkScope(scope Scope, want Expect) error {
	if want.Region != "" && scope.Region != want.Region {
		return mismatch("Credential should be scoped to a valid region, not '%s'.", scope.Region)
	}
	if want.Service != "" && scope.Service != want.Service {
		return mismatch("Credential should be scoped to correct service: '%s'.", want.Service)
	}
	return nil
}

func (v *Verifier) key(r *http.Request, id string) (iam.AccessKey, error) {
	invalid := &Error{InvalidClientTokenID, "The security token included in the request is invalid."}
	key, err := v.Keys.AccessKey(r.Context(), id)
	if errors.Is(err, iam.ErrNotFound) {
		return iam.AccessKey{}, invalid
	}
	if err != nil {
		return iam.AccessKey{}, fmt.Errorf("looking up access key %s: %w", id, err)
	}
	tokens := r.Header.Values("X-Amz-Security-Token")
	if len(tokens) > 1 || !hmac.Equal([]byte(strings.Join(tokens, "")), []byte(key.SessionToken)) {
		return iam.AccessKey{}, invalid
	}
	if !key.Expires.IsZero() && !v.Now().Before(key.Expires) {
		return iam.AccessKey{}, &Error{ExpiredToken, "The security token included in the request is expired"}
	}
	return key, nil
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, max(limit, 0)+1))
	if err != nil {
		return nil, fmt.Errorf("reading the request's body: %w", err)
	}
	if int64(len(body)) > max(limit, 0) {
		return nil, &Error{RequestTooLarge, fmt.Sprintf("Request body exceeds %d bytes.", max(limit, 0))}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

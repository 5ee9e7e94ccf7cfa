package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

const unsignedPayload = "UNSIGNED-PAYLOAD"

var signer = v4.NewSigner()

// payloadHash is what the signature must cover in place of the body: its hash,
// whatever X-Amz-Content-Sha256 claims, unless the claim is that it covers
// nothing and that is allowed.
func payloadHash(r *http.Request, body []byte, unsignedAllowed bool) string {
	if unsignedAllowed && r.Header.Get("X-Amz-Content-Sha256") == unsignedPayload {
		return unsignedPayload
	}
	hash := sha256.Sum256(body)
	return hex.EncodeToString(hash[:])
}

// resign gives the signature that the holder of the key would have made of the
// headers that the request names as signed.
func resign(r *http.Request, auth authorization, key iam.AccessKey, at time.Time, payload string) (string, error) {
	rebuilt, err := rebuild(r, auth)
	if err != nil {
		return "", err
	}
	// The token, if there is one, is among the signed headers already.
	credentials := aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	if err := signer.SignHTTP(r.Context(), credentials, rebuilt, payload, auth.scope.Service, auth.scope.Region, at); err != nil {
		return "", fmt.Errorf("signing again: %w", err)
	}
	again, err := parseAuthorization(rebuilt)
	return again.signature, err
}

// rebuild is the request as its sender gave it to the signer.
func rebuild(r *http.Request, auth authorization) (*http.Request, error) {
	path, query := target(r)
	// A pair that does not parse would be dropped from what is signed.
	if _, err := url.ParseQuery(query); err != nil {
		return nil, &Error{MalformedQueryString, "The query string contains a syntax error: " + err.Error()}
	}
	rebuilt := &http.Request{
		Method: r.Method,
		Host:   r.Host,
		Header: http.Header{},
		// Without a scheme the signer takes no port for a default one, and an
		// opaque URL keeps every escape in the path as it was sent.
		URL: &url.URL{Opaque: "//host" + path, RawQuery: query},
	}
	for _, name := range auth.signedHeaders {
		name = http.CanonicalHeaderKey(name)
		if values := r.Header.Values(name); len(values) > 0 {
			rebuilt.Header[name] = append([]string(nil), values...)
		}
	}
	if auth.signs("content-length") {
		rebuilt.ContentLength = r.ContentLength
	}
	return rebuilt, nil
}

// target splits the request's target as it came over the wire: Go's URL would
// change escapes that are not its own.
func target(r *http.Request) (path, query string) {
	raw := r.RequestURI
	if raw == "" {
		return r.URL.EscapedPath(), r.URL.RawQuery
	}
	if _, rest, absolute := strings.Cut(raw, "://"); absolute && !strings.HasPrefix(raw, "/") {
		_, path, _ := strings.Cut(rest, "/")
		raw = "/" + path
	}
	path, query, _ = strings.Cut(raw, "?")
	return path, query
}

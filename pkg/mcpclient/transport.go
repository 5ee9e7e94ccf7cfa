package mcpclient

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	service = "bedrock-agentcore"

	// maxRefusal is how much of a refusal's body is kept, in bytes.
	maxRefusal = 64 << 10
)

// transport signs each request and keeps what the gateway says when it refuses
// one: the MCP SDK drops the bodies of such answers.
type transport struct {
	base        http.RoundTripper
	credentials aws.CredentialsProvider
	region      string
	now         func() time.Time
	signer      *v4.Signer
}

func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	attempted := attemptOf(request.Context())
	if err := attempted.over(); err != nil {
		closeBody(request)
		return nil, err
	}
	signed, err := t.sign(request)
	if err != nil {
		return nil, attempted.failed(err, true)
	}
	response, err := t.base.RoundTrip(signed)
	if err != nil {
		return nil, attempted.failed(&UnreachableError{URL: request.URL.String(), Err: err}, true)
	}
	if response.StatusCode < http.StatusMultipleChoices {
		attempted.succeeded()
		return response, nil
	}
	refused, err := readRefusal(request, response)
	if err != nil {
		return nil, attempted.failed(&UnreachableError{URL: request.URL.String(), Err: err}, true)
	}
	if err := attempted.failed(refused, refused.final()); refused.final() {
		return nil, err
	}
	// The SDK may find in it another version of the protocol to try.
	response.Body = io.NopCloser(bytes.NewReader([]byte(refused.Body)))
	return response, nil
}

// sign signs a copy, as a RoundTripper must not change what it is given.
func (t *transport) sign(request *http.Request) (*http.Request, error) {
	body, err := readBody(request)
	if err != nil {
		return nil, err
	}
	credentials, err := t.credentials.Retrieve(request.Context())
	if err != nil {
		return nil, fmt.Errorf("finding AWS credentials to sign with: %w", err)
	}
	signed := request.Clone(request.Context())
	signed.Body = io.NopCloser(bytes.NewReader(body))
	signed.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	signed.ContentLength = int64(len(body))
	hash := sha256.Sum256(body)
	if err := t.signer.SignHTTP(request.Context(), credentials, signed, hex.EncodeToString(hash[:]), service, t.region, t.now()); err != nil {
		return nil, fmt.Errorf("signing the request: %w", err)
	}
	return signed, nil
}

func readBody(request *http.Request) ([]byte, error) {
	if request.Body == nil {
		return nil, nil
	}
	defer closeBody(request)
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the request to sign: %w", err)
	}
	return body, nil
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close() // nothing was written
	}
}

func readRefusal(request *http.Request, response *http.Response) (*RefusedError, error) {
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	if err != nil {
		return nil, fmt.Errorf("reading the body of a %s: %w", response.Status, err)
	}
	return &RefusedError{Status: response.StatusCode, URL: request.URL.String(), Body: string(body)}, nil
}

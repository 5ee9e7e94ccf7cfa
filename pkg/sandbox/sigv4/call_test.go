package sigv4_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// keys is a set of access keys by id.
type keys map[string]iam.AccessKey

func (k keys) AccessKey(_ context.Context, id string) (iam.AccessKey, error) {
	if id == "AKIABROKEN" {
		return iam.AccessKey{}, errors.New("the key store is down")
	}
	key, ok := k[id]
	if !ok {
		return iam.AccessKey{}, fmt.Errorf("%s: %w", id, iam.ErrNotFound)
	}
	return key, nil
}

var (
	longTerm = iam.AccessKey{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Caller: iam.Caller{ARN: "arn:aws:iam::111122223333:user/ada"}}
	session  = iam.AccessKey{ID: "ASIAEXAMPLE", Secret: "anothersecret", SessionToken: "the/session+token==", Expires: noon.Add(time.Hour), Caller: iam.Caller{ARN: "arn:aws:sts::111122223333:assumed-role/Admin/s"}}
)

func verifierAt(now time.Time) *sigv4.Verifier {
	return &sigv4.Verifier{Keys: keys{longTerm.ID: longTerm, session.ID: session}, Now: func() time.Time { return now }}
}

const gatewayURL = "http://127.0.0.1:4566/gateway/gw-1/mcp"

// call is a request as a client makes it: each field may be spoilt before or
// after it is signed.
type call struct {
	method, url, body string
	header            http.Header
	key               iam.AccessKey
	service, region   string
	at                time.Time
	payloadHash       string
}

func validCall() call {
	return call{
		method: http.MethodPost, url: gatewayURL, body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`,
		header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}},
		key:    session, service: "bedrock-agentcore", region: "us-east-1", at: noon,
	}
}

// signed makes the request with AWS's own signer.
func (c call) signed(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequest(c.method, c.url, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = c.header.Clone()
	hash := c.payloadHash
	if hash == "" {
		sum := sha256.Sum256([]byte(c.body))
		hash = hex.EncodeToString(sum[:])
	}
	credentials := aws.Credentials{AccessKeyID: c.key.ID, SecretAccessKey: c.key.Secret, SessionToken: c.key.SessionToken}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hash, c.service, c.region, c.at); err != nil {
		t.Fatal(err)
	}
	return r
}

// received is the request as a server reads it off the wire.
func received(t *testing.T, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

package cloud

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// maxBody is the largest request that is handed to moto, in bytes: the largest
// Lambda deployment package that can be uploaded directly is 50 MB, and it comes
// base64-encoded.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxBody = 70 << 20

// Upstream serves what moto serves, to callers who sign well and whose policies let
// them, each in the account that the key belongs to. Moto itself checks neither.
type Upstream struct {
	// Decider decides every request. Without one, a caller with a valid signature may do
	// anything.
	Decider *iam.Decider
	// TableWritten, if set, is called after every call that changes items in
	// DynamoDB, before its caller has the answer. It must not block.
	TableWritten func()
	// Redeployed, if set, is called after every call that may have changed what is
	// deployed, before its caller has the answer. It must not block.
	Redeployed func()
	// OrganizationCalled, if set, is called for every call to Organizations that moto
	// has answered, before its caller has the answer.
	OrganizationCalled func(context.Context, OrganizationCall)

	verifier   *sigv4.Verifier
	identities *Identities
	proxy      *httputil.ReverseProxy
}

// NewUpstream makes the handler. The secrets of access keys that moto issues are
// recorded in identities.
func NewUpstream(moto *Moto, verifier *sigv4.Verifier, identities *Identities) (*Upstream, error) {
	target, err := url.Parse(moto.Endpoint())
	if err != nil {
		return nil, fmt.Errorf("reading moto's endpoint: %w", err)
	}
	u := &Upstream{verifier: verifier, identities: identities}
	u.proxy = &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host // what moto puts into the URLs that it gives out
			p.Out.Header.Set(accountHeader, actingAccount(p.In.Context()))
		},
		Transport:      moto.transport(),
		ModifyResponse: u.answered,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			refuse(w, r, http.StatusServiceUnavailable, "ServiceUnavailable", "moto does not answer: "+err.Error())
		},
	}
	return u, nil
}

func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/moto-api") || strings.HasPrefix(r.URL.Path, "/_sandbox") {
		refuse(w, r, http.StatusNotFound, "UnknownOperationException", "Moto's own API is not part of the stand-in.")
		return
	}
	identity, err := u.verifier.Verify(r, sigv4.Expect{MaxBody: maxBody, UnsignedPayload: scopedService(r) == "s3"})
	if refused := (*sigv4.Error)(nil); errors.As(err, &refused) {
		refuseSignature(w, r, refused)
		return
	}
	if err != nil {
		refuse(w, r, http.StatusInternalServerError, "InternalFailure", err.Error())
		return
	}
	to, err := u.authorize(r, identity)
	if err != nil {
		refuseUnauthorized(w, r, err)
		return
	}
	if to.buses {
		u.putEvents(w, r, identity)
		return
	}
	account := to.account
	if scopedService(r) == "organizations" {
		r = noteOrganizationCall(r, identity.Caller)
		account, err = u.identities.actsIn(r.Context(), identity.Caller, r.Header.Get("X-Amz-Target"))
	}
	if err == nil {
		err = u.forwardAccess(r)
	}
	if errors.Is(err, errNotForMembers) {
		refuse(w, r, http.StatusBadRequest, "AccessDeniedException", err.Error())
		return
	}
	if err != nil {
		refuse(w, r, http.StatusInternalServerError, "InternalFailure", err.Error())
		return
	}
	ctx := context.WithValue(r.Context(), accountKey{}, account)
	u.proxy.ServeHTTP(w, r.WithContext(ctx))
}

type accountKey struct{}

// actingAccount is the account that a verified request acts in.
func actingAccount(ctx context.Context) string {
	id, _ := ctx.Value(accountKey{}).(string)
	return id
}

// answered looks at what moto answers before the caller gets it.
func (u *Upstream) answered(answer *http.Response) error {
	if scopedService(answer.Request) == "organizations" {
		return u.organizationAnswered(answer)
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return nil
	}
	switch scopedService(answer.Request) {
	case "cloudformation", "lambda", "scheduler":
		if u.Redeployed != nil && answer.Request.Method != http.MethodGet {
			u.Redeployed()
		}
	case "iam":
		return u.recordAccessKey(answer)
	case "dynamodb":
		if u.TableWritten != nil && changesItems(answer.Request.Header.Get("X-Amz-Target")) {
			u.TableWritten()
		}
	}
	return nil
}

// changesItems tells by a call's target, such as DynamoDB_20120810.PutItem.
func changesItems(target string) bool {
	_, operation, _ := strings.Cut(target, ".")
	switch operation {
	case "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems",
		"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction":
		return true
	default:
		return false
	}
}

// recordAccessKey keeps the secret of a key that iam:CreateAccessKey has made:
// moto will not show it again, and without it no signature can be verified.
func (u *Upstream) recordAccessKey(answer *http.Response) error {
	body, err := bodyOf(answer)
	if err != nil {
		return err
	}
	var created struct {
		XMLName xml.Name `xml:"CreateAccessKeyResponse"`
		User    string   `xml:"CreateAccessKeyResult>AccessKey>UserName"`
		ID      string   `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret  string   `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	if xml.Unmarshal(body, &created) == nil {
		u.identities.Record(actingAccount(answer.Request.Context()), created.User, created.ID, created.Secret)
	}
	return nil // an answer of any other shape is another operation's
}

// bodyOf reads the body of an answer, which can be read again.
func bodyOf(answer *http.Response) ([]byte, error) {
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, fmt.Errorf("reading moto's answer: %w", err)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

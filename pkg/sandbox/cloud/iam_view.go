package cloud

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// iamViews keeps what was read of accounts' IAM for as long as nothing can have
// changed it. All changes come over HTTP, from clients through Upstream and from us
// through Config, so that each is seen before it begins and when it has ended; what
// is read in between is not kept.
type iamViews struct {
	mu       sync.Mutex
	changing int // changes that have begun and not ended
	changes  int // that have begun
	accounts map[string]*account
	managed  map[string]*policy.Document // AWS's own, which cannot be changed, by ARN
}

// begin tells of a request that may change IAM. What it returns is to be called
// when the request has been answered.
func (v *iamViews) begin() (end func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.changing++
	v.changes++
	v.accounts = nil
	return sync.OnceFunc(func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.changing--
	})
}

// account gives what is kept of an account, or else what read reads.
func (v *iamViews) account(id string, read func() (*account, error)) (*account, error) {
	v.mu.Lock()
	kept, still, before := v.accounts[id], v.changing == 0, v.changes
	v.mu.Unlock()
	if kept != nil {
		return kept, nil
	}
	fresh, err := read()
	if err != nil || !still {
		return fresh, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.changes == before {
		if v.accounts == nil {
			v.accounts = map[string]*account{}
		}
		v.accounts[id] = fresh
	}
	return fresh, nil
}

// mayChangeIAM are the services that change who exists and what policies say:
// CloudFormation makes roles, and Organizations accounts with a role in each.
var mayChangeIAM = map[string]bool{"iam": true, "cloudformation": true, "organizations": true}

func onlyReads(operation string) bool {
	for _, reading := range []string{"Get", "List", "Describe", "Simulate", "Validate", "Estimate"} {
		if strings.HasPrefix(operation, reading) {
			return true
		}
	}
	return false
}

// unanswered is how long a change may still go on in moto whose client did not wait
// for the answer.
const unanswered = time.Minute

// watching sees all requests to moto, for iamViews.
type watching struct{ views *iamViews }

func (t watching) RoundTrip(r *http.Request) (*http.Response, error) {
	service := scopedService(r)
	if !mayChangeIAM[service] {
		return http.DefaultTransport.RoundTrip(r) //nolint:wrapcheck // a transport's error is the client's to wrap
	}
	operation, err := operationOf(r)
	if err != nil {
		return nil, err
	}
	if onlyReads(operation) {
		return http.DefaultTransport.RoundTrip(r) //nolint:wrapcheck // a transport's error is the client's to wrap
	}
	end := t.views.begin()
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		time.AfterFunc(unanswered, end)
		return nil, err //nolint:wrapcheck // a transport's error is the client's to wrap
	}
	end()
	return answer, nil
}

// operationOf reads what a request asks moto for, and puts its body back; "" if it
// does not say so in a way that is known here.
func operationOf(r *http.Request) (string, error) {
	if r.URL.Query().Has("Action") {
		return "", nil
	}
	if _, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		return operation, nil
	}
	if r.Body == nil {
		return "", nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", fmt.Errorf("reading a request: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", nil //nolint:nilerr // in another protocol, moto finds the operation itself
	}
	return form.Get("Action"), nil
}

// awsManaged gives what is kept of a policy of AWS's own, or else what read reads.
func (v *iamViews) awsManaged(arn string, read func() (*policy.Document, error)) (*policy.Document, error) {
	v.mu.Lock()
	kept := v.managed[arn]
	v.mu.Unlock()
	if kept != nil {
		return kept, nil
	}
	fresh, err := read()
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.managed == nil {
		v.managed = map[string]*policy.Document{}
	}
	v.managed[arn] = fresh
	return fresh, nil
}

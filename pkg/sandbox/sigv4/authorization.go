package sigv4

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
)

// Scope is what a signature says that it is good for.
type Scope struct {
	AccessKeyID string
	Date        string // YYYYMMDD
	Region      string
	Service     string
}

// authorization is a parsed Authorization header.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
type authorization struct {
	scope         Scope
	signedHeaders []string // lower case, in the order given
	signature     string
}

func (a authorization) signs(header string) bool {
	return slices.Contains(a.signedHeaders, strings.ToLower(header))
}

// ScopeOf reads the credential scope of a signed request without verifying
// anything: enough to route a request, never to trust it.
func ScopeOf(r *http.Request) (Scope, error) {
	auth, err := parseAuthorization(r)
	return auth.scope, err
}

func parseAuthorization(r *http.Request) (authorization, error) {
	if r.URL.Query().Has("X-Amz-Signature") {
		return authorization{}, incomplete("This endpoint verifies signatures in the Authorization header only, not presigned URLs.")
	}
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return authorization{}, &Error{MissingAuthenticationToken, "Missing Authentication Token"}
	}
	if len(values) > 1 {
		return authorization{}, incomplete("There must be exactly one Authorization header, got %d.", len(values))
	}
	scheme, parameters, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	if scheme != algorithm {
		return authorization{}, incomplete("Unsupported AWS 'algorithm': '%s'.", scheme)
	}
	return parseParameters(parameters)
}

func parseParameters(parameters string) (authorization, error) {
	given := map[string]string{}
	for pair := range strings.SplitSeq(parameters, ",") {
		pair = strings.TrimSpace(pair)
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return authorization{}, incomplete("'%s' not a valid key=value pair (missing equal-sign) in Authorization header.", pair)
		}
		if _, twice := given[key]; twice {
			return authorization{}, incomplete("Authorization header contains '%s' more than once.", key)
		}
		given[key] = value
	}
	for _, key := range []string{"Credential", "SignedHeaders", "Signature"} {
		if given[key] == "" {
			return authorization{}, incomplete("Authorization header requires '%s' parameter.", key)
		}
	}
	scope, err := parseCredential(given["Credential"])
	if err != nil {
		return authorization{}, err
	}
	return authorization{
		scope:         scope,
		signedHeaders: strings.Split(strings.ToLower(given["SignedHeaders"]), ";"),
		signature:     given["Signature"],
	}, nil
}

func parseCredential(credential string) (Scope, error) {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 {
		return Scope{}, incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", credential)
	}
	if parts[4] != terminator {
		return Scope{}, mismatch("Credential should be scoped with a valid terminator: '%s', not '%s'.", terminator, parts[4])
	}
	return Scope{AccessKeyID: parts[0], Date: parts[1], Region: parts[2], Service: parts[3]}, nil
}

func incomplete(format string, args ...any) *Error {
	return &Error{IncompleteSignature, fmt.Sprintf(format, args...)}
}

func mismatch(format string, args ...any) *Error {
	return &Error{SignatureDoesNotMatch, fmt.Sprintf(format, args...)}
}

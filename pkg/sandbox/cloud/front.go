package cloud

import (
	"net/http"
	"regexp"
)

// Front is one endpoint for every AWS service: it sends a request to the service
// that its signature is scoped to, as AWS_ENDPOINT_URL makes clients expect.
type Front struct {
	// Services are handlers by signing name. They verify signatures themselves.
	Services map[string]http.Handler
	// Rest serves every other service, and says what is wrong with a request
	// whose scope cannot be read.
	Rest http.Handler
}

func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if own, ok := f.Services[scopedService(r)]; ok {
		own.ServeHTTP(w, r)
		return
	}
	f.Rest.ServeHTTP(w, r)
}

// The credential scope is KEY/DATE/REGION/SERVICE/aws4_request.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
var credentialScope = regexp.MustCompile(`Credential=[^/,\s]+/\d{8}/[^/,\s]+/([^/,\s]+)/aws4_request`)

// scopedService is what the request claims to be signed for; "" if it claims
// nothing. Nothing is verified.
func scopedService(r *http.Request) string {
	if scope := credentialScope.FindStringSubmatch(r.Header.Get("Authorization")); scope != nil {
		return scope[1]
	}
	return ""
}

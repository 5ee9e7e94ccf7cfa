package sigv4

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// Context holds the condition keys that AWS fills in from a signed request
// itself, whatever the service. Those of the caller and of the resource come
// with the decision; those of a VPC exist only where there is one.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (i Identity) Context(r *http.Request, now time.Time) map[string][]string {
	now = now.UTC()
	context := map[string][]string{
		"aws:CurrentTime":     {now.Format(time.RFC3339)},
		"aws:EpochTime":       {strconv.FormatInt(now.Unix(), 10)},
		"aws:SecureTransport": {strconv.FormatBool(r.TLS != nil)},
		"aws:ViaAWSService":   {"false"},
		"aws:RequestedRegion": {i.Scope.Region},
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		context["aws:SourceIp"] = []string{host}
	}
	if agent := r.UserAgent(); agent != "" {
		context["aws:UserAgent"] = []string{agent}
	}
	if referer := r.Referer(); referer != "" {
		context["aws:Referer"] = []string{referer}
	}
	return context
}

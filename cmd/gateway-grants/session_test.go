package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/handler"
)

// What the command line writes must be known as the product's own when
// CloudTrail tells of it, by the user agent, whatever the environment says.
func TestCallsFromHereCarryTheProductsName(t *testing.T) {
	var agents []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agents = append(agents, r.UserAgent())
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write([]byte(`<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account>` +
			`<Arn>arn:aws:sts::111122223333:assumed-role/Admin/alice</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`))
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "us-east-1", "AWS_CA_BUNDLE": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SDK_UA_APP_ID": "another",
	} {
		t.Setenv(name, value)
	}
	s, err := (&program{}).session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.identity(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(agents) != 1 || !slices.Contains(strings.Fields(agents[0]), "app/"+handler.AppID) {
		t.Errorf("the user agents %q do not say app/%s", agents, handler.AppID)
	}
}

package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// unknownOperation is AWS's answer to a path that no operation has.
const unknownOperation = `{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}`

func TestOnlyThePathOfMCPIsServed(t *testing.T) {
	w := newWorld(t, nil)
	g := w.gateway(settings(), "echo_message")
	base := strings.TrimSuffix(g.URL, "/mcp")
	for name, test := range map[string]struct {
		reason, url string
		status      int
		body        string
	}{
		"MCP":        {"the gateway's own URL", base + "/mcp", 200, "echo-tools___echo_message"},
		"bare":       {"a URL without /mcp, as a gateway without protocolType has it", base, 404, unknownOperation},
		"slash":      {"a slash is no path of MCP's", base + "/", 404, unknownOperation},
		"afterMCP":   {"nor is what follows it", base + "/mcp/", 404, unknownOperation},
		"elsewhere":  {"nor is anything else", base + "/sse", 404, unknownOperation},
		"no gateway": {"without a gateway there is no path either", w.url + "/gateway/", 404, unknownOperation},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := w.sendRaw(http.MethodPost, test.url, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, adminA, "2025-06-18")
			if status != test.status || !strings.Contains(body, test.body) {
				t.Errorf("%s: %d %s, want %d …%s…", test.reason, status, body, test.status, test.body)
			}
		})
	}
}

func TestAHostNameHasNoCase(t *testing.T) {
	w := newWorld(t, nil)
	g := w.gateway(settings(), "echo_message")
	toLoopback := &http.Client{Transport: &http.Transport{DialContext: dialTo(w.url)}}
	for path, found := range map[string]bool{"/mcp": true, "": false, "/": false} {
		g.URL = "http://" + strings.ToUpper(g.ID) + ".Gateway.bedrock-agentcore.us-east-1.amazonaws.com" + path
		_, err := w.tools(g, adminA, func(o *mcpclient.Options) { o.HTTPClient, o.Region = toLoopback, "us-east-1" })
		if found {
			w.must(err)
			continue
		}
		if status, body := refused(t, err); status != 404 || body != unknownOperation {
			t.Errorf("%q: %d %s", path, status, body)
		}
	}
}

func TestGatewayWithoutProtocolSpeaksMCP(t *testing.T) {
	w := newWorld(t, nil)
	in := settings()
	in.ProtocolType = ""
	g := w.gateway(in, "echo_message")
	if strings.HasSuffix(g.URL, "/mcp") {
		t.Errorf("URL = %s", g.URL)
	}
	_, err := w.tools(g, adminA)
	if status, body := refused(t, err); status != 404 || body != unknownOperation {
		t.Errorf("at its URL: %d %s", status, body)
	}
	g.URL += "/mcp"
	if got, err := w.tools(g, adminA); err != nil || len(got) != 1 {
		t.Errorf("below: %v, %v", got, err)
	}
}

func TestAGatewayAdvertisesTheDomainsOfItsOwn(t *testing.T) {
	w := newWorld(t, nil)
	in := settings()
	in.AuthorizerType = model.CustomJWT
	in.AuthorizerConfiguration = &model.AuthorizerSettings{CustomJWT: &model.JWTSettings{
		DiscoveryURL: "https://issuer.example/.well-known/openid-configuration", AllowedAudience: []string{"x"},
	}}
	in.DomainOverride = &model.Domains{Default: "mcp.example.com", Alternates: []string{"tools.example.com"}}
	g := w.gateway(in, "echo_message")
	for selected, want := range map[string]struct {
		status    int
		challenge string
	}{
		"":                  {401, "https://mcp.example.com/"},
		"tools.example.com": {401, "https://tools.example.com/"},
		"other.example.com": {400, ""},
	} {
		request, err := http.NewRequest(http.MethodPost, g.URL, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
		w.must(err)
		if selected != "" {
			request.Header.Set("x-amzn-bedrock-agentcore-gateway-domain", selected)
		}
		response, err := http.DefaultClient.Do(request)
		w.must(err)
		_ = response.Body.Close()
		if challenge := response.Header.Get("WWW-Authenticate"); response.StatusCode != want.status || !strings.Contains(challenge, want.challenge) {
			t.Errorf("%q: %d %q, want %d %q", selected, response.StatusCode, challenge, want.status, want.challenge)
		}
	}
}

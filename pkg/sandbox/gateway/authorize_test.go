package gateway_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/gateway"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

var echoTool = []string{"echo-tools___echo_message"}

// refused is the status and the body of a refusal.
func refused(t *testing.T, err error) (int, string) {
	t.Helper()
	var refusal *mcpclient.RefusedError
	if !errors.As(err, &refusal) {
		t.Fatalf("%v, want a refusal", err)
	}
	return refusal.Status, refusal.Body
}

func TestPolicyOpensGatewayToAnotherAccount(t *testing.T) {
	w := newWorld(t, nil)
	g := w.gateway(settings(), "echo_message")

	got, err := w.tools(g, adminA)
	if diff := cmp.Diff(echoTool, got); err != nil || diff != "" {
		t.Fatalf("its own account: %v (-want +got):\n%s", err, diff)
	}
	expectDenied := func(when string) {
		t.Helper()
		_, err := w.tools(g, adminB)
		status, body := refused(t, err)
		if status != http.StatusForbidden || body != `{"error":{"code":-32002,"message":"Insufficient permissions"},"id":1,"jsonrpc":"2.0"}` {
			t.Errorf("%s: %d %s", when, status, body)
		}
	}
	expectDenied("the other account without a policy")

	w.allow(g, `{"Principal":{"AWS":"`+rootB+`"}}`)
	got, err = w.tools(g, adminB)
	if diff := cmp.Diff(echoTool, got); err != nil || diff != "" {
		t.Fatalf("the other account with a policy: %v (-want +got):\n%s", err, diff)
	}

	w.must(w.model.DeleteResourcePolicy(owner, g.ARN))
	expectDenied("the other account after the policy is gone")
}

func TestNextDecisionClosesConnection(t *testing.T) {
	w := newWorld(t, nil)
	g := w.gateway(settings(), "echo_message")
	w.allow(g, `{"Principal":{"AWS":"`+rootB+`"}}`)
	client, err := w.connect(g, adminB)
	w.must(err)
	w.must(w.model.DeleteResourcePolicy(owner, g.ARN))
	_, err = client.Tools(t.Context())
	if status, _ := refused(t, err); status != http.StatusForbidden {
		t.Errorf("tools after revocation: %v, want 403", err)
	}
	_, err = client.Call(t.Context(), echoTool[0], nil)
	if status, _ := refused(t, err); status != http.StatusForbidden {
		t.Errorf("call after revocation: %v, want 403", err)
	}
	w.allow(g, `{"Principal":{"AWS":"`+rootB+`"}}`)
	if tools, err := client.Tools(t.Context()); err != nil || len(tools) != 1 {
		t.Errorf("after it was granted again: %v, %v", tools, err)
	}
}

func TestWhoIsLetIn(t *testing.T) {
	const (
		allowAccount = `{"Principal":{"AWS":"` + rootB + `"}}`
		allowAgent   = `{"Principal":{"AWS":"` + agentB + `"}}`
	)
	cases := map[string]struct {
		reason string
		policy []string
		role   string
		want   policy.Reason // "" is allowed
	}{
		"IdentitySilent": {
			"across accounts both sides must allow",
			[]string{allowAccount}, silent, policy.NoIdentityAllow,
		},
		"IdentitySilentNamed": {
			"naming the role does not replace its own policy across accounts",
			[]string{`{"Principal":{"AWS":"` + silent + `"}}`}, silent, policy.NoIdentityAllow,
		},
		"RoleNarrowedIn": {
			"the role that is named",
			[]string{allowAgent}, agentB, "",
		},
		"RoleNarrowedOut": {
			"another role of the same account",
			[]string{allowAgent}, adminB, policy.NoResourceAllow,
		},
		"RoleByName": {
			"the account, narrowed to a role by condition",
			[]string{`{"Principal":{"AWS":"` + rootB + `"},"Condition":{"ArnEquals":{"aws:PrincipalArn":"` + agentB + `"}}}`}, agentB, "",
		},
		"RoleByNameOther": {
			"the account, narrowed to another role by condition",
			[]string{`{"Principal":{"AWS":"` + rootB + `"},"Condition":{"ArnEquals":{"aws:PrincipalArn":"` + agentB + `"}}}`}, adminB, policy.NoResourceAllow,
		},
		"ExplicitDeny": {
			"a deny wins over every allow",
			[]string{allowAccount, `{"Effect":"Deny","Principal":{"AWS":"` + agentB + `"}}`}, agentB, policy.ExplicitDeny,
		},
		"ExplicitDenyOfAnother": {
			"and meets only the callers that it names",
			[]string{allowAccount, `{"Effect":"Deny","Principal":{"AWS":"` + agentB + `"}}`}, adminB, "",
		},
		"SameAccountDenied": {
			"a deny meets the gateway's own account too",
			[]string{`{"Effect":"Deny","Principal":{"AWS":"` + adminA + `"}}`}, adminA, policy.ExplicitDeny,
		},
		"SourceIpIn": {
			"loopback is where the test calls from",
			[]string{`{"Principal":{"AWS":"` + rootB + `"},"Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}`}, adminB, "",
		},
		"SourceIpOut": {
			"and no other place",
			[]string{`{"Principal":{"AWS":"` + rootB + `"},"Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`}, adminB, policy.NoResourceAllow,
		},
		"BeforeExpiry": {
			"the clock of the gateway decides",
			[]string{`{"Principal":{"AWS":"` + rootB + `"},"Condition":{"DateLessThan":{"aws:CurrentTime":"2026-01-02T12:00:01Z"}}}`}, adminB, "",
		},
		"AfterExpiry": {
			"the clock of the gateway decides",
			[]string{`{"Principal":{"AWS":"` + rootB + `"},"Condition":{"DateLessThan":{"aws:CurrentTime":"2026-01-02T12:00:00Z"}}}`}, adminB, policy.NoResourceAllow,
		},
		"EpochTime": {
			"the same in seconds",
			[]string{`{"Principal":{"AWS":"` + rootB + `"},"Condition":{"DateLessThanEquals":{"aws:EpochTime":"1767355200"}}}`}, adminB, "",
		},
		"PlainHTTP": {
			"loopback has no TLS",
			[]string{allowAccount, `{"Effect":"Deny","Principal":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`}, adminB, policy.ExplicitDeny,
		},
		"UserAgent": {
			"the client's own name",
			[]string{`{"Principal":{"AWS":"` + rootB + `"},"Condition":{"StringLike":{"aws:UserAgent":"Go-http-client/*"}}}`}, adminB, "",
		},
		"NoVPC": {
			"a request from outside every VPC has no VPC endpoint",
			[]string{`{"Principal":{"AWS":"` + rootB + `"},"Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}}`}, adminB, policy.NoResourceAllow,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			g := w.gateway(settings(), "echo_message")
			w.allow(g, tc.policy...)
			_, err := w.tools(g, tc.role)
			if tc.want == "" {
				if err != nil {
					t.Fatalf("%s: %v", tc.reason, err)
				}
				return
			}
			if status, _ := refused(t, err); status != http.StatusForbidden {
				t.Errorf("%s: %v, want 403", tc.reason, err)
			}
			if len(w.decisions) != 1 || w.decisions[0].Reason != tc.want {
				t.Errorf("%s: decisions %+v, want one, %s", tc.reason, w.decisions, tc.want)
			}
		})
	}
}

func TestARequestMayComeFromAVPCEndpoint(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *model.Options) {
		c.Origin = func(*http.Request) map[string][]string {
			return map[string][]string{"aws:SourceVpce": {"vpce-1"}, "aws:SourceIp": nil}
		}
	})
	g := w.gateway(settings(), "echo_message")
	w.allow(g,
		`{"Principal":{"AWS":"`+rootB+`"},"Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"},"Null":{"aws:SourceIp":"true"}}}`)
	if _, err := w.tools(g, adminB); err != nil {
		t.Errorf("through the endpoint: %v", err)
	}
}

func TestARoleCreatedAgainIsNotTheOneThatWasNamed(t *testing.T) {
	w := newWorld(t, nil)
	g := w.gateway(settings(), "echo_message")
	w.allow(g, `{"Principal":{"AWS":"`+agentB+`"}}`)
	if _, err := w.tools(g, agentB); err != nil {
		t.Fatalf("before: %v", err)
	}
	w.must(w.directory.Delete(agentB))
	w.role(accountB, "/agents/", "AgentRole", allowInvoke)
	_, err := w.tools(g, agentB)
	if status, _ := refused(t, err); status != http.StatusForbidden {
		t.Errorf("after: %v, want 403", err)
	}
}

func TestOnlyASignedRequestIsHeard(t *testing.T) {
	w := newWorld(t, nil)
	g := w.gateway(settings(), "echo_message")
	const body = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	cases := map[string]struct {
		reason, method, url, authorization string
		status                             int
		body                               string
	}{
		"Unsigned": {
			"as observed on AWS, the id is a string",
			http.MethodPost, g.URL, "", 401,
			`{"error":{"code":-32001,"message":"Missing Authentication Token"},"id":"null","jsonrpc":"2.0"}`,
		},
		"UnsignedGet": {"whatever the method", http.MethodGet, g.URL, "", 401, "Missing Authentication Token"},
		"UnsignedNowhere": {
			"who is not known learns nothing of what exists",
			http.MethodPost, w.url + gateway.Path("gw-nowhere") + "/mcp", "", 401, "Missing Authentication Token",
		},
		"Bearer":    {"a JWT is no signature", http.MethodPost, g.URL, "Bearer abc", 403, "Unsupported AWS 'algorithm'"},
		"OtherPath": {"there is nothing else here", http.MethodPost, g.URL + "/x", "", 404, unknownOperation},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequest(tc.method, tc.url, strings.NewReader(body))
			w.must(err)
			if tc.authorization != "" {
				request.Header.Set("Authorization", tc.authorization)
			}
			status, got := w.send(request)
			if status != tc.status || !strings.Contains(got, tc.body) {
				t.Errorf("%s: %d %s; want %d …%s…", tc.reason, status, got, tc.status, tc.body)
			}
		})
	}
	if len(w.decisions) != 0 {
		t.Errorf("decided %+v without a caller", w.decisions)
	}
}

func (w *world) send(request *http.Request) (int, string) {
	w.t.Helper()
	response, err := http.DefaultClient.Do(request)
	w.must(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	w.must(err)
	return response.StatusCode, string(body)
}

func TestSignatureHasServiceAndRegion(t *testing.T) {
	w := newWorld(t, nil)
	g := w.gateway(settings(), "echo_message")
	_, err := w.tools(g, adminA, func(o *mcpclient.Options) { o.Region = "eu-west-1" })
	if status, body := refused(t, err); status != 403 || !strings.Contains(body, "valid region") {
		t.Errorf("another region: %d %s", status, body)
	}
	w.clock.pass(time.Second)
	late := func(o *mcpclient.Options) { o.Now = func() time.Time { return w.clock.Now().Add(-6 * time.Minute) } }
	_, err = w.tools(g, adminA, late)
	if status, body := refused(t, err); status != 403 || !strings.Contains(body, "Signature expired") {
		t.Errorf("an old signature: %d %s", status, body)
	}
}

func TestOtherAuthorizers(t *testing.T) {
	cases := map[string]struct {
		reason     string
		authorizer model.AuthorizerType
		role       string // "" is unsigned
		status     int
		body       string
	}{
		"NoneUnsigned":             {"anybody", model.NoAuthorizer, "", 200, "echo-tools___echo_message"},
		"AuthenticateOnlySilent":   {"anybody who signs, whatever his policies say", model.AuthenticateOnly, silent, 200, "echo-tools___echo_message"},
		"AuthenticateOnlyUnsigned": {"but no unsigned one", model.AuthenticateOnly, "", 401, "Missing Authentication Token"},
		"JWTUnsigned": {
			"as documented", model.CustomJWT, "", 401,
			`{"error":{"code":-32001,"message":"Missing Bearer token"},"id":0,"jsonrpc":"2.0"}`,
		},
		"JWTSigned": {
			"a signature is no token", model.CustomJWT, adminA, 401,
			`{"error":{"code":-32001,"message":"Invalid Bearer token"},"id":0,"jsonrpc":"2.0"}`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			in := settings()
			in.AuthorizerType = tc.authorizer
			if tc.authorizer == model.CustomJWT {
				in.AuthorizerConfiguration = &model.AuthorizerSettings{CustomJWT: &model.JWTSettings{
					DiscoveryURL: "https://issuer.example/.well-known/openid-configuration", AllowedAudience: []string{"x"},
				}}
			}
			g := w.gateway(in, "echo_message")
			status, body := w.listRaw(g, tc.role)
			if status != tc.status || !strings.Contains(body, tc.body) {
				t.Errorf("%s: %d %s; want %d …%s…", tc.reason, status, body, tc.status, tc.body)
			}
			if len(w.decisions) != 0 {
				t.Errorf("decided %+v where nothing is to be decided", w.decisions)
			}
		})
	}
}

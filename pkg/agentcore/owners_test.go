package agentcore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// estate is AWS with an STS that lets roles be assumed and an AgentCore in which
// each account has two gateways in each region. What a caller sees depends on
// whose credentials sign the call.
type estate struct {
	*httptest.Server
	partition string
	closed    []string // accounts whose role cannot be assumed

	mu      sync.Mutex
	assumed []string
}

const hub = "111122223333"

func newEstate(t *testing.T, partition string) *estate {
	t.Helper()
	e := &estate{partition: partition}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

var scope = regexp.MustCompile(`Credential=(AKIAEXAMPLE|ASIA(\d{12}))/\d+/([a-z0-9-]+)/([a-z-]+)/`)

func (e *estate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	signed := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	if signed == nil {
		http.Error(w, "unsigned", http.StatusForbidden)
		return
	}
	caller, region := hub, signed[3]
	if signed[2] != "" {
		caller = signed[2]
	}
	switch {
	case signed[4] == "sts":
		e.sts(w, r, caller)
	case r.URL.Path == "/gateways/":
		say(200, fmt.Sprintf(`{"items":[%s,%s]}`, summary(caller, 1), summary(caller, 2)))(w, r)
	case len(r.URL.Path) > 10 && r.URL.Path[:10] == "/gateways/":
		id := r.URL.Path[10 : len(r.URL.Path)-1]
		say(200, fmt.Sprintf(`{"gatewayArn":"arn:%s:bedrock-agentcore:%s:%s:gateway/%s","gatewayId":%q,"name":"x","gatewayUrl":"https://example.com","authorizerType":"AWS_IAM","protocolType":"MCP","status":"READY","createdAt":"2026-11-20T12:00:00Z","updatedAt":"2026-11-20T12:00:00Z"}`,
			e.partition, region, caller, id, id))(w, r)
	default:
		say(200, tagged)(w, r)
	}
}

func summary(account string, n int) string {
	return fmt.Sprintf(`{"gatewayId":"of-%s-%010d","name":"x","status":"READY","authorizerType":"AWS_IAM"}`, account, n)
}

func (e *estate) sts(w http.ResponseWriter, r *http.Request, caller string) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	w.Header().Set("Content-Type", "text/xml")
	if form.Get("Action") == "GetCallerIdentity" {
		fmt.Fprintf(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>%s</Account><Arn>arn:%s:sts::%s:assumed-role/Hub/x</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`, caller, e.partition, caller)
		return
	}
	e.mu.Lock()
	e.assumed = append(e.assumed, form.Get("RoleArn")+" "+form.Get("ExternalId")+" "+form.Get("RoleSessionName"))
	e.mu.Unlock()
	owner := regexp.MustCompile(`\d{12}`).FindString(form.Get("RoleArn"))
	if slices.Contains(e.closed, owner) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>`)
		return
	}
	fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA%s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
		owner, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

func (e *estate) gateways(d Deployment) *Gateways {
	g := New(configFor(e.URL), d)
	g.clock = newFrozen().clock()
	return g
}

var owners = Deployment{
	Regions: []string{"us-east-1", "eu-west-1"}, Owners: []string{hub, "444455556666", "777788889999"},
	Role: "gateway-grants/Owner", ExternalID: "a-secret-of-two",
}

func TestGatewaysOfOtherAccountsByRole(t *testing.T) {
	for _, partition := range []string{"aws", "aws-cn", "aws-us-gov"} {
		t.Run(partition, func(t *testing.T) {
			e := newEstate(t, partition)
			g := e.gateways(owners)
			managed, err := g.Managed(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, region := range []string{"eu-west-1", "us-east-1"} {
				for _, owner := range owners.Owners {
					for n := 1; n <= 2; n++ {
						want = append(want, fmt.Sprintf("arn:%s:bedrock-agentcore:%s:%s:gateway/of-%s-%010d", partition, region, owner, owner, n))
					}
				}
			}
			if diff := cmp.Diff(want, arns(managed)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			for _, gateway := range managed {
				if observed, err := g.Describe(t.Context(), gateway); err != nil || !observed.Managed {
					t.Errorf("%s is described as %+v, %v", gateway, observed, err)
				}
			}
			slices.Sort(e.assumed)
			once := []string{
				"arn:" + partition + ":iam::444455556666:role/gateway-grants/Owner a-secret-of-two gateway-grants",
				"arn:" + partition + ":iam::777788889999:role/gateway-grants/Owner a-secret-of-two gateway-grants",
			}
			if diff := cmp.Diff(once, e.assumed); diff != "" {
				t.Errorf("roles assumed, each once: -want +got\n%s", diff)
			}
		})
	}
}

func TestUnreachableOwnerBlocksNoOther(t *testing.T) {
	e := newEstate(t, "aws")
	e.closed = []string{"444455556666"}
	g := e.gateways(owners)
	byOwner := map[string]int{}
	err := g.Walk(t.Context(), func(grant.Gateway) bool { return true }, func(gateway grant.Gateway, managed bool) {
		if managed {
			byOwner[gateway.Account()]++
		}
	})
	if diff := cmp.Diff(map[string]int{hub: 4, "777788889999": 4}, byOwner); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if code := grant.CodeOf(err); code != grant.CodeNotJoined {
		t.Errorf("code %q of %v", code, err)
	}
	if managed, err := g.Managed(t.Context()); err == nil || managed != nil {
		t.Errorf("a listing is complete or an error, got %v, %v", managed, err)
	}
}

func TestOwnersOfListAndParameter(t *testing.T) {
	e := newEstate(t, "aws")
	listed, unread := []string{"777788889999", "444455556666"}, error(nil)
	d := owners
	d.Owners = []string{hub, "444455556666"}
	g := e.gateways(d).WithOwners(func(context.Context) ([]string, error) { return listed, unread })
	managed, err := g.Managed(t.Context())
	if err != nil || len(managed) != 3*2*2 {
		t.Errorf("%d gateways, %v", len(managed), err)
	}
	listed, unread = nil, errors.New("the list cannot be read")
	if managed, err := g.Managed(t.Context()); err == nil || managed != nil {
		t.Errorf("a listing is complete or an error, got %v, %v", managed, err)
	}
	found := 0
	err = g.Walk(t.Context(), func(grant.Gateway) bool { return true }, func(grant.Gateway, bool) { found++ })
	if err == nil || found != 2*2*2 {
		t.Errorf("an unread list keeps no owner of the parameter from being listed: %d gateways, %v", found, err)
	}
}

func TestWalkReadsTagsOfWantedOnly(t *testing.T) {
	s := serve(t, fleet(25, 1000, func(i int) bool { return i%2 == 0 }))
	g, _ := gatewaysAt(s)
	var got []string
	err := g.Walk(t.Context(), func(gateway grant.Gateway) bool { return gateway.ID() >= "fleet-0000000023" }, func(gateway grant.Gateway, managed bool) {
		got = append(got, fmt.Sprint(gateway.ID(), " ", managed))
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"fleet-0000000023 false", "fleet-0000000024 true"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// One page, one gateway for its ARN and the tags of two.
	if len(s.asked) != 4 {
		t.Errorf("asked %v", s.asked)
	}
}

func TestWithoutARoleEveryCallIsTheCallersOwn(t *testing.T) {
	e := newEstate(t, "aws")
	g := e.gateways(Deployment{Owners: []string{hub, "444455556666"}})
	managed, err := g.Managed(t.Context())
	if err != nil || len(managed) != 2 || len(e.assumed) != 0 {
		t.Errorf("managed %v, %v, assumed %v", managed, err, e.assumed)
	}
}

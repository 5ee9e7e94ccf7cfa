package agentcore

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

func httptestTLS(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	return server.URL
}

// gatewayAnswer is GetGateway's answer about a gateway of account in us-east-1.
func gatewayAnswer(id, authorizer, status string) string {
	return fmt.Sprintf(`{"gatewayArn":"arn:aws:bedrock-agentcore:us-east-1:%s:gateway/%s","gatewayId":%q,"name":"cross-account-test","gatewayUrl":"https://%s.example/mcp","roleArn":"arn:aws:iam::111122223333:role/R","authorizerType":%q,"protocolType":"MCP","status":%q,"createdAt":"2026-11-20T12:00:00Z","updatedAt":"2026-11-20T12:00:00Z"}`,
		account, id, id, id, authorizer, status)
}

func TestDescribeReadsTags(t *testing.T) {
	gateway := theGateway(t)
	get, tags := "GET /gateways/"+gatewayID+"/", "GET /tags/"+gateway.ARN()
	gone := refuse(404, "ResourceNotFoundException", "gone")
	tests := []struct {
		reason string
		get    answer
		tags   answer
		want   plan.Observed
		code   grant.Code
	}{
		{
			reason: "one that asks to be managed",
			get:    say(200, gatewayAnswer(gatewayID, "AWS_IAM", "READY")), tags: say(200, tagged),
			want: plan.Observed{Gateway: gateway, Exists: true, Authorizer: "AWS_IAM", Status: "READY", Managed: true},
		},
		{
			reason: "one without a protocol, whose URL has no path",
			get:    say(200, strings.NewReplacer(`"protocolType":"MCP",`, "", ".example/mcp", ".example").Replace(gatewayAnswer(gatewayID, "AWS_IAM", "READY"))), tags: say(200, tagged),
			want: plan.Observed{Gateway: gateway, Exists: true, Authorizer: "AWS_IAM", Status: "READY", Managed: true},
		},
		{
			reason: "another value of the tag asks for nothing",
			get:    say(200, gatewayAnswer(gatewayID, "CUSTOM_JWT", "CREATING")), tags: say(200, `{"tags":{"gateway-grants:managed":"True"}}`),
			want: plan.Observed{Gateway: gateway, Exists: true, Authorizer: "CUSTOM_JWT", Status: "CREATING"},
		},
		{
			reason: "no tags at all",
			get:    say(200, gatewayAnswer(gatewayID, "NONE", "FAILED")), tags: say(200, `{}`),
			want: plan.Observed{Gateway: gateway, Exists: true, Authorizer: "NONE", Status: "FAILED"},
		},
		{reason: "one that is not there", get: gone, want: plan.Observed{Gateway: gateway}},
		{reason: "an id that no gateway can have", get: refuse(400, "ValidationException", "1 validation error"), want: plan.Observed{Gateway: gateway}},
		{reason: "one that goes between the two readings", get: say(200, gatewayAnswer(gatewayID, "AWS_IAM", "READY")), tags: gone, want: plan.Observed{Gateway: gateway}},
		{
			reason: "an id of ours under the ARN of another owner",
			get:    say(200, strings.Replace(gatewayAnswer(gatewayID, "AWS_IAM", "READY"), account+":gateway", "999988887777:gateway", 1)), tags: say(200, tagged),
			want: plan.Observed{Gateway: gateway},
		},
		{reason: "a refused reading is no absence", get: refuse(403, "AccessDeniedException", "no"), code: reconcile.CodeAccessDenied},
		{reason: "nor are tags that cannot be read", get: say(200, gatewayAnswer(gatewayID, "AWS_IAM", "READY")), tags: refuse(500, "InternalServerException", "oops"), code: reconcile.CodeUnknown},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			gateways, _ := gatewaysAt(serve(t, map[string]answer{get: test.get, tags: test.tags}))
			got, err := gateways.Describe(t.Context(), gateway)
			if code := grant.CodeOf(err); code != test.code {
				t.Fatalf("code %q, want %q: %v", code, test.code, err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(grant.Gateway{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestReadOfMissingPolicy(t *testing.T) {
	gateway := theGateway(t)
	document := aDocument(t)
	text, err := json.Marshal(map[string]string{"policy": document.String()})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		reason string
		answer answer
		want   *policy.Document
	}{
		{"a policy", say(200, string(text)), document},
		{"200 without a document", say(200, `{}`), nil},
		{"200 with an empty document", say(200, `{"policy":""}`), nil},
		{"404", refuse(404, "ResourceNotFoundException", "no policy"), nil},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			gateways, _ := gatewaysAt(serve(t, map[string]answer{"GET /resourcepolicy/" + gateway.ARN(): test.answer}))
			got, err := gateways.Policy(t.Context(), gateway)
			if err != nil {
				t.Fatal(err)
			}
			if (got == nil) != (test.want == nil) || got != nil && got.String() != test.want.String() {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestPutAndDeletePolicy(t *testing.T) {
	gateway := theGateway(t)
	put, remove := "PUT /resourcepolicy/"+gateway.ARN(), "DELETE /resourcepolicy/"+gateway.ARN()
	service := serve(t, map[string]answer{put: say(201, `{"policy":"{}"}`), remove: say(204, "")})
	gateways, _ := gatewaysAt(service)

	if err := gateways.PutPolicy(t.Context(), gateway, aDocument(t)); err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Policy string `json:"policy"`
	}
	if err := json.Unmarshal([]byte(service.sent[0]), &sent); err != nil {
		t.Fatal(err)
	}
	if want := aDocument(t).String(); sent.Policy != want {
		t.Errorf("put %s, want %s", sent.Policy, want)
	}
	if err := gateways.DeletePolicy(t.Context(), gateway); err != nil {
		t.Fatal(err)
	}
	service.answers[remove] = refuse(404, "ResourceNotFoundException", "no policy")
	if err := gateways.DeletePolicy(t.Context(), gateway); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
	if n := service.calls(remove); n != 2 {
		t.Errorf("%d deletions asked for, want 2", n)
	}
}

// fleet answers for n gateways, of which those whose number the function takes
// are managed, in pages of size.
func fleet(n, size int, managed func(int) bool) map[string]answer {
	id := func(i int) string { return fmt.Sprintf("fleet-%010d", i) }
	answers := map[string]answer{}
	for i := range n {
		tags := `{"tags":{}}`
		if managed(i) {
			tags = tagged
		}
		answers["GET /gateways/"+id(i)+"/"] = say(200, gatewayAnswer(id(i), "AWS_IAM", "READY"))
		answers["GET /tags/arn:aws:bedrock-agentcore:us-east-1:"+account+":gateway/"+id(i)] = say(200, tags)
	}
	answers["GET /gateways/"] = func(w http.ResponseWriter, r *http.Request) {
		from := 0
		if token := r.URL.Query().Get("nextToken"); token != "" {
			_, _ = fmt.Sscan(token, &from)
		}
		var page struct {
			Items     []map[string]string `json:"items"`
			NextToken string              `json:"nextToken,omitempty"`
		}
		for i := from; i < min(from+size, n); i++ {
			page.Items = append(page.Items, map[string]string{"gatewayId": id(i), "name": "fleet", "status": "READY", "authorizerType": "AWS_IAM"})
		}
		if from+size < n {
			page.NextToken = strconv.Itoa(from + size)
		}
		text, _ := json.Marshal(page)
		say(200, string(text))(w, r)
	}
	return answers
}

func TestManagedListsAllWithinRate(t *testing.T) {
	service := serve(t, fleet(25, 7, func(i int) bool { return i%2 == 0 }))
	gateways, clock := gatewaysAt(service)

	got, err := gateways.Managed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := 0; i < 25; i += 2 {
		want = append(want, fmt.Sprintf("arn:aws:bedrock-agentcore:us-east-1:%s:gateway/fleet-%010d", account, i))
	}
	if diff := cmp.Diff(want, arns(got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// 4 pages, 25 tag lists and one gateway for its ARN are 30 calls, 5 of them at once.
	if want := 25 * time.Second / listingRate; clock.slept != want {
		t.Errorf("waited %s in all, want %s", clock.slept, want)
	}
}

func TestListingIsCompleteOrAnError(t *testing.T) {
	everyOne := func(int) bool { return true }
	tests := []struct {
		reason string
		change func(map[string]answer)
		want   int
		code   grant.Code
	}{
		{"all is well", func(map[string]answer) {}, 3, ""},
		{"a page fails", func(a map[string]answer) { a["GET /gateways/"] = refuse(500, "InternalServerException", "oops") }, 0, reconcile.CodeUnknown},
		{"tags of one cannot be read", func(a map[string]answer) {
			a["GET /tags/arn:aws:bedrock-agentcore:us-east-1:"+account+":gateway/fleet-0000000001"] = refuse(429, "ThrottlingException", "Rate exceeded")
		}, 0, reconcile.CodeThrottled},
		{"one ends meanwhile", func(a map[string]answer) {
			delete(a, "GET /tags/arn:aws:bedrock-agentcore:us-east-1:"+account+":gateway/fleet-0000000001")
		}, 2, ""},
		{"the first one ends meanwhile", func(a map[string]answer) { delete(a, "GET /gateways/fleet-0000000000/") }, 2, ""},
		{"the first one cannot be read", func(a map[string]answer) {
			a["GET /gateways/fleet-0000000000/"] = refuse(403, "AccessDeniedException", "no")
		}, 0, reconcile.CodeAccessDenied},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			answers := fleet(3, 2, everyOne)
			test.change(answers)
			gateways, _ := gatewaysAt(serve(t, answers))
			got, err := gateways.Managed(t.Context())
			if code := grant.CodeOf(err); code != test.code || len(got) != test.want {
				t.Errorf("%d gateways and code %q, want %d and %q: %v", len(got), code, test.want, test.code, err)
			}
		})
	}
}

func TestEveryRegionIsListed(t *testing.T) {
	regions := map[string]bool{}
	service := serve(t, map[string]answer{"GET /gateways/": oneAtATime(func(w http.ResponseWriter, r *http.Request) {
		for _, region := range []string{"us-east-1", "eu-west-1"} {
			if strings.Contains(r.Header.Get("Authorization"), "/"+region+"/bedrock-agentcore/") {
				regions[region] = true
			}
		}
		say(200, `{"items":[]}`)(w, r)
	})})
	gateways, _ := gatewaysAt(service, "us-east-1", "eu-west-1")
	got, err := gateways.Managed(t.Context())
	if err != nil || len(got) != 0 {
		t.Fatalf("%v, %v", got, err)
	}
	if diff := cmp.Diff(map[string]bool{"us-east-1": true, "eu-west-1": true}, regions); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func arns(gateways []grant.Gateway) []string {
	names := make([]string, 0, len(gateways))
	for _, gateway := range gateways {
		names = append(names, gateway.ARN())
	}
	return names
}

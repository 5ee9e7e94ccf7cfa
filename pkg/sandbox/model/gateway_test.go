package model_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

func TestGatewayIDHasRandomSuffix(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("Team-Tools"))
	if !regexp.MustCompile(`^team-tools-[a-z0-9]{10}$`).MatchString(g.ID) {
		t.Errorf("gatewayId = %q", g.ID)
	}
	if want := "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/" + g.ID; g.ARN != want {
		t.Errorf("gatewayArn = %q, want %q", g.ARN, want)
	}
	if want := "https://" + g.ID + ".gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp"; g.URL != want {
		t.Errorf("gatewayUrl = %q, want %q", g.URL, want)
	}
}

func TestURLOfGatewayWithoutProtocol(t *testing.T) {
	in := iamGateway("tools")
	in.ProtocolType = ""
	g := newWorld(t).gateway(in)
	if want := "https://" + g.ID + ".gateway.bedrock-agentcore.us-east-1.amazonaws.com"; g.URL != want {
		t.Errorf("gatewayUrl = %q, want %q", g.URL, want)
	}
}

func TestTheSameSeedGivesTheSameGateways(t *testing.T) {
	first, second := newWorld(t).gateway(iamGateway("tools")), newWorld(t).gateway(iamGateway("tools"))
	if first.ID != second.ID {
		t.Errorf("%s and %s from one seed", first.ID, second.ID)
	}
}

func TestPartitionRegionAndURLAreOptions(t *testing.T) {
	w := newWorld(t, func(o *model.Options) {
		o.Partition, o.Region = "aws-cn", "cn-north-1"
		o.GatewayURL = func(id string) string { return "http://" + id + ".localhost" }
	})
	g := w.gateway(iamGateway("tools"))
	if !strings.HasPrefix(g.ARN, "arn:aws-cn:bedrock-agentcore:cn-north-1:111122223333:gateway/") {
		t.Errorf("gatewayArn = %q", g.ARN)
	}
	if want := "http://" + g.ID + ".localhost/mcp"; g.URL != want {
		t.Errorf("gatewayUrl = %q, want %q", g.URL, want)
	}
}

func TestGatewayStatusFollowsClock(t *testing.T) {
	w := newWorld(t, settling(5*time.Second))
	g := w.gateway(iamGateway("tools"))
	statusIs := func(want model.Status) {
		t.Helper()
		got, err := w.GetGateway(ownerA, g.ID)
		if err != nil || got.Status != want {
			t.Fatalf("status = %q (%v), want %q", got.Status, err, want)
		}
	}
	if g.Status != model.Creating {
		t.Errorf("CreateGateway answers %q", g.Status)
	}
	statusIs(model.Creating)
	w.clock.pass(5 * time.Second)
	statusIs(model.Ready)

	in := iamGateway("tools").GatewaySettings
	in.Description = "new"
	updated, err := w.UpdateGateway(ownerA, g.ID, in)
	if err != nil || updated.Status != model.Updating || !updated.UpdatedAt.After(updated.CreatedAt) {
		t.Fatalf("UpdateGateway = %+v, %v", updated, err)
	}
	statusIs(model.Updating)
	w.clock.pass(5 * time.Second)
	statusIs(model.Ready)

	deleted, err := w.DeleteGateway(ownerA, g.ID)
	if err != nil || deleted.Status != model.Deleting {
		t.Fatalf("DeleteGateway = %+v, %v", deleted, err)
	}
	statusIs(model.Deleting)
	w.clock.pass(5 * time.Second)
	if _, err := w.GetGateway(ownerA, g.ID); code(err) != model.ResourceNotFound {
		t.Fatalf("a deleted gateway: %v", err)
	}
}

func TestGatewayWithoutDelayIsReadyAtOnce(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	if got, _ := w.GetGateway(ownerA, g.ID); got.Status != model.Ready {
		t.Errorf("status = %q", got.Status)
	}
}

func TestCreateGatewayValidatesRequest(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		change func(*model.CreateGatewayInput)
		want   string // part of the message
	}{
		"NoName":        {"name is required", func(in *model.CreateGatewayInput) { in.Name = "" }, "'name'"},
		"BadName":       {"an underscore is not in the pattern", func(in *model.CreateGatewayInput) { in.Name = "a_b" }, "pattern: ([0-9a-zA-Z][-]?){1,48}"},
		"LongName":      {"at most 48 letters", func(in *model.CreateGatewayInput) { in.Name = strings.Repeat("a", 49) }, "'name'"},
		"NoRole":        {"roleArn is required", func(in *model.CreateGatewayInput) { in.RoleARN = "" }, "'roleArn'"},
		"UserAsRole":    {"roleArn names a role", func(in *model.CreateGatewayInput) { in.RoleARN = user }, "'roleArn'"},
		"NoAuthorizer":  {"authorizerType is required", func(in *model.CreateGatewayInput) { in.AuthorizerType = "" }, "'authorizerType'"},
		"BadAuthorizer": {"authorizerType is an enum", func(in *model.CreateGatewayInput) { in.AuthorizerType = "MAGIC" }, "enum value set: [CUSTOM_JWT, AWS_IAM, NONE, AUTHENTICATE_ONLY]"},
		"JWTAlone":      {"CUSTOM_JWT needs its settings", func(in *model.CreateGatewayInput) { in.AuthorizerType = model.CustomJWT }, "AuthorizerConfiguration is required for CUSTOM_JWT authorizer type"},
		"BadProtocol":   {"protocolType is an enum", func(in *model.CreateGatewayInput) { in.ProtocolType = "HTTP" }, "'protocolType'"},
		"BadLevel":      {"exceptionLevel is an enum", func(in *model.CreateGatewayInput) { in.ExceptionLevel = "INFO" }, "'exceptionLevel'"},
		"LongText":      {"description is at most 200 characters", func(in *model.CreateGatewayInput) { in.Description = strings.Repeat("é", 201) }, "'description'"},
		"BadKey":        {"kmsKeyArn has a pattern", func(in *model.CreateGatewayInput) { in.KMSKeyARN = "alias/mine" }, "'kmsKeyArn'"},
		"ShortToken":    {"clientToken has at least 33 characters", func(in *model.CreateGatewayInput) { in.ClientToken = "once" }, "'clientToken'"},
		"BadTag":        {"tag values have a pattern", func(in *model.CreateGatewayInput) { in.Tags = map[string]string{"a": "<b>"} }, "'tags.a'"},
		"BadSearch": {"searchType is an enum", func(in *model.CreateGatewayInput) {
			in.ProtocolConfiguration = &model.ProtocolSettings{MCP: &model.MCPSettings{SearchType: "FUZZY"}}
		}, "searchType"},
		"ShortSession": {"a session lasts 900 seconds at least", func(in *model.CreateGatewayInput) {
			seconds := 899
			in.ProtocolConfiguration = &model.ProtocolSettings{MCP: &model.MCPSettings{
				SessionConfiguration: &model.SessionSettings{TimeoutSeconds: &seconds},
			}}
		}, "greater than or equal to 900"},
		"NoDomain": {"a default domain is required", func(in *model.CreateGatewayInput) {
			in.DomainOverride = &model.Domains{Alternates: []string{"a.example.com"}}
		}, "'domainOverride.default'"},
		"BadDomain": {"a domain is a name", func(in *model.CreateGatewayInput) {
			in.DomainOverride = &model.Domains{Default: "https://a.example.com"}
		}, "'domainOverride.default'"},
		"SameDomain": {"no domain comes twice", func(in *model.CreateGatewayInput) {
			in.DomainOverride = &model.Domains{Default: "a.example.com", Alternates: []string{"a.example.com"}}
		}, "'domainOverride.alternateDomains.1'"},
		"ManyDomains": {"ten alternates at most", func(in *model.CreateGatewayInput) {
			in.DomainOverride = &model.Domains{Default: "a.example.com"}
			for i := range 11 {
				in.DomainOverride.Alternates = append(in.DomainOverride.Alternates, fmt.Sprintf("a%d.example.com", i))
			}
		}, "less than or equal to 10"},
		"BadDiscovery": {"discoveryUrl has a pattern", func(in *model.CreateGatewayInput) {
			*in = jwtGateway("tools")
			in.AuthorizerConfiguration.CustomJWT.DiscoveryURL = "https://idp.example.com"
		}, "discoveryUrl"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			in := iamGateway("tools")
			test.change(&in)
			_, err := w.CreateGateway(ownerA, in)
			if code(err) != model.Validation || reason(err) != model.FieldValidationFailed || !strings.Contains(said(err), test.want) {
				t.Errorf("%s: got %q, want a ValidationException with %q", test.reason, said(err), test.want)
			}
			if all, _, _ := w.ListGateways(ownerA, model.Page{}); len(all) != 0 {
				t.Errorf("a refused gateway is listed: %+v", all)
			}
		})
	}
}

func TestEveryAuthorizerTypeIsAccepted(t *testing.T) {
	w := newWorld(t)
	for i, authorizer := range []model.AuthorizerType{model.AWSIAM, model.NoAuthorizer, model.AuthenticateOnly} {
		in := iamGateway(fmt.Sprintf("tools%d", i))
		in.AuthorizerType = authorizer
		w.gateway(in)
	}
	w.gateway(jwtGateway("jwt"))
}

func TestViolationsAreListedTogether(t *testing.T) {
	_, err := newWorld(t).CreateGateway(ownerA, model.CreateGatewayInput{})
	if !strings.Contains(said(err), "3 validation errors detected: ") {
		t.Errorf("got %q", said(err))
	}
}

func TestANameIsUniqueWithinItsAccountOnly(t *testing.T) {
	w := newWorld(t, settling(time.Second))
	g := w.gateway(iamGateway("tools"))
	if _, err := w.CreateGateway(ownerA, iamGateway("tools")); code(err) != model.Conflict {
		t.Errorf("the same name again: %v", err)
	}
	if _, err := w.CreateGateway(ownerB, iamGateway("tools")); err != nil {
		t.Errorf("the same name in another account: %v", err)
	}
	w.clock.pass(time.Second)
	if _, err := w.DeleteGateway(ownerA, g.ID); err != nil {
		t.Fatal(err)
	}
	w.clock.pass(time.Second)
	if again := w.gateway(iamGateway("tools")); again.ID == g.ID {
		t.Errorf("an id was used twice: %s", g.ID)
	}
}

func TestTheSameClientTokenCreatesOnce(t *testing.T) {
	w := newWorld(t)
	in := iamGateway("tools")
	in.ClientToken = strings.Repeat("t", 33)
	first := w.gateway(in)
	if second := w.gateway(in); second.ID != first.ID {
		t.Errorf("created %s and %s", first.ID, second.ID)
	}
	if _, err := w.CreateGateway(ownerB, in); err != nil {
		t.Errorf("another account's token: %v", err)
	}
	if _, err := w.DeleteGateway(ownerA, first.ID); err != nil {
		t.Fatal(err)
	}
	if third := w.gateway(in); third.ID == first.ID {
		t.Error("the token of a deleted gateway answers the gateway")
	}
}

func TestAnotherAccountsGatewayIsNotFound(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	_, err := w.GetGateway(ownerB, g.ID)
	if code(err) != model.ResourceNotFound {
		t.Errorf("GetGateway: %v", err)
	}
	if _, err := w.UpdateGateway(ownerB, g.ID, iamGateway("tools").GatewaySettings); code(err) != model.ResourceNotFound {
		t.Errorf("UpdateGateway: %v", err)
	}
	if _, err := w.DeleteGateway(ownerB, g.ID); code(err) != model.ResourceNotFound {
		t.Errorf("DeleteGateway: %v", err)
	}
	if all, _, _ := w.ListGateways(ownerB, model.Page{}); len(all) != 0 {
		t.Errorf("ListGateways: %+v", all)
	}
	if got, ok := w.Lookup(g.ID); !ok || got.Account != accountA {
		t.Errorf("the data plane sees %+v, %v", got, ok)
	}
}

func TestAnIdentifierThatCannotBeOneIsInvalid(t *testing.T) {
	if _, err := newWorld(t).GetGateway(ownerA, "Not-An-Id"); code(err) != model.Validation {
		t.Errorf("got %v", err)
	}
}

func TestAnUpdateReplacesTheSettings(t *testing.T) {
	w := newWorld(t)
	in := iamGateway("tools")
	in.Description, in.ExceptionLevel = "old", "DEBUG"
	g := w.gateway(in)
	in.Description, in.ExceptionLevel = "", ""
	in.InterceptorConfigurations = json.RawMessage(`[{"x":1}]`)
	if _, err := w.UpdateGateway(ownerA, g.ID, in.GatewaySettings); err != nil {
		t.Fatal(err)
	}
	got, err := w.GetGateway(ownerA, g.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in.GatewaySettings, got.GatewaySettings); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestUpdateKeepsNameAndAuthorizer(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	other := iamGateway("others").GatewaySettings
	if _, err := w.UpdateGateway(ownerA, g.ID, other); code(err) != model.Validation {
		t.Errorf("another name: %v", err)
	}
	open := iamGateway("tools").GatewaySettings
	open.AuthorizerType = model.NoAuthorizer
	_, err := w.UpdateGateway(ownerA, g.ID, open)
	if want := "ValidationException: Authorizer type cannot be updated for an existing gateway"; said(err) != want {
		t.Errorf("got %q, want %q", said(err), want)
	}
}

func TestAGatewayThatIsNotReadyIsNotWorkedOn(t *testing.T) {
	w := newWorld(t, settling(time.Second))
	g := w.gateway(iamGateway("tools"))
	_, create := w.CreateGatewayTarget(ownerA, g.ID, echoTarget("echo"))
	_, update := w.UpdateGateway(ownerA, g.ID, iamGateway("tools").GatewaySettings)
	_, remove := w.DeleteGateway(ownerA, g.ID)
	for operation, err := range map[string]error{"CreateGatewayTarget": create, "UpdateGateway": update, "DeleteGateway": remove} {
		want := "ValidationException: Cannot perform operation " + operation + " when gateway is in CREATING status"
		if said(err) != want {
			t.Errorf("got %q, want %q", said(err), want)
		}
	}
}

func TestAGatewayWithTargetsIsNotDeleted(t *testing.T) {
	w := newWorld(t, settling(time.Second))
	g := w.gateway(iamGateway("tools"))
	w.clock.pass(time.Second)
	target, err := w.CreateGatewayTarget(ownerA, g.ID, echoTarget("echo"))
	if err != nil {
		t.Fatal(err)
	}
	w.clock.pass(time.Second)
	want := "ValidationException: Gateway with ID: " + g.ID +
		" has targets associated with it. Delete all targets before deleting the gateway."
	if _, err := w.DeleteGateway(ownerA, g.ID); said(err) != want {
		t.Errorf("got %q, want %q", said(err), want)
	}
	if _, err := w.DeleteGatewayTarget(ownerA, g.ID, target.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.DeleteGateway(ownerA, g.ID); said(err) != want {
		t.Errorf("while the target is DELETING: got %q, want %q", said(err), want)
	}
	w.clock.pass(time.Second)
	if _, err := w.DeleteGateway(ownerA, g.ID); err != nil {
		t.Errorf("once the target is gone: %v", err)
	}
}

func TestAnAccountHasAThousandGateways(t *testing.T) {
	w := newWorld(t)
	for i := range 1000 {
		w.gateway(iamGateway(fmt.Sprintf("tools%d", i)))
	}
	if _, err := w.CreateGateway(ownerA, iamGateway("more")); code(err) != model.ServiceQuotaExceeded {
		t.Errorf("the 1001st: %v", err)
	}
	if _, err := w.CreateGateway(ownerB, iamGateway("more")); err != nil {
		t.Errorf("another account's first: %v", err)
	}
}

func TestPagesHoldEveryGatewayOnce(t *testing.T) {
	w := newWorld(t)
	want := make([]string, 0, 7)
	for i := range 7 {
		want = append(want, w.gateway(iamGateway(fmt.Sprintf("tools%d", i))).ID)
	}
	var got []string
	token, size := "", 3
	for pages := 0; ; pages++ {
		items, next, err := w.ListGateways(ownerA, model.Page{MaxResults: &size, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			got = append(got, item.ID)
		}
		if pages == 0 { // one that was listed goes away between two pages
			if _, err := w.DeleteGateway(ownerA, want[1]); err != nil {
				t.Fatal(err)
			}
		}
		if next == "" {
			break
		}
		token = next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAPageOfAListIsChecked(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		size   int
		token  string
	}{
		"None":     {"maxResults is at least 1", 0, ""},
		"TooMany":  {"maxResults is at most 1000", 1001, ""},
		"BadToken": {"a token is one that the service gave", 10, "bogus"},
		"OddToken": {"a token is one that the service gave", 10, "aGVsbG8"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := newWorld(t).ListGateways(ownerA, model.Page{MaxResults: &test.size, Token: test.token})
			if code(err) != model.Validation {
				t.Errorf("%s: %v", test.reason, err)
			}
		})
	}
}

package control

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// serviceModel is AWS's description of the control plane, as botocore has it.
type serviceModel struct {
	Operations map[string]struct {
		HTTP struct {
			Method       string
			RequestURI   string
			ResponseCode int
		}
		Input, Output *struct{ Shape string }
		Errors        []struct{ Shape string }
	}
	Shapes map[string]shape
}

type shape struct {
	Type     string
	Pattern  string
	Enum     []string
	Required []string
	Members  map[string]struct{ Shape, Location, LocationName string }
	Member   struct{ Shape string }
	Error    struct{ HTTPStatusCode int }
}

// readServiceModel reads the one of the botocore that .ci/requirements.txt pins.
func readServiceModel(t *testing.T) serviceModel {
	t.Helper()
	site := filepath.Join(filepath.Dir(filepath.Dir(cloudtest.Python(t))), "lib", "python3*", "site-packages")
	found, err := filepath.Glob(filepath.Join(site, "botocore", "data", "bedrock-agentcore-control", "*", "service-2.json.gz"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d service models, %v", len(found), err)
	}
	file, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var m serviceModel
	if err := json.NewDecoder(unzipped).Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// notServed are the operations on gateways, policies and tags that the stand-in
// does not have.
var notServed = []string{
	// Rules choose a target, and rate limits slow calls down: neither lets anyone in.
	"BatchPutGatewayRateLimits", "CreateGatewayRateLimit", "CreateGatewayRule", "DeleteGatewayRateLimit", "DeleteGatewayRule",
	"GetGatewayRateLimit", "GetGatewayRule", "ListGatewayRateLimits", "ListGatewayRules", "UpdateGatewayRateLimit", "UpdateGatewayRule",
	// Only targets that are MCP servers are synchronised, and the stand-in calls none.
	"SynchronizeGatewayTargets",
}

// served reports whether an operation of the service model is one that the stand-in has
// to have.
func served(operation string) bool {
	return onGateways.MatchString(operation) && !slices.Contains(notServed, operation)
}

var onGateways = regexp.MustCompile(`Gateway|ResourcePolicy|TagResource|UntagResource|ListTagsForResource`)

func TestTheOperationsAreThoseOfTheServiceModel(t *testing.T) {
	m := readServiceModel(t)
	want := map[string]string{}
	for name, op := range m.Operations {
		if served(name) {
			want[name] = fmt.Sprintf("%s %s %d", op.HTTP.Method, op.HTTP.RequestURI, op.HTTP.ResponseCode)
		}
	}
	got := map[string]string{}
	names := strings.NewReplacer("{$}", "", "{gateway}", "{gatewayIdentifier}", "{target}", "{targetId}", "{arn...}", "{resourceArn}")
	for _, op := range New(model.New(model.Options{}), nil, nil, nil).operations() {
		got[op.name] = fmt.Sprintf("%s %d", names.Replace(op.route), op.status)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("service model against stand-in: -want +got\n%s", diff)
	}
}

// structures are the structures that the stand-in reads and writes, by the shape that
// each stands for, and what it leaves out of them.
var structures = map[string]struct {
	goType  reflect.Type
	without []string
}{
	"CreateGatewayRequest":        {reflect.TypeFor[model.CreateGatewayInput](), nil}, // and passes over what only an update has
	"UpdateGatewayRequest":        {reflect.TypeFor[model.GatewaySettings](), nil},
	"CreateGatewayResponse":       {reflect.TypeFor[model.Gateway](), gatewayWithout},
	"GetGatewayResponse":          {reflect.TypeFor[model.Gateway](), gatewayWithout},
	"UpdateGatewayResponse":       {reflect.TypeFor[model.Gateway](), gatewayWithout},
	"DeleteGatewayResponse":       {reflect.TypeFor[model.DeletedGateway](), []string{"statusReasons"}},
	"ListGatewaysResponse":        {reflect.TypeFor[list[model.GatewaySummary]](), nil},
	"GatewaySummary":              {reflect.TypeFor[model.GatewaySummary](), nil},
	"CreateGatewayTargetRequest":  {reflect.TypeFor[model.CreateTargetInput](), nil},
	"UpdateGatewayTargetRequest":  {reflect.TypeFor[model.TargetSettings](), nil},
	"CreateGatewayTargetResponse": {reflect.TypeFor[model.Target](), targetWithout},
	"GetGatewayTargetResponse":    {reflect.TypeFor[model.Target](), targetWithout},
	"UpdateGatewayTargetResponse": {reflect.TypeFor[model.Target](), targetWithout},
	"DeleteGatewayTargetResponse": {reflect.TypeFor[model.DeletedTarget](), []string{"statusReasons"}},
	"ListGatewayTargetsResponse":  {reflect.TypeFor[list[model.TargetSummary]](), nil},
	"TargetSummary": {reflect.TypeFor[model.TargetSummary](), []string{
		"resourcePriority", "lastSynchronizedAt", "listingMode", "authorizationData", // of kinds of targets that the stand-in does not call
	}},
	"PutResourcePolicyRequest":         {reflect.TypeFor[policyBody](), nil},
	"PutResourcePolicyResponse":        {reflect.TypeFor[policyBody](), nil},
	"GetResourcePolicyResponse":        {reflect.TypeFor[policyBody](), nil},
	"TagResourceRequest":               {reflect.TypeFor[tagsBody](), nil},
	"ListTagsForResourceResponse":      {reflect.TypeFor[tagsBody](), nil},
	"GatewayProtocolConfiguration":     {reflect.TypeFor[model.ProtocolSettings](), nil},
	"MCPGatewayConfiguration":          {reflect.TypeFor[model.MCPSettings](), nil},
	"SessionConfiguration":             {reflect.TypeFor[model.SessionSettings](), nil},
	"AuthorizerConfiguration":          {reflect.TypeFor[model.AuthorizerSettings](), nil},
	"CustomJWTAuthorizerConfiguration": {reflect.TypeFor[model.JWTSettings](), nil},
	"DomainOverride":                   {reflect.TypeFor[model.Domains](), nil},
	"WorkloadIdentityDetails":          {reflect.TypeFor[model.WorkloadIdentity](), nil},
	"TargetConfiguration":              {reflect.TypeFor[model.TargetConfiguration](), nil},
	"McpTargetConfiguration":           {reflect.TypeFor[model.MCPTarget](), nil},
	"McpLambdaTargetConfiguration":     {reflect.TypeFor[model.LambdaTarget](), nil},
	"ToolSchema":                       {reflect.TypeFor[model.ToolSchema](), nil},
	"ToolDefinition":                   {reflect.TypeFor[model.Tool](), nil},
	"SchemaDefinition":                 {reflect.TypeFor[model.Schema](), nil},
	"CredentialProviderConfiguration":  {reflect.TypeFor[model.CredentialProvider](), nil},
	"ValidationExceptionField":         {reflect.TypeFor[model.Field](), nil},
}

// onlyUpdated are settings that a gateway gets by UpdateGateway.
var onlyUpdated = []string{"customTransformConfiguration", "wafConfiguration"}

var (
	// Here no gateway fails, and none has a web ACL.
	gatewayWithout = []string{"statusReasons", "webAclArn"}
	// Here no target fails, and none is an MCP server that is synchronised, or reached
	// by a private endpoint or with a user's authorization.
	targetWithout = []string{"statusReasons", "lastSynchronizedAt", "privateEndpointManagedResources", "authorizationData"}
)

func TestTheStructuresAreThoseOfTheServiceModel(t *testing.T) {
	m := readServiceModel(t)
	for name, ours := range structures {
		var want []string
		for member, of := range m.Shapes[name].Members {
			if of.Location != "" || slices.Contains(ours.without, member) {
				continue
			}
			if of.LocationName != "" {
				member = of.LocationName
			}
			want = append(want, member)
		}
		slices.Sort(want)
		got := members(ours.goType)
		if name == "CreateGatewayRequest" {
			got = slices.DeleteFunc(got, func(member string) bool { return slices.Contains(onlyUpdated, member) })
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	for name, op := range m.Operations {
		if !served(name) {
			continue
		}
		for _, shape := range []*struct{ Shape string }{op.Input, op.Output} {
			if _, compared := structures[shape.Shape]; !compared && hasBody(m.Shapes[shape.Shape]) {
				t.Errorf("%s: %s is compared with nothing", name, shape.Shape)
			}
		}
	}
}

func hasBody(s shape) bool {
	for _, member := range s.Members {
		if member.Location == "" {
			return true
		}
	}
	return false
}

// members are the names in JSON of a structure's fields, embedded ones included.
func members(of reflect.Type) []string {
	var names []string
	for field := range of.Fields() {
		if field.Anonymous {
			names = append(names, members(field.Type)...)
			continue
		}
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "-" {
			names = append(names, name)
		}
	}
	return names
}

func TestTheErrorsAreThoseOfTheServiceModel(t *testing.T) {
	m := readServiceModel(t)
	declared := map[model.Code]int{}
	for name, op := range m.Operations {
		if served(name) {
			for _, e := range op.Errors {
				declared[model.Code(e.Shape)] = m.Shapes[e.Shape].Error.HTTPStatusCode
			}
		}
	}
	if diff := cmp.Diff(declared, statuses); diff != "" {
		t.Errorf("service model against stand-in: -want +got\n%s", diff)
	}
	reasons := m.Shapes["ValidationExceptionReason"].Enum
	for _, ours := range []model.Reason{model.CannotParse, model.FieldValidationFailed, model.IdempotentParameterMismatch} {
		if !slices.Contains(reasons, string(ours)) {
			t.Errorf("%s is not among %v", ours, reasons)
		}
	}
}

// A refusal says which constraint a request broke; it is that of the member's shape.
func TestTheConstraintsAreThoseOfTheServiceModel(t *testing.T) {
	m, by := readServiceModel(t), model.Caller{Account: "111122223333"}
	service := model.New(model.Options{})
	_, gateway := service.CreateGateway(by, model.CreateGatewayInput{ClientToken: "?", GatewaySettings: model.GatewaySettings{
		Name: "_", RoleARN: "role", KMSKeyARN: "key", AuthorizerType: "magic", ProtocolType: "magic", ExceptionLevel: "magic",
		DomainOverride:          &model.Domains{Default: "_"},
		ProtocolConfiguration:   &model.ProtocolSettings{MCP: &model.MCPSettings{SearchType: "magic"}},
		AuthorizerConfiguration: &model.AuthorizerSettings{CustomJWT: &model.JWTSettings{DiscoveryURL: "url"}},
	}})
	_, target := service.CreateGatewayTarget(by, "id", model.CreateTargetInput{TargetSettings: model.TargetSettings{
		Name: "_", CredentialProviders: []model.CredentialProvider{{Type: "magic"}},
		TargetConfiguration: &model.TargetConfiguration{MCP: &model.MCPTarget{Lambda: &model.LambdaTarget{
			LambdaARN: "arn", ToolSchema: model.ToolSchema{InlinePayload: []model.Tool{{InputSchema: &model.Schema{Type: "magic"}}}},
		}}},
	}})
	_, id := service.GetGateway(by, "_")
	_, arn := service.GetResourcePolicy(by, "arn")
	tags := service.TagResource(by, "arn", map[string]string{"<": "<"})
	broken := map[string]string{}
	for _, err := range []error{gateway, target, id, arn, tags} {
		refused, ok := errors.AsType[*model.Error](err)
		if !ok {
			t.Fatalf("not refused: %v", err)
		}
		for _, field := range refused.Fields {
			broken[field.Name] += field.Message + "\n"
		}
	}
	for member, name := range map[string]string{
		"name": "GatewayName", "roleArn": "RoleArn", "kmsKeyArn": "KmsKeyArn", "authorizerType": "AuthorizerType",
		"protocolType": "GatewayProtocolType", "exceptionLevel": "ExceptionLevel", "clientToken": "ClientToken",
		"domainOverride.default":                                                     "PublicDomainName",
		"protocolConfiguration.mcp.searchType":                                       "SearchType",
		"authorizerConfiguration.customJWTAuthorizer.discoveryUrl":                   "DiscoveryUrl",
		"credentialProviderConfigurations.1.credentialProviderType":                  "CredentialProviderType",
		"targetConfiguration.mcp.lambda.lambdaArn":                                   "LambdaFunctionArn",
		"targetConfiguration.mcp.lambda.toolSchema.inlinePayload.1.inputSchema.type": "SchemaType",
		"gatewayIdentifier":                                                          "GatewayIdentifier", "resourceArn": "BedrockAgentcoreResourceArn", "tags": "TagKey", "tags.<": "TagValue",
	} {
		want := m.Shapes[name]
		if want.Type == "" {
			t.Errorf("%s: the service model has no %s", member, name)
			continue
		}
		if want.Pattern != "" && !strings.Contains(broken[member], "pattern: "+want.Pattern+"\n") {
			t.Errorf("%s: want the pattern %s in %q", member, want.Pattern, broken[member])
		}
		if want.Enum != nil {
			set := enumSet.FindStringSubmatch(broken[member])
			if len(set) != 2 || !maps.Equal(asSet(want.Enum), asSet(strings.Split(set[1], ", "))) {
				t.Errorf("%s: want the values %v in %q", member, want.Enum, broken[member])
			}
		}
	}
}

var enumSet = regexp.MustCompile(`enum value set: \[(.*)\]`)

func asSet(values []string) map[string]bool {
	set := map[string]bool{}
	for _, value := range values {
		set[value] = true
	}
	return set
}

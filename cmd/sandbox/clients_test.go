package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"
	"github.com/aws/smithy-go"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// client makes calls as one of the programs that users have. Arguments and
// answers have the names of the API.
type client interface {
	call(t *testing.T, service, operation string, arguments map[string]any) (map[string]any, *refused)
}

// refused is AWS's refusal as the client shows it.
type refused struct{ Code, Message string }

// must makes a call that is not refused.
func must(t *testing.T, c client, service, operation string, arguments map[string]any) map[string]any {
	t.Helper()
	answer, refusal := c.call(t, service, operation, arguments)
	if refusal != nil {
		t.Fatalf("%s: %s: %s", operation, refusal.Code, refusal.Message)
	}
	return answer
}

// awsCLI runs the AWS CLI, once a call.
type awsCLI struct {
	program     string
	environment []string
}

func newAWSCLI(t *testing.T, s *sandbox, profile string) awsCLI {
	t.Helper()
	return awsCLI{program: filepath.Join(filepath.Dir(cloudtest.Python(t)), "aws"), environment: s.environment(profile)}
}

// deploy makes a stack of a file of infra/.
func (c awsCLI) deploy(t *testing.T, name, file string, parameters ...string) {
	t.Helper()
	command := exec.Command(c.program, append([]string{
		"cloudformation", "deploy", "--stack-name", name, "--template-file", filepath.Join("..", "..", "infra", file),
		"--capabilities", "CAPABILITY_NAMED_IAM", "--parameter-overrides",
	}, parameters...)...)
	command.Env = c.environment
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("deploying %s: %v\n%s", file, err, output)
	}
}

// adminRole is that of the profile admin.
const adminRole = "arn:aws:iam::" + accountA + ":role/GrantsAdminRole"

const ownerID = "what-only-the-owner-and-the-hub-know" // an external id

var (
	capital  = regexp.MustCompile(`([a-z])([A-Z])`)
	cliError = regexp.MustCompile(`(?s)An error occurred \((\w+)\) when calling the \w+ operation: (.*)`)
)

func (c awsCLI) call(t *testing.T, service, operation string, arguments map[string]any) (map[string]any, *refused) {
	t.Helper()
	input, err := json.Marshal(arguments)
	if err != nil {
		t.Fatal(err)
	}
	kebab := strings.ToLower(capital.ReplaceAllString(operation, "$1-$2"))
	return c.run(t, service, kebab, "--cli-input-json", string(input))
}

// run runs a command line. An answer without output is an empty one.
func (c awsCLI) run(t *testing.T, arguments ...string) (map[string]any, *refused) {
	t.Helper()
	command := exec.Command(c.program, append(arguments, "--output", "json")...)
	command.Env = c.environment
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if said := cliError.FindStringSubmatch(stderr.String()); err != nil && said != nil {
		return nil, &refused{said[1], strings.TrimSpace(said[2])}
	}
	if err != nil {
		t.Fatalf("aws %s: %v: %s", strings.Join(arguments, " "), err, stderr.String())
	}
	return object(t, stdout.Bytes())
}

func object(t *testing.T, text []byte) (map[string]any, *refused) {
	t.Helper()
	answer := map[string]any{}
	if len(bytes.TrimSpace(text)) == 0 {
		return answer, nil
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("reading %s: %v", text, err)
	}
	return answer, nil
}

// boto3 has one Python process make every call.
type boto3 struct {
	stdin  io.Writer
	stdout *bufio.Scanner
}

func newBoto3(t *testing.T, s *sandbox, profile string) *boto3 {
	t.Helper()
	command := exec.Command(cloudtest.Python(t), filepath.Join("testdata", "boto3_calls.py"))
	command.Env, command.Stderr = s.environment(profile), os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(stdin.Close(), command.Wait()); err != nil {
			t.Errorf("boto3_calls.py: %v", err)
		}
	})
	scanner := bufio.NewScanner(stdout)
	scanner.Buffer(nil, 1<<20)
	return &boto3{stdin: stdin, stdout: scanner}
}

func (c *boto3) call(t *testing.T, service, operation string, arguments map[string]any) (map[string]any, *refused) {
	t.Helper()
	snake := strings.ToLower(capital.ReplaceAllString(operation, "${1}_$2"))
	if err := json.NewEncoder(c.stdin).Encode(map[string]any{"service": service, "operation": snake, "arguments": arguments}); err != nil {
		t.Fatal(err)
	}
	if !c.stdout.Scan() {
		t.Fatalf("boto3_calls.py gave no answer: %v", c.stdout.Err())
	}
	var answer struct {
		Result  map[string]any
		Code    string
		Message string
	}
	if err := json.Unmarshal(c.stdout.Bytes(), &answer); err != nil {
		t.Fatalf("reading %s: %v", c.stdout.Text(), err)
	}
	if answer.Code != "" {
		return nil, &refused{answer.Code, answer.Message}
	}
	return answer.Result, nil
}

// goSDK makes the calls to AgentCore that a test needs with the SDK for Go.
type goSDK struct{ control *control.Client }

// sdkConfig is what the SDK for Go makes of a profile.
func sdkConfig(t *testing.T, s *sandbox, profile string) aws.Config {
	t.Helper()
	loaded, err := config.LoadDefaultConfig(t.Context(),
		config.WithSharedConfigFiles([]string{s.config()}), config.WithSharedCredentialsFiles(nil), config.WithSharedConfigProfile(profile))
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func newGoSDK(t *testing.T, s *sandbox, profile string) goSDK {
	t.Helper()
	return goSDK{control: control.NewFromConfig(sdkConfig(t, s, profile))}
}

func (c goSDK) call(t *testing.T, _, operation string, arguments map[string]any) (map[string]any, *refused) {
	t.Helper()
	output, err := c.send(t, operation, arguments)
	if answered := (smithy.APIError)(nil); errors.As(err, &answered) {
		return nil, &refused{answered.ErrorCode(), answered.ErrorMessage()}
	}
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	text, err := json.Marshal(output)
	if err != nil {
		t.Fatal(err)
	}
	// The SDK's fields are the API's names with a capital.
	answer := map[string]any{}
	fields, _ := object(t, text)
	for name, value := range fields {
		answer[strings.ToLower(name[:1])+name[1:]] = value
	}
	return answer, nil
}

func (c goSDK) send(t *testing.T, operation string, arguments map[string]any) (any, error) {
	t.Helper()
	text := func(name string) *string {
		value, _ := arguments[name].(string)
		return &value
	}
	switch ctx := t.Context(); operation {
	case "CreateGateway":
		return c.control.CreateGateway(ctx, &control.CreateGatewayInput{
			Name: text("name"), RoleArn: text("roleArn"),
			AuthorizerType: types.AuthorizerType(*text("authorizerType")), ProtocolType: types.GatewayProtocolType(*text("protocolType")),
			Tags: map[string]string{"gateway-grants:managed": "true"},
		})
	case "GetGateway":
		return c.control.GetGateway(ctx, &control.GetGatewayInput{GatewayIdentifier: text("gatewayIdentifier")})
	case "CreateGatewayTarget":
		return c.control.CreateGatewayTarget(ctx, &control.CreateGatewayTargetInput{
			GatewayIdentifier: text("gatewayIdentifier"), Name: text("name"), TargetConfiguration: echoTarget(),
			CredentialProviderConfigurations: []types.CredentialProviderConfiguration{{CredentialProviderType: types.CredentialProviderTypeGatewayIamRole}},
		})
	case "GetGatewayTarget":
		return c.control.GetGatewayTarget(ctx, &control.GetGatewayTargetInput{GatewayIdentifier: text("gatewayIdentifier"), TargetId: text("targetId")})
	case "PutResourcePolicy":
		return c.control.PutResourcePolicy(ctx, &control.PutResourcePolicyInput{ResourceArn: text("resourceArn"), Policy: text("policy")})
	case "GetResourcePolicy":
		return c.control.GetResourcePolicy(ctx, &control.GetResourcePolicyInput{ResourceArn: text("resourceArn")})
	case "DeleteResourcePolicy":
		return c.control.DeleteResourcePolicy(ctx, &control.DeleteResourcePolicyInput{ResourceArn: text("resourceArn")})
	default:
		t.Fatalf("the test has no call %s of the Go SDK", operation)
		return nil, nil
	}
}

func echoTarget() types.TargetConfiguration {
	return &types.TargetConfigurationMemberMcp{Value: &types.McpTargetConfigurationMemberLambda{Value: types.McpLambdaTargetConfiguration{
		LambdaArn: aws.String(functionARN("gateway-grants-echo")),
		ToolSchema: &types.ToolSchemaMemberInlinePayload{Value: []types.ToolDefinition{{
			Name: aws.String("echo_message"), Description: aws.String("Echo back a message for testing"),
			InputSchema: &types.SchemaDefinition{
				Type:       types.SchemaTypeObject,
				Properties: map[string]types.SchemaDefinition{"message": {Type: types.SchemaTypeString}},
				Required:   []string{"message"},
			},
		}}},
	}}}
}

// builtProgram builds gateway-grants.
func builtProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "gateway-grants")
	build := exec.Command("go", "build", "-o", program, "./cmd/gateway-grants")
	build.Dir = cloudtest.Repository(t)
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return program
}

// commandLine is gateway-grants, as an admin of the grants uses it.
func commandLine(t *testing.T, s *sandbox) func(arguments ...string) (string, error) {
	t.Helper()
	program := builtProgram(t)
	return func(arguments ...string) (string, error) {
		command := exec.Command(program, arguments...)
		command.Env = s.environment("admin")
		output, err := command.CombinedOutput()
		return string(output), err
	}
}

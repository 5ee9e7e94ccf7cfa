//go:build interop

package interop_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	accountB   = "444455556666"
	management = "999900001111"
)

// world is a stand-in with the product in it, and a gateway of account A that grants
// let account B call.
type world struct {
	repository string
	config     string // the clients' configuration
	gateway    gateway
}

// gateway is what the story's script writes down of the one that it makes.
type gateway struct {
	URL      string `json:"gateway_url"`
	ARN      string `json:"gateway_arn"`
	Function string `json:"lambda_arn"`
}

func newWorld(t *testing.T) *world {
	t.Helper()
	repository, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{repository: repository}
	w.start(t)
	w.setUpGateway(t)
	return w
}

// start runs `sandbox up` until the test ends, and waits for its line.
func (w *world) start(t *testing.T) {
	t.Helper()
	directory := t.TempDir()
	up := exec.Command(filepath.Join("build", "local", "sandbox"), "up", "--port", "0", "--dir", directory)
	up.Dir, up.Stderr = w.repository, os.Stderr
	stdout, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatalf("%v: `make interop` builds it", err)
	}
	t.Cleanup(func() {
		_ = up.Process.Signal(os.Interrupt)
		if err := up.Wait(); err != nil {
			t.Errorf("sandbox up: %v", err)
		}
	})
	ready, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.HasPrefix(ready, "ready: ") {
		t.Fatalf("sandbox up: %q, %v", ready, err)
	}
	w.config = filepath.Join(directory, "aws-config")
}

// setUpGateway makes a gateway as the story does, has the product manage it and grants
// it to account B.
func (w *world) setUpGateway(t *testing.T) {
	t.Helper()
	directory := t.TempDir()
	setUp := exec.Command(filepath.Join(w.repository, ".venv-agents", "bin", "python"),
		filepath.Join(w.repository, "cmd", "sandbox", "story", "setup_gateway.py"))
	setUp.Dir, setUp.Env = directory, w.environment("account-a")
	if output, err := setUp.CombinedOutput(); err != nil {
		t.Fatalf("setup_gateway.py: %v\n%s", err, output)
	}
	text, err := os.ReadFile(filepath.Join(directory, "gateway_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &w.gateway); err != nil {
		t.Fatal(err)
	}
	owner := control.NewFromConfig(w.sdk(t, "account-a"))
	if _, err := owner.TagResource(t.Context(), &control.TagResourceInput{
		ResourceArn: &w.gateway.ARN, Tags: map[string]string{"gateway-grants:managed": "true"},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := dynamodb.NewFromConfig(w.sdk(t, "admin")).PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String("gateway-grants"),
		Item: map[string]types.AttributeValue{
			"gateway":   &types.AttributeValueMemberS{Value: w.gateway.ARN},
			"grant":     &types.AttributeValueMemberS{Value: "account-b"},
			"principal": &types.AttributeValueMemberS{Value: accountB},
		},
	}); err != nil {
		t.Fatal(err)
	}
	w.eventually(t, "account B is granted", func() bool { return strings.Contains(w.policy(t), accountB) })
}

// policy is the gateway's, "" if it has none.
func (w *world) policy(t *testing.T) string {
	t.Helper()
	answer, err := control.NewFromConfig(w.sdk(t, "account-a")).GetResourcePolicy(t.Context(), &control.GetResourcePolicyInput{ResourceArn: &w.gateway.ARN})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(answer.Policy)
}

func (w *world) sdk(t *testing.T, profile string) aws.Config {
	t.Helper()
	t.Setenv("AWS_CA_BUNDLE", "") // the stand-in speaks HTTP
	loaded, err := config.LoadDefaultConfig(t.Context(),
		config.WithSharedConfigFiles([]string{w.config}), config.WithSharedCredentialsFiles(nil), config.WithSharedConfigProfile(profile))
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// environment is what a client gets: nothing of the machine's own AWS settings.
func (w *world) environment(profile string) []string {
	env := []string{
		"AWS_CONFIG_FILE=" + w.config, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_PROFILE=" + profile,
		"AWS_EC2_METADATA_DISABLED=true", "NO_PROXY=127.0.0.1", "PYTHONDONTWRITEBYTECODE=1",
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func (w *world) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within two minutes: %s; the policy is %s", what, w.policy(t))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

//go:build e2e

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/creack/pty"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// The real SAM CLI deploys the real template as people and pipelines have it done: with
// Enter at every question, and without any question.
func TestMakeDeployFromZero(t *testing.T) {
	t.Parallel()
	clone := clonedRepository(t)
	s := ownSandbox(t, "--cloud")
	t.Run("in a terminal with Enter at every question", func(t *testing.T) {
		d := madeDeployment{s: s, clone: clone, profile: "account-a"}
		said := d.inTerminal(t)
		d.stands(t)
		if _, err := os.Stat(filepath.Join(clone, "samconfig.toml")); err != nil {
			t.Errorf("the answers are not kept: %v\n%s", err, said)
		}
	})
	if err := os.Remove(filepath.Join(clone, "samconfig.toml")); err != nil {
		t.Fatal(err)
	}
	t.Run("in a pipeline after a creation that failed", func(t *testing.T) {
		d := madeDeployment{s: s, clone: clone, profile: "account-b"}
		// A table of that name makes the stack fail, late.
		must(t, d.cli(t), "dynamodb", "CreateTable", map[string]any{
			"TableName": "taken-state", "BillingMode": "PAY_PER_REQUEST",
			"AttributeDefinitions": []map[string]string{{"AttributeName": "id", "AttributeType": "S"}},
			"KeySchema":            []map[string]string{{"AttributeName": "id", "KeyType": "HASH"}},
		})
		if said, err := d.inPipeline(t, "PARAMETERS=Name=taken"); err == nil || !strings.Contains(said, "tables of an earlier deployment are there: taken-state") {
			t.Fatalf("the preflight let it through: %v\n%s", err, said)
		}
		if said, err := d.inPipeline(t, "PARAMETERS=Name=taken", "PREFLIGHT=no"); err == nil {
			t.Fatalf("it went through, though a table is in the way:\n%s", said)
		}
		if got := d.tables(t); !slices.Equal(got, []string{"taken-state"}) {
			t.Errorf("the failed creation left the tables %v", got)
		}
		must(t, d.cli(t), "dynamodb", "DeleteTable", map[string]any{"TableName": "taken-state"})
		said, err := d.inPipeline(t, "PARAMETERS=Name=taken SweepMinutes=30", "VERSION=1.2.3")
		if err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		d.stands(t)
		if got := d.output(t, "Version"); got != "1.2.3" {
			t.Errorf("the stack says version %s", got)
		}
		t.Log("a lost request is sent again")
		d.redrives(t)
		t.Log("what is not given again keeps its value")
		if said, err := d.inPipeline(t, "PARAMETERS=LogLevel=WARN"); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		got := d.parameters(t)
		for name, want := range map[string]string{"Name": "taken", "SweepMinutes": "30", "LogLevel": "WARN"} {
			if got[name] != want {
				t.Errorf("parameter %s is %q, want %q", name, got[name], want)
			}
		}
	})
}

// madeDeployment is one of the product, in the account of a profile.
type madeDeployment struct {
	s              *sandbox
	clone, profile string
}

// clonedRepository is what `make deploy` needs of this repository, with the tools that
// are set up here, in a directory that may be written to.
func clonedRepository(t *testing.T) string {
	t.Helper()
	repository, clone := cloudtest.Repository(t), t.TempDir()
	if _, err := os.Stat(filepath.Join(repository, ".venv-sam", "ready")); err != nil {
		cloudtest.Missing(t, "no SAM CLI: run `make .venv-sam/ready`")
	}
	for _, name := range []string{"cmd", "functions", "infra", "pkg", "go.mod", "go.sum", "template.yaml", "Makefile"} {
		if output, err := exec.Command("cp", "-a", filepath.Join(repository, name), clone).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	}
	// Not .ci: without its setup make cannot touch what the links lead to.
	for _, name := range []string{".venv", ".venv-sam"} {
		if err := os.Symlink(filepath.Join(repository, name), filepath.Join(clone, name)); err != nil {
			t.Fatal(err)
		}
	}
	return clone
}

func (d madeDeployment) make(arguments ...string) *exec.Cmd {
	command := exec.Command("make", append([]string{"--no-print-directory", "deploy"}, arguments...)...)
	command.Dir = d.clone
	command.Env = append(d.s.environment(d.profile), "__SAM_CLI_APP_DIR="+d.clone)
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY"} {
		if value, is := os.LookupEnv(name); is {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	return command
}

// inTerminal answers everything with Enter, and returns what the terminal showed.
func (d madeDeployment) inTerminal(t *testing.T) string {
	t.Helper()
	command := d.make()
	terminal, err := pty.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	const mostQuestions = 60 // the same question for ever is an end, too
	var shown bytes.Buffer
	questions := 0
	for buffer := make([]byte, 4096); ; {
		n, err := terminal.Read(buffer)
		shown.Write(buffer[:n])
		if asks(shown.Bytes()) {
			if questions++; questions > mostQuestions {
				_ = command.Process.Kill()
				t.Fatalf("it asks for ever:\n%s", shown.String())
			}
			if _, err := terminal.WriteString("\n"); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil { // on Linux the end of the other side is EIO
			if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EIO) {
				t.Fatal(err)
			}
			break
		}
	}
	if err := command.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, shown.String())
	}
	if questions < 20 {
		t.Errorf("it asked %d questions: SAM CLI's prompts were not seen\n%s", questions, shown.String())
	}
	return shown.String()
}

// asks reports whether the last that a terminal shows is a question of SAM CLI's, as in
// "Parameter Name [gateway-grants]: ".
func asks(shown []byte) bool {
	return bytes.HasSuffix(shown, []byte("]: ")) || bytes.HasSuffix(shown, []byte("\x1b[0m: "))
}

// inPipeline has neither a terminal nor anything to read.
func (d madeDeployment) inPipeline(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	started := time.Now()
	output, err := d.make(arguments...).CombinedOutput()
	t.Logf("make deploy %v: %v", arguments, time.Since(started).Round(time.Second))
	return string(output), err
}

func (d madeDeployment) cli(t *testing.T) awsCLI {
	t.Helper()
	return newAWSCLI(t, d.s, d.profile)
}

func (d madeDeployment) tables(t *testing.T) []string {
	t.Helper()
	listed, _ := must(t, d.cli(t), "dynamodb", "ListTables", map[string]any{})["TableNames"].([]any)
	var names []string
	for _, name := range listed {
		names = append(names, name.(string))
	}
	return names
}

func (d madeDeployment) stack(t *testing.T) map[string]any {
	t.Helper()
	stacks := must(t, d.cli(t), "cloudformation", "DescribeStacks", map[string]any{"StackName": stackName})["Stacks"].([]any)
	return stacks[0].(map[string]any)
}

func (d madeDeployment) parameters(t *testing.T) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, element := range d.stack(t)["Parameters"].([]any) {
		parameter := element.(map[string]any)
		values[parameter["ParameterKey"].(string)], _ = parameter["ParameterValue"].(string)
	}
	return values
}

func (d madeDeployment) output(t *testing.T, name string) string {
	t.Helper()
	for _, element := range d.stack(t)["Outputs"].([]any) {
		if output := element.(map[string]any); output["OutputKey"] == name {
			return output["OutputValue"].(string)
		}
	}
	t.Fatalf("the stack has no output %s", name)
	return ""
}

// stands fails unless the stack is there, its tables are protected, and the grants table
// has its sentinel.
func (d madeDeployment) stands(t *testing.T) {
	t.Helper()
	if status, _ := d.stack(t)["StackStatus"].(string); !strings.HasSuffix(status, "_COMPLETE") || strings.Contains(status, "ROLLBACK") {
		t.Fatalf("the stack is %s", status)
	}
	name := d.parameters(t)["Name"]
	for _, table := range []string{name, name + "-accounts", name + "-state"} {
		described := must(t, d.cli(t), "dynamodb", "DescribeTable", map[string]any{"TableName": table})["Table"].(map[string]any)
		if described["DeletionProtectionEnabled"] != true {
			t.Errorf("table %s may be deleted", table)
		}
	}
	sentinel := must(t, d.cli(t), "dynamodb", "GetItem", map[string]any{"TableName": name, "Key": row("*", "#meta", "")})
	if sentinel["Item"] == nil {
		t.Error("the grants table has no sentinel")
	}
}

// redrives sends a lost request again.
func (d madeDeployment) redrives(t *testing.T) {
	t.Helper()
	lost, queues := d.output(t, "LostRequestsUrl"), sqs.NewFromConfig(sdkConfig(t, d.s, d.profile))
	request := `{"source":"gateway-grants","detail":{"gateway":"*"}}`
	if _, err := queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &lost, MessageBody: &request}); err != nil {
		t.Fatal(err)
	}
	redrive := d.make()
	redrive.Path, redrive.Args = filepath.Join(d.clone, "infra", "stack"), []string{"infra/stack", "redrive"}
	if output, err := redrive.CombinedOutput(); err != nil || !strings.Contains(string(output), "requests sent again: 1") {
		t.Errorf("redrive: %v\n%s", err, output)
	}
	if left, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &lost}); err != nil || len(left.Messages) > 0 {
		t.Errorf("the queue still holds %v (%v)", left, err)
	}
}

package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// deployPython makes a function of a Python source, as account A, with a role that may
// do nothing.
func deployPython(t *testing.T, s *sandbox, name, source string) {
	t.Helper()
	role, err := iam.NewFromConfig(sdkConfig(t, s, "account-a")).CreateRole(t.Context(), &iam.CreateRoleInput{
		RoleName: &name, AssumeRolePolicyDocument: aws.String(trusting(`{"Service":"lambda.amazonaws.com"}`)),
	})
	if err != nil {
		t.Fatal(err)
	}
	deployPythonAs(t, s, aws.ToString(role.Role.Arn), name, source)
}

// deployPythonAs makes a function of a Python source that acts as a role of account A.
func deployPythonAs(t *testing.T, s *sandbox, role, name, source string) {
	t.Helper()
	var code bytes.Buffer
	archive := zip.NewWriter(&code)
	file, err := archive.Create("app.py")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte(source)); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = lambda.NewFromConfig(sdkConfig(t, s, "account-a")).CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Runtime: types.RuntimePython312, Handler: aws.String("app.handler"), Timeout: aws.Int32(600),
		Role: &role, Code: &types.FunctionCode{ZipFile: code.Bytes()},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestACloudHasNothingButWhatIsDeployed(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			s, err := launch(cloudtest.Python(t), t.TempDir(), "--cloud", "--functions", "/nonexistent")
			if err != nil {
				t.Fatal(err)
			}
			client := lambda.NewFromConfig(sdkConfig(t, s, "account-a"))
			echo := functionARN("gateway-grants-echo")
			missing := (*types.ResourceNotFoundException)(nil)
			if _, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &echo}); !errors.As(err, &missing) {
				t.Errorf("our own function: want it not to be there, got %v", err)
			}

			deployPython(t, s, "mine", "import time\ndef handler(event, context):\n    time.sleep(event.get('sleep', 0))\n    return event")
			answer, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("mine"), Payload: []byte(`{"a":1}`)})
			if err != nil || answer.FunctionError != nil || string(answer.Payload) != `{"a": 1}` {
				t.Fatalf("the deployed function: %v, %s", err, answer.Payload)
			}
			_, err = client.Invoke(t.Context(), &lambda.InvokeInput{
				FunctionName: aws.String("mine"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"sleep":500}`),
			})
			if err != nil {
				t.Fatal(err)
			}

			started := children(t, s.command.Process.Pid)
			if err := s.end(signal); signal != syscall.SIGKILL && err != nil {
				t.Errorf("want exit 0, got %v; it said: %s", err, s.stderr)
			}
			eventually(t, "all that it started has ended", func() bool {
				return !slices.ContainsFunc(started, func(pid string) bool { return exec.Command("kill", "-0", pid).Run() == nil })
			})
			if signal != syscall.SIGKILL {
				leavesNoCode(t, s)
			}
		})
	}
}

func leavesNoCode(t *testing.T, s *sandbox) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(s.directory, "functions")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the code of functions is still there: %v", err)
	}
	log, err := os.ReadFile(filepath.Join(s.directory, "logs", "sandbox.log"))
	if err != nil || !strings.Contains(string(log), "asynchronous call lost: the sandbox ends") {
		t.Errorf("the call under way is not said to be lost: %v\n%s", err, log)
	}
}

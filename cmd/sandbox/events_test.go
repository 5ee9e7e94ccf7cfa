package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
)

// payloads are the files of events/, and the function that each is for. An event
// of a new kind fails the test until it is listed here.
func payloads(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "events", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no payloads in events/: %v", err)
	}
	kinds := []struct{ prefix, function string }{
		{"cloudtrail-", "gateway-events"},
		{"reconcile-requested-for-every-gateway", "sweep"},
		{"reconcile-requested", "gateway-events"},
		{"dynamodb-stream-", "table-changes"},
		{"organizations-", "organization"},
		{"controltower-", "organization"},
		{"tag-change-", "organization"},
		{"probe-gateways", "gateway-events"},
		{"probe-", "organization"},
		{"schedule-organization", "organization"},
		{"schedule-rechecks", "organization"},
		{"schedule-", "sweep"},
		{"echo-arguments", "echo"},
		{"echo-client-context", ""},
	}
	found := map[string]string{}
	for _, file := range files {
		known := false
		for _, kind := range kinds {
			if strings.HasPrefix(filepath.Base(file), kind.prefix) {
				found[file], known = kind.function, true
				break
			}
		}
		if !known {
			t.Errorf("%s: no function is said to be for it", file)
		}
		if found[file] == "" {
			delete(found, file)
		}
	}
	return found
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// payload is a file of events/, as it would come about here: events of the organization
// come from its management account, which in the files is that of AWS's samples.
func payload(t *testing.T, file, function string) []byte {
	t.Helper()
	text := read(t, file)
	if function == "organization" {
		text = bytes.ReplaceAll(text, []byte("111122223333"), []byte(management))
	}
	return text
}

// deployedAs is the name that the template gives a function.
func deployedAs(function string) string { return "gateway-grants-" + function }

func clientContext(t *testing.T) string {
	t.Helper()
	return base64.StdEncoding.EncodeToString(read(t, filepath.Join("..", "..", "events", "echo-client-context.json")))
}

// answers are what the functions return for a payload that they can handle.
func answers() map[string]any {
	return map[string]any{
		"table-changes":  map[string]any{"batchItemFailures": []any{}},
		"gateway-events": nil,
		"organization":   nil,
		"sweep":          nil,
		"echo":           map[string]any{"message": "Hello from account B"},
	}
}

func TestEveryPayloadIsHandledByItsFunction(t *testing.T) {
	s := standInFor(t)
	client := lambda.NewFromConfig(sdkConfig(t, s, "account-a"))
	for file, function := range payloads(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			input := &lambda.InvokeInput{FunctionName: aws.String(deployedAs(function)), Payload: payload(t, file, function), LogType: types.LogTypeTail}
			if function == "echo" {
				input.ClientContext = aws.String(clientContext(t))
			}
			answer, err := client.Invoke(t.Context(), input)
			if err != nil {
				t.Fatal(err)
			}
			if failed := aws.ToString(answer.FunctionError); failed != "" {
				t.Fatalf("the function failed (%s): %s", failed, answer.Payload)
			}
			var got any
			if err := json.Unmarshal(answer.Payload, &got); err != nil {
				t.Fatalf("reading the answer %s: %v", answer.Payload, err)
			}
			if diff := cmp.Diff(answers()[function], got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			log, err := base64.StdEncoding.DecodeString(aws.ToString(answer.LogResult))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(log), "EventsMalformed") {
				t.Errorf("the function could not read it:\n%s", log)
			}
		})
	}
}

func TestTheAWSCLIInvokesEveryFunction(t *testing.T) {
	s := standInFor(t)
	cli := newAWSCLI(t, s, "account-a")
	examples := map[string]string{}
	for file, function := range payloads(t) {
		if examples[function] == "" || file < examples[function] {
			examples[function] = file
		}
	}
	for function, file := range examples {
		t.Run(function, func(t *testing.T) {
			input, output := filepath.Join(t.TempDir(), "payload.json"), filepath.Join(t.TempDir(), "answer.json")
			if err := os.WriteFile(input, payload(t, file, function), 0o600); err != nil {
				t.Fatal(err)
			}
			line := []string{"lambda", "invoke", "--function-name", deployedAs(function), "--payload", "fileb://" + input}
			if function == "echo" {
				line = append(line, "--client-context", clientContext(t))
			}
			said, refusal := cli.run(t, append(line, output)...)
			if refusal != nil || said["StatusCode"] != float64(200) || said["FunctionError"] != nil {
				t.Fatalf("the command says %v, %v, and the function %s", said, refusal, read(t, output))
			}
			var got any
			if err := json.Unmarshal(read(t, output), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(answers()[function], got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnUnknownFunctionIsNotFound(t *testing.T) {
	s := standInFor(t)
	_, refusal := newAWSCLI(t, s, "account-a").run(t, "lambda", "invoke", "--function-name", "nothing", filepath.Join(t.TempDir(), "answer.json"))
	if refusal == nil || refusal.Code != "ResourceNotFoundException" {
		t.Errorf("want ResourceNotFoundException, got %v", refusal)
	}
}

//go:build interop

package interop_test

import (
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/cmd/sandbox/interop"
)

// unlikeMoto are moto's tests that the stand-in fails, and why AWS would, too.
var unlikeMoto = map[string]string{
	"test_get_gateway_not_found": "It asks for an id that the service model's pattern forbids, which is a ValidationException.",
	"test_update_gateway": "It renames the gateway. [The name must stay]" +
		"(https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_UpdateGateway.html).",
	"test_update_gateway_with_optional_fields": "It renames the gateway, and names a KMS key that the service model's pattern forbids.",
	"test_delete_gateway_removes_targets":      "It deletes a gateway that has a target, which AWS refuses until the target is gone.",
}

// motoTests runs the tests of gateways and targets in the source distribution of the
// moto that .ci/requirements.txt pins.
func (w *world) motoTests(t *testing.T) (interop.Row, []interop.Difference) {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.xml")
	tests := exec.Command(filepath.Join(w.repository, ".venv", "bin", "python"), "-m", "pytest", "-q", "-s", "-p", "at_the_standin",
		"-p", "no:cacheprovider", "--rootdir", filepath.Join(w.repository, "build", "moto"), "-k", "gateway", "--junitxml", report,
		filepath.Join(w.repository, "build", "moto", "tests", "test_bedrockagentcorecontrol"))
	scripts, err := filepath.Abs("clients")
	if err != nil {
		t.Fatal(err)
	}
	tests.Env = append(w.environment("account-b"), "PYTHONPATH="+scripts)
	output, ran := tests.CombinedOutput()
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("%v, %v\n%s", ran, err, output)
	}
	passed, failed := results(t, text)
	if want := slices.Sorted(maps.Keys(unlikeMoto)); !slices.Equal(failed, want) {
		t.Errorf("of moto's tests fail %v, want %v\n%s", failed, want, output)
	}
	_, version, _ := strings.Cut(string(output), "version: moto ")
	version, _, _ = strings.Cut(version, "\n")
	row := interop.Row{
		Packages: [][2]string{{"moto", strings.TrimSpace(version)}},
		Did: []string{fmt.Sprintf("had its own tests of gateways and targets run against the stand-in: %d pass, and %d expect what AWS does not do",
			len(passed), len(failed))},
	}
	var differences []interop.Difference
	for _, name := range failed {
		differences = append(differences, interop.Difference{Suite: "moto", Test: name, Reason: unlikeMoto[name]})
	}
	return row, differences
}

// results are the names of the tests in a report of pytest, sorted.
func results(t *testing.T, text []byte) (passed, failed []string) {
	t.Helper()
	var report struct {
		Suites []struct {
			Cases []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	for _, suite := range report.Suites {
		for _, c := range suite.Cases {
			if c.Failure != nil || c.Error != nil {
				failed = append(failed, c.Name)
			} else {
				passed = append(passed, c.Name)
			}
		}
	}
	slices.Sort(passed)
	slices.Sort(failed)
	return passed, failed
}

//go:build e2e

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// newer is what another commit would change: the form of the records and of the rows that
// it knows, and something that it records besides.
var newer = map[string][2]string{
	"pkg/ledger/ledger.go":     {"const Form = 1\n", "const Form = 2\n"},
	"pkg/grant/parse.go":       {"const Form = 1\n", "const Form = 2\n"},
	"pkg/store/ledger_item.go": {"Written: l.Version, Overflow:", "Weather: \"fine\", Written: l.Version, Overflow:"},
}

// earlier is a commit of this repository that knows the first form.
const earlier = "37a3250e5ad2c161b72435d16191d9d326809335"

// The functions that reconcile are of a newer version and of an older one by turns, as
// while an update replaces them, and after going back.
func TestFunctionsOfANewerVersionAndOfAnOlderOne(t *testing.T) {
	t.Parallel()
	s := ownSandbox(t)
	this, err := builtFunctions()
	if err != nil {
		t.Fatal(err)
	}
	later, cli := builtNewer(t), newAWSCLI(t, s, "admin")
	t.Run("of an earlier commit", func(t *testing.T) {
		skewed{t: t, s: s, cli: cli, gateway: managedGateway(t, s, "skew-earlier")}.takeTurns(later, builtEarlier(t))
	})
	t.Run("of this commit", func(t *testing.T) {
		skewed{t: t, s: s, cli: cli, gateway: managedGateway(t, s, "skew-this")}.takeTurns(later, this)
	})
}

// skewed is a gateway whose functions change.
type skewed struct {
	t       *testing.T
	s       *sandbox
	cli     awsCLI
	gateway string
}

func (d skewed) takeTurns(later, older string) {
	d.deploy(later)
	d.put("kept", accountB)
	d.put("ended", management)
	d.lets(accountB, management)
	within(d.t, time.Minute, "the newer version records in its form", func() bool { return d.recorded("form") == "2" && d.recorded("product") == "9.0-test" })

	d.deploy(older)
	d.put("new", accountA)
	d.put("kept", accountB, "form", "2")
	within(d.t, 2*time.Minute, "the older version says why it adds nothing", func() bool { return d.recorded("lastError") == "NewerVersion" })
	d.lets(accountB, management)
	d.delete("ended")
	d.lets(accountB)
	if got := []string{d.recorded("form"), d.recorded("weather"), d.recorded("product")}; !slices.Equal(got, []string{"2", "fine", "9.0-test"}) {
		d.t.Errorf("of what the newer version recorded the older one left %v", got)
	}

	d.deploy(later)
	d.put("kept", accountB)
	d.lets(accountA, accountB)
	within(d.t, time.Minute, "the gateway is well", func() bool { return d.recorded("lastError") == "" })
}

func (d skewed) put(id, principal string, more ...string) {
	d.t.Helper()
	item := row(d.gateway, id, principal)
	for i := 0; i < len(more); i += 2 {
		item[more[i]] = map[string]string{"S": more[i+1]}
	}
	must(d.t, d.cli, "dynamodb", "PutItem", map[string]any{"TableName": "gateway-grants", "Item": item})
}

func (d skewed) delete(id string) {
	d.t.Helper()
	must(d.t, d.cli, "dynamodb", "DeleteItem", map[string]any{"TableName": "gateway-grants", "Key": row(d.gateway, id, "")})
}

func (d skewed) lets(accounts ...string) {
	d.t.Helper()
	lets(d.t, d.s, d.gateway, accounts...)
}

// recorded is an attribute of the gateway's own item of the state table; "" for none.
func (d skewed) recorded(attribute string) string {
	d.t.Helper()
	return recorded(d.t, d.cli, "gateway-grants-state", d.gateway, attribute)
}

// deploy gives the functions that reconcile other code.
func (d skewed) deploy(executables string) {
	d.t.Helper()
	for _, name := range []string{"table-changes", "gateway-events"} {
		executable, err := os.ReadFile(filepath.Join(executables, name, "bootstrap"))
		if err != nil {
			d.t.Fatal(err)
		}
		archive, err := zipped(executable)
		path := filepath.Join(d.t.TempDir(), name+".zip")
		if err == nil {
			err = os.WriteFile(path, archive, 0o600)
		}
		if err != nil {
			d.t.Fatal(err)
		}
		command := exec.Command(d.cli.program, "lambda", "update-function-code", "--function-name", deployedAs(name), "--zip-file", "fileb://"+path)
		command.Env = d.s.environment("account-a")
		if output, err := command.CombinedOutput(); err != nil {
			d.t.Fatalf("%v\n%s", err, output)
		}
	}
}

// builtNewer builds the functions that reconcile from the sources of another version.
func builtNewer(t *testing.T) string {
	t.Helper()
	repository, replaced := cloudtest.Repository(t), map[string]string{}
	for name, change := range newer {
		path := filepath.Join(repository, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), change[0]) {
			t.Fatalf("%s has no %q: write down what a newer version would change in it", name, change[0])
		}
		changed := strings.Replace(string(text), change[0], change[1], 1)
		if name == "pkg/store/ledger_item.go" {
			changed = strings.Replace(changed, "type gatewayItem struct {\n", "type gatewayItem struct {\n\tWeather string `dynamodbav:\"weather,omitempty\"`\n", 1)
		}
		replaced[path] = filepath.Join(t.TempDir(), filepath.Base(name))
		if err := os.WriteFile(replaced[path], []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	directory := t.TempDir()
	file := filepath.Join(directory, "overlay.json")
	if err == nil {
		err = os.WriteFile(file, overlay, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	build(t, repository, directory, "-overlay", file, "-ldflags", "-X github.com/gateway-grants/gateway-grants/pkg/version.stamped=9.0-test")
	return directory
}

// builtEarlier builds the functions that reconcile from the earlier commit. It skips the
// play in a clone that does not have it, such as a shallow one.
func builtEarlier(t *testing.T) string {
	t.Helper()
	repository, sources, directory := cloudtest.Repository(t), t.TempDir(), t.TempDir()
	extract := exec.Command("sh", "-c", "git archive --output \"$1/archive.tar\" "+earlier+" && tar -xf \"$1/archive.tar\" -C \"$1\"", "sh", sources)
	extract.Dir = repository
	if output, err := extract.CombinedOutput(); err != nil {
		t.Skipf("this clone has no commit %s: fetch the whole history: %v\n%s", earlier, err, output)
	}
	build(t, sources, directory)
	return directory
}

// build builds the functions that reconcile.
func build(t *testing.T, repository, directory string, flags ...string) {
	t.Helper()
	for _, name := range []string{"table-changes", "gateway-events"} {
		arguments := slices.Concat([]string{"build", "-buildvcs=false", "-tags", "lambda.norpc", "-o", filepath.Join(directory, name, "bootstrap")}, flags, []string{"./functions/" + name})
		build := exec.Command("go", arguments...)
		build.Dir, build.Env = repository, append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	}
}

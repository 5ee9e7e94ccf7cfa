//go:build e2e

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// A release is deployed from a bucket by the commands of docs/operations.md, with the AWS
// CLI and without Go, and works.
func TestAReleaseIsDeployedFromABucketWithoutGo(t *testing.T) {
	t.Parallel()
	const version = "1.2.3"
	clone, repository := clonedRepository(t), cloudtest.Repository(t)
	if err := os.Mkdir(filepath.Join(clone, ".ci"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".ci/package.go", ".ci/zip.go", "docs", "CHANGELOG.md", "LICENSE"} {
		if output, err := exec.Command("cp", "-a", filepath.Join(repository, name), filepath.Join(clone, name)).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	}
	packs := exec.Command("make", "--no-print-directory", "package", "VERSION="+version)
	packs.Dir = clone
	began := time.Now()
	if output, err := packs.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	t.Logf("make package: %v", time.Since(began).Round(time.Second))

	s := ownSandbox(t, "--cloud")
	_, section, _ := strings.Cut(string(read(t, filepath.Join(repository, "docs", "operations.md"))), "\n## Releases\n")
	_, block, _ := strings.Cut(section, "```sh\n")
	commands, _, found := strings.Cut(block, "```")
	if !found {
		t.Fatal("docs/operations.md has no commands that deploy a release")
	}
	architecture := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	deploys := exec.Command("sh", "-e", "-c", "aws s3 mb s3://BUCKET\n"+commands)
	deploys.Args[3] = strings.NewReplacer("CodeBucket=BUCKET", "CodeBucket=releases-of-a Architecture="+architecture, "BUCKET", "releases-of-a").Replace(deploys.Args[3])
	deploys.Dir = filepath.Join(clone, "build", "gateway-grants-"+version)
	deploys.Env = append(s.environment("account-a"), "PATH="+filepath.Join(repository, ".venv", "bin")+":/usr/bin:/bin")
	if output, err := deploys.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if got := s.output(t, "Version"); got != version {
		t.Errorf("the stack says version %s", got)
	}

	admin := newAWSCLI(t, s, "account-a")
	must(t, admin, "dynamodb", "PutItem", map[string]any{"TableName": "gateway-grants", "Item": row("*", "#meta", "")})
	g := serveGateway(t, s, newGoSDK(t, s, "account-a"), "released")
	must(t, admin, "dynamodb", "PutItem", map[string]any{"TableName": "gateway-grants", "Item": row(g.arn, "team-b", accountB)})
	within(t, 2*time.Minute, "account B is let in", func() bool { return calls(t, s, "account-b", g) })
	must(t, admin, "dynamodb", "DeleteItem", map[string]any{"TableName": "gateway-grants", "Key": row(g.arn, "team-b", "")})
	within(t, 2*time.Minute, "account B is kept out again", func() bool { return !calls(t, s, "account-b", g) })
}

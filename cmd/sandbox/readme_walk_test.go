//go:build e2e

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// commandsOf lists the commands of a section of the README, each on one line.
func commandsOf(t *testing.T, section string) []string {
	t.Helper()
	text := string(read(t, filepath.Join(cloudtest.Repository(t), "README.md")))
	_, rest, found := strings.Cut(text, "\n## "+section+"\n")
	if !found {
		t.Fatalf("the README has no section %s", section)
	}
	rest, _, _ = strings.Cut(rest, "\n### ")
	var commands []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(rest, -1) {
		joined := strings.ReplaceAll(block[1], "\\\n", " ")
		for line := range strings.Lines(joined) {
			if line, _, _ = strings.Cut(line, " # "); strings.TrimSpace(line) != "" {
				commands = append(commands, strings.TrimSpace(line))
			}
		}
	}
	return commands
}

// From an empty account to the first call from another one, then an organization and one
// owner: the README's commands as they stand there, but for what they say to fill in.
func TestTheReadmesDeployment(t *testing.T) {
	t.Parallel()
	commands := commandsOf(t, "Deploy")
	if len(commands) != 12 {
		t.Fatalf("the README has %d commands to deploy with: %q", len(commands), commands)
	}
	clone := clonedRepository(t)
	s := ownSandbox(t, "--cloud")
	described, err := organizations.NewFromConfig(sdkConfig(t, s, "management")).DescribeOrganization(t.Context(), &organizations.DescribeOrganizationInput{})
	if err != nil {
		t.Fatal(err)
	}
	architecture := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	d := madeDeployment{s: s, clone: clone, profile: "account-a"}
	filled := func(command string) string {
		pairs := []string{"o-exampleorgid", aws.ToString(described.Organization.Id), `PARAMETERS="`, `PARAMETERS="Architecture=` + architecture + " "}
		if strings.Contains(command, "ROLE") || strings.Contains(command, "BUS") {
			pairs = append(pairs, "--role-arn ROLE", "--role-arn "+d.output(t, "GatewayServiceRoleArn"),
				"--lambda-arn FUNCTION", "--lambda-arn "+d.output(t, "EchoFunctionArn"), "=BUS", "="+d.output(t, "EventBusArn"))
		}
		return strings.NewReplacer(pairs...).Replace(command)
	}
	walk := func(command string) (string, error) {
		run := d.make()
		run.Path, run.Args = "/bin/sh", []string{"sh", "-e", "-c", filled(command)}
		run.Env = append(run.Env, "ARCH="+architecture, "PATH="+filepath.Join(cloudtest.Repository(t), ".venv", "bin")+":"+os.Getenv("PATH"))
		if command == "make deploy" {
			run.Env = append(run.Env, "PARAMETERS=Architecture="+architecture)
		}
		began := time.Now()
		output, err := run.CombinedOutput()
		t.Logf("%s: %v", command, time.Since(began).Round(time.Second))
		return string(output), err
	}
	for _, command := range commands {
		switch {
		case strings.Contains(command, " invoke "):
			within(t, 2*time.Minute, "the other account is let in", func() bool {
				said, err := walk(command)
				return err == nil && strings.Contains(said, "SUCCESS!")
			})
		case strings.HasSuffix(command, " doctor"):
			checkWalked(t, walk, command)
		default:
			if said, err := walk(command); err != nil {
				t.Fatalf("%s: %v\n%s", command, err, said)
			}
		}
	}
	d.stands(t)
}

// checkWalked has the doctor look: what the local cloud does not have, a trail, alone is
// found, and the metrics that only CloudWatch makes of logs.
func checkWalked(t *testing.T, walk func(string) (string, error), command string) {
	t.Helper()
	within(t, 3*time.Minute, "the organization was listed, and the owner is reached", func() bool {
		said, err := walk(command)
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatalf("%v\n%s", err, said)
		}
		// The owner of the README joins by a stack of its own, which needs no trusted access.
		if !regexp.MustCompile(`(?m)^organization +(ok$|found\n  StackSets have no trusted access.*\n.*\n\S)`).MatchString(said) {
			t.Log(said)
			return false
		}
		for _, check := range []string{"stack", "tables", "sentinel", "mappings", "rules", "schedules", "queues", "owners", "forwarders", "gateways", "approvals"} {
			if !regexp.MustCompile(`(?m)^` + check + ` +ok`).MatchString(said) {
				t.Log(said)
				return false
			}
		}
		return true
	})
}

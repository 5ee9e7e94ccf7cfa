package infra

import (
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// The command line reads its settings from the stack, as the functions are given
// them: both have to mean the same.
func TestStackSettingsOfCommandLineAndFunctions(t *testing.T) {
	template := read(t, "../template.yaml")
	variables, _ := at(template.Resources["TableChangesFunction"].Properties, "Environment", "Variables").(map[string]any)
	for _, s := range settings.Shared() {
		value, _ := variables[s.Variable].(string)
		if list, is := variables[s.Variable].([]any); is { // of a Join
			if listed, is := list[1].([]any); is && s.Variable == settings.OwnerAccounts.Variable && listed[0] == "${AWS::AccountId}" {
				list, _ = listed[1].([]any) // after the hub, which settings.Stack adds, too
			}
			value, _ = list[1].(string)
		}
		switch {
		case s.Output != "":
			output, _ := at(template.Outputs[s.Output], "Value").(string)
			if output == "" || resourceOf(output) != resourceOf(value) {
				t.Errorf("output %s is %q, and functions are given %s=%q", s.Output, output, s.Variable, value)
			}
		case template.Parameters[s.Parameter] == nil:
			t.Errorf("--%s is read from parameter %q, which there is not", s.Flag, s.Parameter)
		case value != "${"+s.Parameter+"}":
			t.Errorf("--%s is read from parameter %s, and functions are given %s=%v", s.Flag, s.Parameter, s.Variable, variables[s.Variable])
		}
	}
}

// resourceOf is what a Ref or GetAtt refers to.
func resourceOf(reference string) string {
	name, _, _ := strings.Cut(strings.Trim(reference, "${}"), ".")
	return name
}

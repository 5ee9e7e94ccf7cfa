package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// stackVariable names the stack where --stack is not given.
const stackVariable = "GATEWAY_GRANTS_STACK"

// findStack finds the deployment's stack for the settings of a command that
// neither a flag nor a variable gives. There is none where AWS has none, or where
// the caller may not ask for stacks; a note says so.
func (p *program) findStack(ctx context.Context, cmd *cobra.Command) error {
	name := p.settings.stack
	if name == "" {
		name = variable(stackVariable, "")
	}
	if !needsStack(cmd) {
		return nil
	}
	if region := regionOfARN(name); region != "" && p.settings.region == "" {
		p.settings.region = region
	}
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	deployments, err := deploymentsIn(ctx, s.config, name)
	switch {
	case name == "" && isDenied(err):
		p.note("AWS denies cloudformation:DescribeStacks, so the settings are those of flags, variables and defaults")
		return nil
	case err != nil:
		return err
	case len(deployments) == 1:
		p.stack = &deployments[0]
		return nil
	case name != "":
		return refuse("stack %s in %s is no deployment of Gateway Grants: name the one that make deploy made, or choose another --region or --profile", name, p.region)
	case len(deployments) == 0:
		p.note("there is no stack of Gateway Grants in " + p.region + ", so the settings are those of flags, variables and defaults")
		return nil
	default:
		return severalStacks(p.region, deployments)
	}
}

func severalStacks(region string, deployments []settings.Stack) error {
	names := make([]string, len(deployments))
	for i, d := range deployments {
		names[i] = d.Name
	}
	return refuse("%s has more than one deployment of Gateway Grants (%s): name one with --stack or %s", region, strings.Join(names, ", "), stackVariable)
}

// needsStack reports whether the command has a setting that it was not given.
func needsStack(cmd *cobra.Command) bool {
	known := given(cmd, settings.Variables(os.LookupEnv))
	return slices.ContainsFunc(settings.Shared(), func(s settings.Setting) bool {
		text, _, _ := known(s)
		return hasSetting(cmd, s) && text == "" && !cmd.Flags().Changed(s.Flag)
	})
}

func regionOfARN(name string) string {
	if part := strings.SplitN(name, ":", 5); len(part) == 5 && part[0] == "arn" {
		return part[3]
	}
	return ""
}

// deploymentsIn are the stacks of Gateway Grants in an account and Region, or the
// one of that name.
func deploymentsIn(ctx context.Context, config aws.Config, name string) ([]settings.Stack, error) {
	input := &cloudformation.DescribeStacksInput{}
	if name != "" {
		input.StackName = &name
	}
	var deployments []settings.Stack
	pages := cloudformation.NewDescribeStacksPaginator(cloudformation.NewFromConfig(config), input)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isUnknownStack(err) {
			return nil, refuse("there is no stack %s in %s of this account: name the one that make deploy made, or choose another --region or --profile", name, config.Region)
		}
		if err != nil {
			return nil, fmt.Errorf("look for the deployment's stack: %w", err)
		}
		for _, found := range page.Stacks {
			if stack := stackOf(found); stack.IsDeployment() {
				deployments = append(deployments, stack)
			}
		}
	}
	return deployments, nil
}

func stackOf(found types.Stack) settings.Stack {
	stack := settings.Stack{
		Name: aws.ToString(found.StackName), Outputs: map[string]string{}, Parameters: map[string]string{},
	}
	if part := strings.SplitN(aws.ToString(found.StackId), ":", 6); len(part) == 6 {
		stack.Region, stack.Account = part[3], part[4]
	}
	for _, output := range found.Outputs {
		stack.Outputs[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
	}
	for _, parameter := range found.Parameters {
		stack.Parameters[aws.ToString(parameter.ParameterKey)] = aws.ToString(parameter.ParameterValue)
	}
	return stack
}

// isUnknownStack tells a name that no stack has, which CloudFormation answers with
// a ValidationError.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
func isUnknownStack(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist")
}

// isDenied reports whether AWS refused the call for want of a permission.
func isDenied(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation":
		return true
	}
	return false
}

// note says on stderr what the reader should know of the result.
func (p *program) note(text string) {
	fmt.Fprintln(p.err, p.paint(p.err).yellow("Note:"), oneLine(text))
}

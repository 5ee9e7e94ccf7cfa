package actions

import "strings"

// cloudformation asks for stacks. Resources that a stack consists of are not asked
// for, although CloudFormation makes them with the caller's permissions: moto
// makes them itself.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
func cloudformation(c *call) ([]Permission, error) {
	stack := c.params.text("StackName")
	switch {
	case strings.HasPrefix(stack, "arn:"):
		return []Permission{c.on(stack)}, nil
	case stack == "" && c.is("DescribeStacks"): // all of them; the action is about stacks
		return []Permission{c.on(c.arn("*", "stack/") + "/*")}, nil
	case stack != "": // whose id may be any
		return []Permission{c.on(c.arn(stack, "stack/") + "/*")}, nil
	default:
		return []Permission{c.on("*")}, nil
	}
}

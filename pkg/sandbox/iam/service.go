package iam

import "github.com/gateway-grants/gateway-grants/pkg/policy"

// ServiceMayAssume says whether an AWS service, such as lambda.amazonaws.com, gets
// the role with this ARN and trust policy; nil is none. The context holds what the
// service says of the resource that it acts for, such as aws:SourceArn.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services
func ServiceMayAssume(service string, context map[string][]string, roleARN string, trust *policy.Document) bool {
	if trust == nil {
		return false
	}
	return policy.Evaluate(policy.Call{
		Caller: policy.Service(service), Action: "sts:AssumeRole", Resource: roleARN,
		ResourcePolicy: aboutRole(trust, roleARN), Context: context,
	}).Allowed
}

package policy_test

import (
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// covers reports whether an identity policy with this statement, written
// without its effect, allows the call.
func covers(t *testing.T, elements, action, resource string, context map[string][]string) bool {
	t.Helper()
	return policy.Evaluate(policy.Call{
		Caller: policy.User(userARN(owner)), Action: action, Resource: resource, ResourceAccount: owner, Context: context,
		Identity: []*policy.Document{mustParse(t, statement(","+elements))},
	}).Allowed
}

func TestActions(t *testing.T) {
	for _, tc := range []struct {
		reason, elements, action string
		want                     bool
	}{
		{"exact", `"Action":"s3:GetObject"`, "s3:GetObject", true},
		{"case is ignored", `"Action":"S3:getobject"`, "s3:GetObject", true},
		{"case of the call too", `"Action":"s3:GetObject"`, "S3:GETOBJECT", true},
		{"another", `"Action":"s3:GetObject"`, "s3:GetObjectAcl", false},
		{"star", `"Action":"s3:Get*"`, "s3:GetObjectAcl", true},
		{"star inside", `"Action":"s3:*Acl"`, "s3:GetObjectAcl", true},
		{"question mark", `"Action":"s3:?etObject"`, "s3:GetObject", true},
		{"everything", `"Action":"*"`, "s3:GetObject", true},
		{"one of a list", `"Action":["sqs:*","s3:GetObject"]`, "s3:GetObject", true},
		{"an empty list", `"Action":[]`, "s3:GetObject", false},
		{"no variables here", `"Action":"s3:${a}"`, "s3:${a}", true},
		{"not this one", `"NotAction":"s3:Get*"`, "s3:GetObject", false},
		{"not that one", `"NotAction":["s3:Put*","sqs:*"]`, "s3:GetObject", true},
		{"not an empty list", `"NotAction":[]`, "s3:GetObject", true},
		{"neither", `"Sid":"x"`, "s3:GetObject", false},
	} {
		if got := covers(t, tc.elements+`,"Resource":"*"`, tc.action, "arn:aws:s3:::b/k", nil); got != tc.want {
			t.Errorf("%s: %s covers %s: %t", tc.reason, tc.elements, tc.action, got)
		}
	}
}

func TestResources(t *testing.T) {
	const function = "arn:aws:lambda:us-east-1:111122223333:function:foo:prod"
	context := map[string][]string{"v:x": {"foo"}, "v:star": {"*"}}
	for _, tc := range []struct {
		reason, elements, resource string
		want                       bool
	}{
		{"exact", `"Resource":"` + gatewayARN + `"`, gatewayARN, true},
		{"case counts", `"Resource":"arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/GW-1"`, gatewayARN, false},
		{"everything", `"Resource":"*"`, gatewayARN, true},
		{"one of a list", `"Resource":["arn:aws:s3:::b","` + gatewayARN + `"]`, gatewayARN, true},
		{"star at the end", `"Resource":"arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/*"`, gatewayARN, true},
		{"star over slashes", `"Resource":"arn:aws:s3:::b/*/test/*"`, "arn:aws:s3:::b/1/2/test/3/o.jpg", true},
		{"stars in fields", `"Resource":"arn:aws:bedrock-*:us-*-1:*:gateway/gw-?"`, gatewayARN, true},
		{"a star at the end of a field goes past colons", `"Resource":"arn:aws:bedrock-agentcore:*:gateway/gw-1"`, gatewayARN, true},
		{"a star that ends all does too", `"Resource":"arn:aws:bedrock-agentcore:*"`, gatewayARN, true},
		{"a star inside a field does not", `"Resource":"arn:aws:bedrock-agentcore:us-*3:gateway/gw-1"`, gatewayARN, false},
		{"nor does a question mark", `"Resource":"arn:aws:bedrock-agentcore:us-east-1?111122223333:gateway/gw-1"`, gatewayARN, false},
		{"two kinds of star", `"Resource":"arn:aws:*:a*b:r"`, "arn:aws:a:ab:ab:r", true},
		{"two kinds of star, too much for the second", `"Resource":"arn:aws:*:a*b:r"`, "arn:aws:a:x:a:b:r", false},
		{"colons in the last field", `"Resource":"arn:aws:lambda:us-east-1:111122223333:function:f*d"`, function, true},
		{"question mark in the last field", `"Resource":"arn:aws:lambda:us-east-1:111122223333:function?foo:prod"`, function, true},
		{"stars in a row", `"Resource":"arn:aws:lambda:us-east-1:111122223333:function:***prod"`, function, true},
		{"nothing left", `"Resource":"arn:aws:lambda:us-east-1:111122223333:function:foo:prod?"`, function, false},
		{"a variable", `"Resource":"arn:aws:lambda:us-east-1:111122223333:function:${v:x}:*"`, function, true},
		{"a variable is no wildcard", `"Resource":"arn:aws:lambda:us-east-1:111122223333:function:${v:star}"`, function, false},
		{"a default", `"Resource":"arn:aws:lambda:us-east-1:111122223333:function:${v:none, 'foo'}:prod"`, function, true},
		{"no value", `"Resource":"arn:aws:lambda:us-east-1:111122223333:function:foo:prod${v:none}"`, function, false},
		{"no value, but another resource", `"Resource":["arn:aws:lambda:us-east-1:111122223333:${v:none}","*"]`, function, true},
		{"no value, negated", `"NotResource":["arn:aws:lambda:us-east-1:111122223333:${v:none}"]`, function, false},
		{"not this one", `"NotResource":"arn:aws:bedrock-agentcore:*"`, gatewayARN, false},
		{"not that one", `"NotResource":["arn:aws:s3:::b/*"]`, gatewayARN, true},
		{"not an empty list", `"NotResource":[]`, gatewayARN, true},
		{"an empty list", `"Resource":[]`, gatewayARN, false},
		{"an identity policy needs one", `"Sid":"x"`, gatewayARN, false},
	} {
		if got := covers(t, tc.elements+`,"Action":"*"`, invoke, tc.resource, context); got != tc.want {
			t.Errorf("%s: %s covers %s: %t", tc.reason, tc.elements, tc.resource, got)
		}
	}
}

func TestPrincipals(t *testing.T) {
	agent := policy.Role(roleARN(owner), "s1")
	for _, tc := range []struct {
		reason, elements string
		caller           policy.Caller
		want             bool
	}{
		{"everyone", `"Principal":"*"`, agent, true},
		{"everyone, the other form", `"Principal":{"AWS":["x","*"]}`, agent, true},
		{"no one", `"Principal":{}`, agent, false},
		{"no principal", `"Sid":"x"`, agent, false},
		{"no wildcards in ARNs", `"Principal":{"AWS":"arn:aws:iam::111122223333:role/*"}`, agent, false},
		{"a service", `"Principal":{"Service":["s3.amazonaws.com","lambda.amazonaws.com"]}`, policy.Service("lambda.amazonaws.com"), true},
		{"another service", `"Principal":{"Service":"s3.amazonaws.com"}`, policy.Service("lambda.amazonaws.com"), false},
		{"a service is no account", `"Principal":{"AWS":"lambda.amazonaws.com"}`, policy.Service("lambda.amazonaws.com"), false},
		{"a role is no service", `"Principal":{"Service":"` + roleARN(owner) + `"}`, agent, false},
		{"nor federated", `"Principal":{"Federated":"*","CanonicalUser":"*","New":"*"}`, agent, false},
		{"all but another account", `"NotPrincipal":{"AWS":"444455556666"}`, agent, true},
		{"all but the account", `"NotPrincipal":{"AWS":"111122223333"}`, agent, false},
		{"all but the role", `"NotPrincipal":{"AWS":"` + roleARN(owner) + `"}`, agent, false},
		{"all but everyone", `"NotPrincipal":"*"`, agent, false},
	} {
		d := policy.Evaluate(policy.Call{
			Caller: tc.caller, Action: invoke, Resource: gatewayARN,
			ResourcePolicy: mustParse(t, statement(`,"Action":"*",`+tc.elements)),
		})
		if d.Allowed != tc.want {
			t.Errorf("%s: %s: %s", tc.reason, tc.elements, d)
		}
	}
}

func TestDenyWithNotPrincipal(t *testing.T) {
	resource := mustParse(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},
		{"Effect":"Deny","NotPrincipal":{"AWS":["`+userARN(owner)+`","`+owner+`"]},"Action":"*","Resource":"*"}]}`)
	call := policy.Call{Caller: policy.User(userARN(owner)), Action: invoke, Resource: gatewayARN, ResourcePolicy: resource}
	if d := policy.Evaluate(call); !d.Allowed {
		t.Errorf("who is excepted: %s", d)
	}
	call.Boundary = document(policy.Allow)
	if d := policy.Evaluate(call); d.Reason != policy.ExplicitDeny {
		t.Errorf("who is excepted and has a boundary: %s", d)
	}
	call.Caller = policy.Root(owner)
	if d := policy.Evaluate(call); !d.Allowed {
		t.Errorf("the root user has no boundary: %s", d)
	}
	call.Caller, call.Boundary = policy.User(userARN(other)), nil
	if d := policy.Evaluate(call); d.Reason != policy.ExplicitDeny {
		t.Errorf("who is not excepted: %s", d)
	}
}

func TestPolicyOfWrongKindHasNoEffect(t *testing.T) {
	call := policy.Call{Caller: policy.User(userARN(owner)), Action: invoke, Resource: gatewayARN}
	call.Identity = []*policy.Document{document(policy.Allow, "*")}
	if d := policy.Evaluate(call); d.Allowed {
		t.Errorf("an identity policy with a principal: %s", d)
	}
	call.Identity, call.ResourcePolicy = nil, document(policy.Allow)
	if d := policy.Evaluate(call); d.Allowed {
		t.Errorf("a resource policy without a principal: %s", d)
	}
}

func TestKeysThatFollowFromTheCaller(t *testing.T) {
	user, agent := policy.User(userARN(owner)), policy.Role(roleARN(other), "s1")
	user.UniqueID, agent.UniqueID = "AIDAEXAMPLE", "AROAEXAMPLE"
	absent := "(absent)"
	for _, tc := range []struct {
		caller                                                   policy.Caller
		arn, account, kind, userID, userName, isService, service string
	}{
		{user, userARN(owner), owner, "User", "AIDAEXAMPLE", "bob", "false", absent},
		{agent, roleARN(other), other, "AssumedRole", "AROAEXAMPLE:s1", absent, "false", absent},
		{policy.Role(roleARN(other), "s1"), roleARN(other), other, "AssumedRole", absent, absent, "false", absent},
		{policy.Root(other), "arn:aws:iam::444455556666:root", other, "Account", other, absent, "false", absent},
		{policy.Service("s3.amazonaws.com"), absent, absent, absent, absent, absent, "true", "s3.amazonaws.com"},
		{policy.Caller{}, absent, absent, "Anonymous", "anonymous", absent, absent, absent},
	} {
		for key, want := range map[string]string{
			"aws:PrincipalArn": tc.arn, "aws:PrincipalAccount": tc.account, "aws:PrincipalType": tc.kind, "aws:userid": tc.userID,
			"aws:username": tc.userName, "aws:PrincipalIsAWSService": tc.isService, "aws:PrincipalServiceName": tc.service,
			"aws:ResourceAccount": owner,
		} {
			condition := policy.Condition{"StringEquals": {key: {want}}}
			if want == absent {
				condition = policy.Condition{"Null": {key: {"true"}}}
			}
			resource := document(policy.Deny, "*")
			resource.Statements[0].Condition = condition
			call := policy.Call{Caller: tc.caller, Action: invoke, Resource: gatewayARN, ResourcePolicy: resource}
			if policy.Evaluate(call).Reason != policy.ExplicitDeny {
				t.Errorf("%s: %s is not %s", tc.caller, key, want)
			}
		}
	}
}

func TestContextOfCallOverridesDerived(t *testing.T) {
	call := policy.Call{
		Caller: policy.User(userARN(owner)), Action: invoke, Resource: "arn:aws:s3:::b", ResourceAccount: other,
		Context: map[string][]string{"AWS:principalaccount": {"x"}, "aws:PrincipalAccount": {"y"}, "aws:ResourceAccount": {}},
	}
	resource := document(policy.Deny, "*")
	resource.Statements[0].Resource = values{"*"}
	resource.Statements[0].Condition = policy.Condition{"StringEquals": {"aws:PrincipalAccount": {"x"}, "aws:ResourceAccount": {other}}}
	call.ResourcePolicy = resource
	if d := policy.Evaluate(call); d.Reason != policy.ExplicitDeny {
		t.Error(d)
	}
}

package policy_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

const (
	owner = "111122223333" // owns the gateway
	other = "444455556666"
)

func roleARN(account string) string    { return "arn:aws:iam::" + account + ":role/team/Agent" }
func userARN(account string) string    { return "arn:aws:iam::" + account + ":user/bob" }
func sessionARN(account string) string { return "arn:aws:sts::" + account + ":assumed-role/Agent/s1" }

// document has one statement for each of the given effects and principals, on
// invoking the gateway; without principals it is for an identity.
func document(effect policy.Effect, principals ...string) *policy.Document {
	s := policy.Statement{Effect: effect, Action: values{invoke}, Resource: values{gatewayARN}}
	if principals != nil {
		s.Principal = &policy.Principals{AWS: principals}
	}
	return &policy.Document{Version: policy.Version2012, Statements: []policy.Statement{s}}
}

func both(a, b *policy.Document) *policy.Document {
	return a.WithStatements(append(append([]policy.Statement{}, a.Statements...), b.Statements...)...)
}

// silent allows something else.
var silent = &policy.Document{Version: policy.Version2012, Statements: []policy.Statement{
	{Effect: policy.Allow, Action: values{"s3:GetObject"}, Resource: values{"*"}},
	{Effect: policy.Deny, Action: values{invoke}, Resource: values{"arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/gw-2"}},
}}

func TestEvaluate(t *testing.T) {
	allow, deny := document(policy.Allow), document(policy.Deny)
	denyAll := document(policy.Deny, "*")
	user, role := policy.User, func(arn string) policy.Caller { return policy.Role(arn, "s1") }
	withID := role(roleARN(owner))
	withID.UniqueID = "AROAEXAMPLE"
	for _, tc := range []struct {
		reason   string
		caller   policy.Caller
		resource *policy.Document
		identity *policy.Document
		boundary *policy.Document
		scps     [][]*policy.Document
		want     policy.Reason
	}{
		// One account: either side.
		{"no policy allows", user(userARN(owner)), nil, nil, nil, nil, policy.NoIdentityAllow},
		{"the identity policy allows", user(userARN(owner)), nil, allow, nil, nil, policy.AllowedByIdentity},
		{"the resource policy allows the user", user(userARN(owner)), document(policy.Allow, userARN(owner)), nil, nil, nil, policy.AllowedByResource},
		{"the resource policy allows another user", user(userARN(owner)), document(policy.Allow, userARN(owner)+"2"), nil, nil, nil, policy.NoIdentityAllow},
		{"both speak of something else", user(userARN(owner)), silent, silent, nil, nil, policy.NoIdentityAllow},
		{"the account delegates to its identity policies", user(userARN(owner)), document(policy.Allow, owner), nil, nil, nil, policy.NoIdentityAllow},
		{"which then allow", user(userARN(owner)), document(policy.Allow, owner), allow, nil, nil, policy.AllowedByIdentity},
		{"everyone is the caller too", user(userARN(owner)), document(policy.Allow, "*"), nil, nil, nil, policy.AllowedByResource},
		{"the role is named", role(roleARN(owner)), document(policy.Allow, roleARN(owner)), nil, nil, nil, policy.AllowedByResource},
		{"the role is named by its unique id", withID, document(policy.Allow, "AROAEXAMPLE"), nil, nil, nil, policy.AllowedByResource},
		{"the role of that name was another one", withID, document(policy.Allow, "AROAOTHER"), nil, nil, nil, policy.NoIdentityAllow},
		{"the role's name without its path is another role", role(roleARN(owner)), document(policy.Allow, "arn:aws:iam::111122223333:role/Agent"), nil, nil, nil, policy.NoIdentityAllow},
		{"the session is named", role(roleARN(owner)), document(policy.Allow, sessionARN(owner)), nil, nil, nil, policy.AllowedByResource},
		{"another session is named", role(roleARN(owner)), document(policy.Allow, sessionARN(owner)+"0"), nil, nil, nil, policy.NoIdentityAllow},

		// Two accounts: both sides.
		{"no policy allows across accounts", role(roleARN(other)), nil, nil, nil, nil, policy.NoResourceAllow},
		{"only the caller's account allows", role(roleARN(other)), nil, allow, nil, nil, policy.NoResourceAllow},
		{"only the gateway's account allows the role", role(roleARN(other)), document(policy.Allow, roleARN(other)), nil, nil, nil, policy.NoIdentityAllow},
		{"only the gateway's account allows the session", role(roleARN(other)), document(policy.Allow, sessionARN(other)), silent, nil, nil, policy.NoIdentityAllow},
		{"only the gateway's account allows everyone", role(roleARN(other)), document(policy.Allow, "*"), nil, nil, nil, policy.NoIdentityAllow},
		{"both allow the account", role(roleARN(other)), document(policy.Allow, other), allow, nil, nil, policy.AllowedByBoth},
		{"both allow the account by its root ARN", role(roleARN(other)), document(policy.Allow, "arn:aws:iam::444455556666:root"), allow, nil, nil, policy.AllowedByBoth},
		{"both allow the role", role(roleARN(other)), document(policy.Allow, roleARN(other)), allow, nil, nil, policy.AllowedByBoth},
		{"both allow the user", user(userARN(other)), document(policy.Allow, userARN(other)), allow, nil, nil, policy.AllowedByBoth},
		{"a third account is allowed", user(userARN(other)), document(policy.Allow, "777788889999"), allow, nil, nil, policy.NoResourceAllow},

		// Root users need no identity policy.
		{"the owner's root", policy.Root(owner), nil, nil, nil, nil, policy.AllowedByIdentity},
		{"the owner's root, named", policy.Root(owner), document(policy.Allow, owner), nil, nil, nil, policy.AllowedByResource},
		{"another root", policy.Root(other), nil, nil, nil, nil, policy.NoResourceAllow},
		{"another root, whose account is allowed", policy.Root(other), document(policy.Allow, other), nil, nil, nil, policy.AllowedByBoth},
		{"another root, when one user of it is allowed", policy.Root(other), document(policy.Allow, userARN(other)), nil, nil, nil, policy.NoResourceAllow},

		// Explicit denies.
		{"the resource policy denies everyone", user(userARN(owner)), both(document(policy.Allow, userARN(owner)), denyAll), allow, nil, nil, policy.ExplicitDeny},
		{"the resource policy denies the account", role(roleARN(other)), both(document(policy.Allow, roleARN(other)), document(policy.Deny, other)), allow, nil, nil, policy.ExplicitDeny},
		{"the resource policy denies the role", role(roleARN(other)), both(document(policy.Allow, sessionARN(other)), document(policy.Deny, roleARN(other))), allow, nil, nil, policy.ExplicitDeny},
		{"the resource policy denies another role", role(roleARN(other)), both(document(policy.Allow, other), document(policy.Deny, roleARN(other)+"2")), allow, nil, nil, policy.AllowedByBoth},
		{"the identity policy denies", role(roleARN(other)), document(policy.Allow, other), both(allow, deny), nil, nil, policy.ExplicitDeny},
		{"the boundary denies", user(userARN(owner)), document(policy.Allow, userARN(owner)), allow, both(allow, deny), nil, policy.ExplicitDeny},
		{"a service control policy denies", user(userARN(owner)), document(policy.Allow, userARN(owner)), allow, nil, [][]*policy.Document{{allow}, {allow, deny}}, policy.ExplicitDeny},
		{"a deny for the root", policy.Root(owner), denyAll, nil, nil, nil, policy.ExplicitDeny},

		// Boundaries.
		{"the boundary does not allow what the identity policy does", user(userARN(owner)), nil, allow, silent, nil, policy.NoBoundaryAllow},
		{"the boundary allows it too", user(userARN(owner)), nil, allow, allow, nil, policy.AllowedByIdentity},
		{"the boundary gives nothing", user(userARN(owner)), nil, nil, allow, nil, policy.NoIdentityAllow},
		{"a user who is named is past the boundary", user(userARN(owner)), document(policy.Allow, userARN(owner)), nil, silent, nil, policy.AllowedByResource},
		{"so is a session", role(roleARN(owner)), document(policy.Allow, sessionARN(owner)), nil, silent, nil, policy.AllowedByResource},
		{"so is everyone", role(roleARN(owner)), document(policy.Allow, "*"), nil, silent, nil, policy.AllowedByResource},
		{"a role is not", role(roleARN(owner)), document(policy.Allow, roleARN(owner)), allow, silent, nil, policy.NoBoundaryAllow},
		{"a role within its boundary", role(roleARN(owner)), document(policy.Allow, roleARN(owner)), nil, allow, nil, policy.AllowedByResource},
		{"the strongest naming counts", role(roleARN(owner)), both(document(policy.Allow, owner), both(document(policy.Allow, roleARN(owner)), document(policy.Allow, sessionARN(owner)))), nil, silent, nil, policy.AllowedByResource},
		{"across accounts the boundary stops every caller", user(userARN(other)), document(policy.Allow, userARN(other)), allow, silent, nil, policy.NoBoundaryAllow},
		{"not even a session", role(roleARN(other)), document(policy.Allow, sessionARN(other)), allow, silent, nil, policy.NoBoundaryAllow},
		{"a root user has no boundary", policy.Root(owner), nil, nil, silent, nil, policy.AllowedByIdentity},

		// Service control policies.
		{"every level must allow", user(userARN(owner)), nil, allow, nil, [][]*policy.Document{{allow}, {silent, allow}}, policy.AllowedByIdentity},
		{"one level does not", user(userARN(owner)), nil, allow, nil, [][]*policy.Document{{allow}, {silent}}, policy.NoSCPAllow},
		{"a level without any policy does not", user(userARN(owner)), nil, allow, nil, [][]*policy.Document{{}, {allow}}, policy.NoSCPAllow},
		{"they stop every caller", user(userARN(owner)), document(policy.Allow, userARN(owner)), allow, nil, [][]*policy.Document{{silent}}, policy.NoSCPAllow},
		{"not even the root", policy.Root(owner), nil, nil, nil, [][]*policy.Document{{silent}}, policy.NoSCPAllow},
		{"they allow, and give nothing", user(userARN(owner)), nil, nil, nil, [][]*policy.Document{{allow}}, policy.NoIdentityAllow},

		// Who has no policies of its own.
		{"an anonymous caller", policy.Caller{}, document(policy.Allow, "*"), nil, nil, nil, policy.AllowedByResource},
		{"an anonymous caller, not named", policy.Caller{}, document(policy.Allow, owner), allow, nil, nil, policy.NoResourceAllow},
		{"an anonymous caller, denied", policy.Caller{}, both(document(policy.Allow, "*"), denyAll), nil, nil, nil, policy.ExplicitDeny},
		{"a service that is not named", policy.Service("lambda.amazonaws.com"), document(policy.Allow, owner), allow, nil, [][]*policy.Document{{silent}}, policy.NoResourceAllow},
		{"a service as one of everyone", policy.Service("lambda.amazonaws.com"), document(policy.Allow, "*"), nil, silent, [][]*policy.Document{{silent}}, policy.AllowedByResource},
	} {
		call := policy.Call{
			Caller: tc.caller, Action: invoke, Resource: gatewayARN,
			ResourcePolicy: tc.resource, Identity: []*policy.Document{nil, silent, tc.identity}, Boundary: tc.boundary, SCPs: tc.scps,
		}
		got := policy.Evaluate(call)
		allowed := tc.want == policy.AllowedByIdentity || tc.want == policy.AllowedByResource || tc.want == policy.AllowedByBoth
		if got.Reason != tc.want || got.Allowed != allowed {
			t.Errorf("%s: allowed: %t, %s: %s\nwant %s", tc.reason, got.Allowed, got.Reason, got, tc.want)
		}
	}
}

func TestEvaluateNamesWhatDecides(t *testing.T) {
	named := func(effect policy.Effect, sid string, principals ...string) *policy.Document {
		d := document(effect, principals...)
		d.Statements[0].Sid = sid
		return both(silent, d)
	}
	caller := policy.Role(roleARN(other), "s1")
	for name, tc := range map[string]struct {
		reason string
		call   policy.Call
		want   policy.Decision
		text   string
	}{
		"Both": {
			reason: "Across accounts the resource policy's statement is named.",
			call: policy.Call{
				Caller: caller, ResourcePolicy: named(policy.Allow, "Grant", other), Identity: []*policy.Document{document(policy.Allow)},
			},
			want: policy.Decision{Allowed: true, Reason: policy.AllowedByBoth, Source: policy.ResourcePolicy, Index: 2},
			text: `may call bedrock-agentcore:InvokeGateway on ` + gatewayARN + `: statement "Grant" of the resource policy allows it, and so does the caller's own account.`,
		},
		"Identity": {
			reason: "The policy and the statement in it.",
			call:   policy.Call{Caller: policy.User(userARN(owner)), Identity: []*policy.Document{silent, named(policy.Allow, "")}},
			want:   policy.Decision{Allowed: true, Reason: policy.AllowedByIdentity, Source: policy.IdentityPolicy, Policy: 1, Index: 2},
			text:   `may call bedrock-agentcore:InvokeGateway on ` + gatewayARN + `: statement 3 of the caller's identity policy 2 allows it.`,
		},
		"Resource": {
			reason: "The resource policy alone.",
			call:   policy.Call{Caller: policy.User(userARN(owner)), ResourcePolicy: named(policy.Allow, "", userARN(owner))},
			want:   policy.Decision{Allowed: true, Reason: policy.AllowedByResource, Source: policy.ResourcePolicy, Index: 2},
			text:   `may call bedrock-agentcore:InvokeGateway on ` + gatewayARN + `: statement 3 of the resource policy allows it.`,
		},
		"Root": {
			reason: "Nothing allows the root user: it just may.",
			call:   policy.Call{Caller: policy.Root(owner)},
			want:   policy.Decision{Allowed: true, Reason: policy.AllowedByIdentity, Source: policy.IdentityPolicy},
			text:   `may call bedrock-agentcore:InvokeGateway on ` + gatewayARN + `: the root user may do everything in its own account.`,
		},
		"ServiceControlDeny": {
			reason: "A deny is named by its level.",
			call:   policy.Call{Caller: caller, SCPs: [][]*policy.Document{{document(policy.Allow)}, {silent, named(policy.Deny, "No")}}},
			want:   policy.Decision{Reason: policy.ExplicitDeny, Source: policy.ServiceControl, Policy: 1, Index: 2},
			text:   `may not call bedrock-agentcore:InvokeGateway on ` + gatewayARN + `: statement "No" of a service control policy of level 2 denies it.`,
		},
		"ServiceControlSilent": {
			reason: "A silent level too.",
			call:   policy.Call{Caller: caller, SCPs: [][]*policy.Document{{document(policy.Allow)}, {silent}}},
			want:   policy.Decision{Reason: policy.NoSCPAllow, Source: policy.ServiceControl, Policy: 1},
			text:   `may not call bedrock-agentcore:InvokeGateway on ` + gatewayARN + `: the service control policies of level 2 do not allow it.`,
		},
		"BoundaryDeny": {
			reason: "There is one boundary.",
			call:   policy.Call{Caller: caller, Boundary: document(policy.Deny)},
			want:   policy.Decision{Reason: policy.ExplicitDeny, Source: policy.PermissionsBoundary},
			text:   `may not call bedrock-agentcore:InvokeGateway on ` + gatewayARN + `: statement 1 of the permissions boundary denies it.`,
		},
		"BoundarySilent": {
			reason: "The boundary is the last to be asked.",
			call: policy.Call{
				Caller: caller, ResourcePolicy: document(policy.Allow, other), Identity: []*policy.Document{document(policy.Allow)}, Boundary: silent,
			},
			want: policy.Decision{Reason: policy.NoBoundaryAllow, Source: policy.PermissionsBoundary},
			text: `may not call bedrock-agentcore:InvokeGateway on ` + gatewayARN + `: the caller's permissions boundary does not allow it.`,
		},
		"IdentitySilent": {
			reason: "The side that is silent.",
			call:   policy.Call{Caller: caller, ResourcePolicy: document(policy.Allow, other)},
			want:   policy.Decision{Reason: policy.NoIdentityAllow, Source: policy.IdentityPolicy},
			text:   `may not call bedrock-agentcore:InvokeGateway on ` + gatewayARN + `: no identity policy of the caller allows it.`,
		},
		"ResourceSilent": {
			reason: "Of two silent sides, the one that is asked first.",
			call:   policy.Call{Caller: caller},
			want:   policy.Decision{Reason: policy.NoResourceAllow, Source: policy.ResourcePolicy},
			text:   `may not call bedrock-agentcore:InvokeGateway on ` + gatewayARN + `: no statement of the resource policy allows it.`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.call.Action, tc.call.Resource = invoke, gatewayARN
			got := policy.Evaluate(tc.call)
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreUnexported(policy.Decision{}), cmpopts.IgnoreFields(policy.Decision{}, "Statement")); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(fmt.Sprint(tc.call.Caller, " ", tc.text), got.String()); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			decides := got.Allowed && tc.call.Caller.Kind != policy.RootUser || got.Reason == policy.ExplicitDeny
			if (got.Statement != nil) != decides {
				t.Errorf("%s\nStatement: %v", tc.reason, got.Statement)
			}
		})
	}
}

func TestEvaluateIsSafeForConcurrentUse(t *testing.T) {
	resource := fullPolicy(100)
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			call := policy.Call{
				Caller: policy.Root(rootARN(i)[13:25]), Action: invoke, Resource: gatewayARN, ResourcePolicy: resource,
				Context: map[string][]string{"aws:SourceVpce": {"vpce-0123456789abcdef0"}},
			}
			if d := policy.Evaluate(call); !d.Allowed {
				t.Error(d)
			}
			if !policy.Equal(resource, fullPolicy(100)) {
				t.Error("not equal")
			}
		})
	}
	group.Wait()
}

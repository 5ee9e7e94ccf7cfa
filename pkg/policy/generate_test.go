package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// generator makes calls whose policies are dense in what could matter for them:
// few accounts, principals and keys, and values that mostly come from the call.
// oddities collects the names of the rare things that a call has and that not
// everyone decides alike; see differential_test.go. A plain generator makes the
// same call of the same seed without them.
type generator struct {
	*rand.Rand
	call     policy.Call
	plain    bool
	oddities map[string]bool
	aside    *generator // whose dice decide what is odd, and nothing else
}

func newGenerator(seed uint64) *generator {
	aside := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
	return &generator{Rand: rand.New(rand.NewPCG(seed, 0)), oddities: map[string]bool{}, aside: aside}
}

// chance is true in p of 100 cases.
func (g *generator) chance(p int) bool { return g.IntN(100) < p }

func pick[T any](g *generator, choices ...T) T { return choices[g.IntN(len(choices))] }

// odd names something odd that the call has from now on, unless it is to be
// plain.
func (g *generator) odd(name string) bool {
	if !g.plain {
		g.oddities[name] = true
	}
	return !g.plain
}

// makeCall makes one call with all of its policies.
func (g *generator) makeCall() policy.Call {
	g.call = policy.Call{
		Caller: g.caller(), Action: pick(g, invoke, invoke, invoke, "bedrock-agentcore:GetGateway"),
		Resource: gatewayARN, ResourceAccount: owner, Context: g.context(),
	}
	if g.chance(85) {
		g.call.ResourcePolicy = g.document(1+g.IntN(4), true)
	}
	if k := g.call.Caller.Kind; k == policy.IAMUser || k == policy.RoleSession {
		for range g.IntN(3) {
			g.call.Identity = append(g.call.Identity, g.document(1+g.IntN(3), false))
		}
		if g.chance(40) {
			g.call.Identity = append(g.call.Identity, allowAll())
		}
		if g.chance(40) {
			g.call.Boundary = g.guardrail()
		}
	}
	if g.call.Caller.Account != "" && g.chance(30) {
		for range 1 + g.IntN(2) {
			g.call.SCPs = append(g.call.SCPs, []*policy.Document{g.guardrail()})
		}
	}
	return g.call
}

func allowAll() *policy.Document {
	return &policy.Document{Version: policy.Version2012, Statements: []policy.Statement{
		{Effect: policy.Allow, Action: values{"*"}, Resource: values{"*"}},
	}}
}

// guardrail mostly allows.
func (g *generator) guardrail() *policy.Document {
	d := g.document(1+g.IntN(2), false)
	if g.chance(60) {
		d.Statements = append(d.Statements, allowAll().Statements...)
	}
	return d
}

func (g *generator) caller() policy.Caller {
	account := pick(g, owner, other)
	switch g.IntN(12) {
	case 0:
		return policy.Root(account)
	case 1:
		return policy.Service("lambda.amazonaws.com")
	case 2:
		return policy.Caller{}
	case 3, 4, 5:
		return policy.User(userARN(account))
	default:
		caller := policy.Role(pick(g, roleARN(account), "arn:aws:iam::"+account+":role/Worker"), pick(g, "s1", "s2"))
		caller.UniqueID = "AROAEXAMPLE"
		return caller
	}
}

// contextKeys are the keys that conditions are made about, with what they may
// hold.
var contextKeys = []struct {
	name, kind string
	values     []string
}{
	{"aws:SourceVpc", "string", values{"vpc-1", "vpc-2", "VPC-1", "v*c"}},
	{"aws:SourceVpce", "string", values{"vpce-1", "vpce-2"}},
	{"aws:PrincipalOrgID", "string", values{"o-abcdefghij", "o-klmnopqrst"}},
	{"aws:PrincipalTag/Team", "string", values{"blue", "red", "Blue"}},
	{"aws:PrincipalTag/Key", "binary", values{"QUJD", "QUJE", "qujd", "QQ=="}},
	{"aws:SourceAccount", "string", values{owner, other}},
	{"aws:SourceArn", "arn", values{gatewayARN, "arn:aws:s3:::bucket/a:b", "arn:aws:lambda:us-east-1:444455556666:function:f:p"}},
	{"aws:SourceIp", "address", values{"10.1.2.3", "192.0.2.7", "2001:db8:1::5"}},
	{"aws:CurrentTime", "date", values{"2026-11-23T00:00:00Z", "2026-01-01T12:30:00Z", "2027-06-30T23:59:59Z"}},
	{"aws:MultiFactorAuthAge", "number", values{"10", "300", "3600"}},
	{"aws:SecureTransport", "boolean", values{"true", "false"}},
	{"aws:PrincipalOrgPaths", "strings", values{"o-a/r-1/ou-1/", "o-a/r-1/ou-2/", "o-a/r-1/ou-1/ou-3/", "o-b/r-2/ou-4/"}},
	{"aws:TagKeys", "strings", values{"Team", "team", "Stage", "Cost"}},
	{"aws:PrincipalArn", "arn", values{userARN(owner), roleARN(owner), roleARN(other)}},
	{"aws:PrincipalAccount", "string", values{owner, other}},
	{"aws:username", "string", values{"bob", "alice"}},
	{"aws:userid", "string", values{"AROAEXAMPLE:s1", "AROAEXAMPLE:s2"}},
}

// context gives most keys a value, but those that follow from the caller.
func (g *generator) context() map[string][]string {
	context := map[string][]string{}
	for _, key := range contextKeys {
		derived := strings.HasPrefix(key.name, "aws:Principal") && key.kind != "strings" &&
			key.name != "aws:PrincipalOrgID" && !strings.HasPrefix(key.name, "aws:PrincipalTag/") || strings.HasPrefix(key.name, "aws:user")
		if derived || g.chance(30) {
			continue
		}
		held := values{pick(g, key.values...)}
		if key.kind == "strings" {
			for range g.IntN(3) {
				held = append(held, pick(g, key.values...))
			}
			if g.chance(2) && g.odd("empty value") {
				held = values{""}
			}
		}
		name := key.name
		if g.chance(20) {
			name = g.recase(name)
		}
		context[name] = held
	}
	return context
}

func (g *generator) recase(text string) string {
	return pick(g, strings.ToLower, strings.ToUpper)(text)
}

func (g *generator) document(statements int, resourceBased bool) *policy.Document {
	d := &policy.Document{Version: policy.Version2012}
	if g.chance(1) && g.odd("old version") {
		d.Version = policy.Version2008
	}
	for i := range statements {
		s := policy.Statement{Effect: policy.Allow}
		if g.chance(50) {
			s.Sid = fmt.Sprintf("S%d", i)
		}
		if g.chance(15) {
			s.Effect = policy.Deny
		}
		g.action(&s)
		g.resource(&s)
		if resourceBased {
			g.principal(&s)
		}
		if conditions := pick(g, 0, 0, 1, 1, 1, 2); s.Effect == policy.Deny || conditions > 0 {
			s.Condition = g.condition(max(1, conditions))
		}
		d.Statements = append(d.Statements, s)
	}
	return d
}

func (g *generator) action(s *policy.Statement) {
	actions := values{pick(g, invoke, invoke, "bedrock-agentcore:*", "bedrock-agentcore:Invoke*", "*", "BEDROCK-AGENTCORE:invokegateway",
		"bedrock-agentcore:?nvokeGateway", "bedrock-agentcore:*Gateway", "bedrock-agentcore:GetGateway", "s3:GetObject")}
	if g.chance(20) {
		actions = append(actions, "s3:GetObject")
	}
	if g.chance(10) {
		s.NotAction = actions
		return
	}
	s.Action = actions
}

func (g *generator) resource(s *policy.Statement) {
	const prefix = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/"
	resources := values{pick(g, gatewayARN, gatewayARN, gatewayARN, "*", prefix+"*", prefix+"gw-?", prefix+"g*1",
		"arn:aws:bedrock-agentcore:*:*:gateway/gw-*", "arn:aws:bedrock-agentcore:us-*:1111*3333:*", "arn:aws:bedrock-agentcore:*",
		prefix+"gw-2", prefix+"GW-1", "arn:aws:bedrock-agentcore:eu-*:111122223333:gateway/*", prefix+"gw-${aws:MultiFactorAuthAge}",
		prefix+"${aws:PrincipalTag/Team, 'gw-1'}", prefix+"gw-${aws:SourceVpc, '1'}")}
	if g.chance(1) && g.odd("empty default") {
		resources = values{prefix + "gw-1${aws:SourceVpc, ''}"}
	}
	if g.chance(1) && g.odd("star over fields") {
		resources = values{"arn:aws:bedrock-agentcore:*:gateway/gw-1"}
	}
	if g.chance(20) {
		resources = append(resources, prefix+"gw-3")
	}
	if g.chance(10) {
		s.NotResource = resources
		return
	}
	s.Resource = resources
}

func (g *generator) principal(s *policy.Statement) {
	caller := g.call.Caller
	account := caller.Account
	if account == "" || g.chance(15) {
		account = pick(g, owner, other)
	}
	who := &policy.Principals{}
	if caller.Account != "" && g.chance(40) {
		who.AWS = values{pick(g, caller.PrincipalARN, caller.String())}
	}
	for range 1 + g.IntN(2) {
		who.AWS = append(who.AWS, pick(g, account, "arn:aws:iam::"+account+":root", userARN(account), roleARN(account),
			"arn:aws:iam::"+account+":role/Worker", sessionARN(account), "arn:aws:sts::"+account+":assumed-role/Worker/s2", "777788889999"))
	}
	switch g.IntN(10) {
	case 0:
		who = &policy.Principals{Everyone: true}
	case 1:
		who = &policy.Principals{AWS: values{"*"}}
	case 2:
		who.Service = values{pick(g, "lambda.amazonaws.com", "s3.amazonaws.com")}
	}
	negated := 5
	if s.Effect == policy.Deny {
		negated = 25
	}
	if g.chance(negated) && !who.Everyone && !slices.Contains(who.AWS, "*") {
		s.NotPrincipal = who
		return
	}
	s.Principal = who
}

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/access"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

const accountC = "555566667777" // calls, too

// estate is two gateways, callers of three accounts, and policies drawn at random.
type estate struct {
	*world
	*rand.Rand

	gateways []gatewayConfig
	callers  []string          // ARNs of roles and users
	profiles map[string]string // by ARN
}

func newEstate(t *testing.T, seed uint64) *estate {
	t.Helper()
	e := &estate{world: newWorld(t), Rand: rand.New(rand.NewPCG(seed, 0)), profiles: map[string]string{}}
	t.Setenv("POLICY_CALL_RATE", "1000") // the stand-in has no rate
	e.must(e.directory.AddAccount(accountC))
	for _, name := range []string{"first", "second"} {
		e.done("gateway", "create", "--name", name, "--role-arn", roleARN, "--lambda-arn", echoARN, "--config", name+".json")
		config, err := readGatewayConfig(name + ".json")
		e.must(err)
		e.gateways = append(e.gateways, *config)
	}
	for _, c := range []struct{ account, path, name string }{
		{accountA, "/", "AppRole"},
		{accountB, "/", "Agent1"},
		{accountB, "/team/", "Agent2"},
		{accountC, "/", "Agent1"},
	} {
		arn, profile := e.caller(c.account, c.path, c.name, allowAll)
		e.callers, e.profiles[arn] = append(e.callers, arn), profile
	}
	user, err := e.directory.CreateUser(accountB, "/", "alice")
	e.must(err)
	e.callers, e.profiles[user.ARN] = append(e.callers, user.ARN), e.profile(user.ARN)
	return e
}

func pick[T any](e *estate, choices ...T) T { return choices[e.IntN(len(choices))] }

// redraw draws every policy again: grants that are applied, statements of others,
// grants that are not applied yet, and what the callers' own sides say.
func (e *estate) redraw() {
	for _, row := range e.rows() {
		_, err := e.grants.Delete(e.t.Context(), row.Key)
		e.must(err)
	}
	for _, gateway := range e.gateways {
		if e.policyText(gateway.GatewayARN) != "" {
			e.must(e.model.DeleteResourcePolicy(inA, gateway.GatewayARN))
		}
	}
	e.drawGrants()
	e.run("reconcile", "*")
	for _, gateway := range e.gateways {
		if e.IntN(3) > 0 {
			e.drawForeign(gateway.GatewayARN)
		}
	}
	if e.IntN(3) == 0 {
		e.drawGrants()
	}
	for _, arn := range e.callers {
		e.must(e.directory.PutPolicy(arn, "identity", e.identity()))
	}
}

func (e *estate) drawGrants() {
	for range 1 + e.IntN(4) {
		attributes := grant.Attributes{
			grant.AttrGateway: pick(e, e.gateways[0].GatewayARN, e.gateways[1].GatewayARN, grant.EveryGateway),
			grant.AttrGrant:   "g" + strconv.Itoa(e.IntN(5)),
			grant.AttrPrincipal: pick(e, accountB, accountC, "arn:aws:iam::"+accountB+":role/Agent1", "arn:aws:iam::"+accountB+":role/team/Agent*",
				"arn:aws:iam::"+accountB+":role/*", "arn:aws:iam::"+accountB+":user/alice", "arn:aws:iam::"+accountC+":role/Gone", "ou-abcd-11112222"),
		}
		switch e.IntN(4) {
		case 0:
			attributes[grant.AttrExpires] = e.now().Add(pick(e, -time.Hour, time.Hour)).UTC().Format(time.RFC3339)
		case 1:
			attributes[grant.AttrConditions] = map[string]any{"sourceIp": []any{pick(e, "127.0.0.0/8", "10.0.0.0/8")}}
		}
		e.must(e.grants.Put(e.t.Context(), attributes, false))
	}
}

func (e *estate) condition() policy.Condition {
	return pick(e,
		nil, nil,
		policy.Condition{"IpAddress": {"aws:SourceIp": {pick(e, "127.0.0.0/8", "10.0.0.0/8")}}},
		policy.Condition{"ArnLike": {"aws:PrincipalArn": {pick(e, "arn:aws:iam::*:role/Agent*", "arn:aws:iam::"+accountB+":role/team/*")}}},
		policy.Condition{"StringNotEquals": {"aws:PrincipalAccount": {pick(e, accountA, accountB)}}},
		policy.Condition{"StringEquals": {"aws:SourceVpce": {"vpce-0123456789abcdef0"}}},
		policy.Condition{"DateLessThan": {"aws:CurrentTime": {pick(e, "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z")}}},
	)
}

// drawForeign adds statements of others to a gateway's policy, as far as AWS takes them.
func (e *estate) drawForeign(arn string) {
	stored, err := e.model.GetResourcePolicy(inA, arn)
	e.must(err)
	var old []policy.Statement
	if stored != "" {
		old = e.parse(stored).Statements
	}
	for n := range 1 + e.IntN(3) {
		s := policy.Statement{
			Sid: "Foreign" + strconv.Itoa(n), Effect: pick(e, policy.Allow, policy.Allow, policy.Deny),
			Principal: &policy.Principals{AWS: []string{pick(e, accountB, accountC, e.callers[1], e.callers[2], e.callers[4])}},
			Action:    []string{pick(e, plan.Action, plan.Action, "bedrock-agentcore:*", "bedrock-agentcore:InvokeAgentRuntime")},
			Resource:  []string{arn}, Condition: e.condition(),
		}
		if e.IntN(4) == 0 {
			s.Principal = &policy.Principals{Everyone: true}
		}
		changed := append(append([]policy.Statement{}, old...), s)
		if _, err := e.model.PutResourcePolicy(inA, arn, document(changed...).String()); err == nil {
			old = changed
		}
	}
}

// identity is what a caller's own side says.
func (e *estate) identity() *policy.Document {
	var statements []policy.Statement
	if e.IntN(3) > 0 {
		statements = append(statements, policy.Statement{Effect: policy.Allow, Action: []string{"*"}, Resource: []string{"*"}})
	}
	for range e.IntN(3) {
		statements = append(statements, policy.Statement{
			Effect: pick(e, policy.Allow, policy.Allow, policy.Allow, policy.Deny), Action: []string{pick(e, "*", plan.Action, "bedrock-agentcore:*", "s3:*")},
			Resource: []string{pick(e, "*", e.gateways[0].GatewayARN, e.gateways[1].GatewayARN)}, Condition: e.condition(),
		})
	}
	return document(statements...)
}

// called makes a real call, and tells what was decided of it.
func (e *estate) called(gateway gatewayConfig, arn string) policy.Decision {
	e.t.Helper()
	got := e.run("invoke", gateway.GatewayURL, "--profile", e.profiles[arn])
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.decided.Allowed != (got.code == exitDone) {
		e.t.Fatalf("%s: exit %d, decided %s\n%s%s", arn, got.code, e.decided, got.out, got.err)
	}
	return e.decided
}

// answers runs access for one caller.
func (e *estate) answers(gateway, arn, asNamed string) []accessText {
	e.t.Helper()
	got := e.done("access", gateway, "--principal", asNamed, "--source-ip", "127.0.0.1", "--caller-profile", e.profiles[arn], "-o", "json")
	var texts []accessText
	e.must(json.Unmarshal([]byte(got.out), &texts))
	return texts
}

// asSession is the ARN of the caller's session, as sts get-caller-identity prints it.
func asSession(arn string) string {
	parsed, _ := policy.ParseIAMARN(arn)
	if strings.HasPrefix(parsed.Resource, "user/") {
		return arn
	}
	return "arn:aws:sts::" + parsed.Account + ":assumed-role/" + arn[strings.LastIndex(arn, "/")+1:] + "/session"
}

func propertySeed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("ACCESS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ACCESS_SEED=%d", seed)
	return seed
}

func TestAccessAgreesWithRealCalls(t *testing.T) {
	pairs := 2000
	if testing.Short() {
		pairs = 100
	}
	seed := propertySeed(t)
	e := newEstate(t, seed)
	seen := map[string]int{}
	for tried := 0; tried < pairs && !t.Failed(); {
		e.redraw()
		rows := map[string][]callerRow{}
		for _, gateway := range e.gateways {
			var listed []callerRow
			e.must(json.Unmarshal([]byte(e.done("access", gateway.GatewayARN, "-o", "json").out), &listed))
			rows[gateway.GatewayARN] = listed
		}
		for _, arn := range e.callers {
			everywhere := map[string]accessText{}
			for _, text := range e.answers("*", arn, arn) {
				everywhere[text.Gateway] = text
			}
			for _, gateway := range e.gateways {
				tried++
				decided := e.called(gateway, arn)
				text := everywhere[gateway.GatewayARN]
				seen[string(text.Access)+" "+string(text.Side)+" "+string(decided.Reason)]++
				where := fmt.Sprintf("ACCESS_SEED=%d, pair %d: %s on %s\npolicy %s", seed, tried, arn, gateway.GatewayID, e.policyText(gateway.GatewayARN))
				if want := verdictOf(decided); text.Access != want || text.Side != sideThatDenied(decided) {
					t.Errorf("%s\naccess says %s by %q, and the call was decided: %s", where, text.Access, text.Side, decided)
				}
				if e.IntN(4) == 0 {
					one := e.answers(gateway.GatewayARN, arn, pick(e, arn, asSession(arn)))
					if diff := cmp.Diff([]accessText{text}, one); diff != "" {
						t.Errorf("%s\naccess --principal, and the same with the gateway: -want +got\n%s", where, diff)
					}
				}
				if problem := disagreement(rows[gateway.GatewayARN], text, arn); problem != "" {
					t.Errorf("%s\n%s", where, problem)
				}
			}
		}
	}
	t.Logf("%v", seen)
	for _, outcome := range []string{"Allowed  AllowedByBoth", "Denied gateway NoResourceAllow", "Denied gateway ExplicitDeny", "Denied caller NoIdentityAllow", "Denied caller ExplicitDeny"} {
		if seen[outcome] == 0 && !testing.Short() {
			t.Errorf("no pair was %s: the draw is too narrow", outcome)
		}
	}
}

func verdictOf(d policy.Decision) access.Verdict {
	if d.Allowed {
		return access.Allowed
	}
	return access.Denied
}

func sideThatDenied(d policy.Decision) access.Side {
	switch {
	case d.Allowed:
		return ""
	case d.Source == policy.ResourcePolicy:
		return access.GatewaySide
	default:
		return access.CallerSide
	}
}

// disagreement says how the list of a gateway's callers contradicts what is said of
// one caller; "" for not. The list does not know where a call comes from.
func disagreement(rows []callerRow, text accessText, arn string) string {
	allows, only := false, true
	for _, row := range rows {
		named, _ := policy.ParseIAMARN(row.Principal)
		if !row.InPolicy || row.Principal != plan.Everyone && !(plan.Access{Who: named}).Means(policy.Caller{PrincipalARN: arn}) {
			continue
		}
		allows = allows || row.Access != access.Denied
		only = only && (row.Access != access.Allowed || row.Under != "")
	}
	side := text.GatewaySide
	switch {
	case side.Access == access.Allowed && !allows && side.Reason == string(policy.AllowedByBoth):
		return "the gateway's side allows the caller, and the list has no row that does"
	case side.Access == access.Denied && !only:
		return "the gateway's side denies the caller (" + side.Why + "), and a row of the list allows it without a condition"
	}
	return ""
}

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

const gatewayARN = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij"

func TestAGrantIsTheRowThatItsFlagsSay(t *testing.T) {
	const admin = "arn:aws:sts::111122223333:assumed-role/AdminRole/session"
	tests := []struct {
		reason string
		args   []string
		want   grant.Key
		grants string // in words
		follow grant.Follow
		why    string
	}{
		{
			reason: "an account, on a gateway by its ARN",
			args:   []string{gatewayARN, "444455556666"},
			want:   grant.Key{Gateway: gatewayARN, ID: "444455556666"}, grants: "444455556666", follow: grant.FollowName,
		},
		{
			reason: "an id is that of the caller's own gateway",
			args:   []string{"tools-abcdefghij", "444455556666"},
			want:   grant.Key{Gateway: gatewayARN, ID: "444455556666"}, grants: "444455556666", follow: grant.FollowName,
		},
		{
			reason: "an account's root is the account",
			args:   []string{gatewayARN, "arn:aws:iam::444455556666:root"},
			want:   grant.Key{Gateway: gatewayARN, ID: "444455556666"}, grants: "444455556666", follow: grant.FollowName,
		},
		{
			reason: "a role of an account, with an end and a reason",
			args:   []string{gatewayARN, "444455556666", "--role", "team/AgentRole", "--expires", "2099-01-31", "--reason", "ticket 7"},
			want:   grant.Key{Gateway: gatewayARN, ID: "444455556666:role/team/AgentRole"},
			grants: "444455556666:role/team/AgentRole until 2099-02-01T00:00:00Z", why: "ticket 7",
		},
		{
			reason: "an OU on every gateway, with exclusions",
			args:   []string{"*", "ou-abcd-11112222/direct", "--role", "Agent*", "--exclude", "ou-abcd-33334444", "--exclude", "777788889999"},
			want:   grant.Key{Gateway: "*", ID: "ou-abcd-11112222/direct:role/Agent*"},
			grants: "ou-abcd-11112222/direct:role/Agent* except 777788889999, ou-abcd-33334444", follow: grant.FollowName,
		},
		{
			reason: "a role followed by name, from certain places, under an id of its own",
			args: []string{
				gatewayARN, "arn:aws:iam::444455556666:role/AgentRole", "--id", "mine", "--follow", "name",
				"--source-vpce", "vpce-0123456789abcdef0", "--source-ip", "198.51.100.7", "--source-ip", "203.0.113.0/24",
			},
			want:   grant.Key{Gateway: gatewayARN, ID: "mine"},
			grants: "444455556666:role/AgentRole from vpce-0123456789abcdef0 and 198.51.100.7 or 203.0.113.0/24", follow: grant.FollowName,
		},
		{
			reason: "a tag",
			args:   []string{"*", "tag:Team=search agents"},
			want:   grant.Key{Gateway: "*", ID: "tag:Team=search agents"}, grants: "tag:Team=search agents", follow: grant.FollowName,
		},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			w := newWorld(t)
			w.done(append([]string{"grant"}, test.args...)...)
			rows := w.rows()
			if len(rows) != 1 || rows[0].Grant == nil {
				t.Fatalf("rows %v, want a valid one", rows)
			}
			got := rows[0]
			if got.Key != test.want || describe(got) != test.grants {
				t.Errorf("row %s grants %s, want %s to grant %s", got.Key, describe(got), test.want, test.grants)
			}
			if got.Grant.Follow != test.follow || got.Grant.Reason != test.why || got.Grant.RequestedBy != admin {
				t.Errorf("follows by %s because %q for %s, want %s because %q for %s", got.Grant.Follow, got.Grant.Reason, got.Grant.RequestedBy, test.follow, test.why, admin)
			}
		})
	}
}

func TestInvalidGrantIsRefusedInOneLine(t *testing.T) {
	tests := []struct {
		reason string
		args   []string
		want   string
	}{
		{"no principal", []string{"grant"}, "gateway-grants: grant takes an optional GATEWAY and PRINCIPALs, and was given 0 arguments: see gateway-grants grant --help"},
		{"a session", []string{"grant", gatewayARN, "arn:aws:sts::444455556666:assumed-role/AgentRole/session"}, "gateway-grants: nothing was granted (SessionPrincipal): read principal \"arn:aws:sts::444455556666:assumed-role/AgentRole/session\": this names one session; write its role instead: arn:aws:iam::444455556666:role/AgentRole (with the role's path, if it has one)"},
		{"everyone", []string{"grant", gatewayARN, "*"}, "gateway-grants: nothing was granted (InvalidPrincipal): read principal \"*\": a gateway is never opened to everyone; name an account, a role, a role pattern within one account, an OU or the organization"},
		{"a date that is none", []string{"grant", gatewayARN, "444455556666", "--expires", "tomorrow"}, "gateway-grants: nothing was granted (InvalidExpiry): read expires \"tomorrow\": write a date such as 2027-01-31 (to its end, UTC) or a time such as 2027-01-31T18:00:00Z"},
		{"a date that has passed", []string{"grant", gatewayARN, "444455556666", "--expires", "2020-01-01"}, "gateway-grants: the grant would have expired at 2020-01-02T00:00:00Z: write a later --expires"},
		{"an exclusion from one account", []string{"grant", gatewayARN, "444455556666", "--exclude", "777788889999"}, "gateway-grants: nothing was granted (InvalidExclude): read exclude: exclude applies to an OU, the organization or a tag; this grant names its principal exactly"},
		{"a VPC endpoint that is none", []string{"grant", gatewayARN, "444455556666", "--source-vpce", "vpc-1"}, "gateway-grants: nothing was granted (InvalidCondition): read conditions sourceVpce \"vpc-1\": write values such as vpce-0123456789abcdef0"},
		{"an id that is the product's", []string{"grant", gatewayARN, "444455556666", "--id", "#meta"}, "gateway-grants: nothing was granted (InvalidGrantID): read grant \"#meta\": a grant's id is 1 to 256 printable characters and does not begin with #: write the row again under another id"},
		{"an ARN of something else", []string{"grant", "arn:aws:lambda:us-east-1:111122223333:function:echo", "444455556666"}, "gateway-grants: \"arn:aws:lambda:us-east-1:111122223333:function:echo\" is not the ARN of a gateway: write arn:aws:bedrock-agentcore:REGION:ACCOUNT:gateway/ID"},
		{"a gateway with a space in it", []string{"grant", "my gateway", "444455556666"}, "gateway-grants: \"my gateway\" names no gateway: write its ARN, its id or its name"},
		{"no gateway, and no file", []string{"grant", "444455556666"}, "gateway-grants: no gateway is named and there is no gateway_config.json: name one by its ARN, id or name"},
		{"a flag that is none", []string{"grant", gatewayARN, "444455556666", "--until", "2027"}, "gateway-grants: unknown flag: --until: see gateway-grants grant --help"},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			w := newWorld(t)
			got := w.run(test.args...)
			if diff := cmp.Diff(said{code: exitError, err: test.want + "\n"}, got, cmp.AllowUnexported(said{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if rows := w.rows(); len(rows) > 0 {
				t.Errorf("written: %v", rows)
			}
		})
	}
}

func TestRepeatedGrantWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.done("grant", gatewayARN, "444455556666", "--role", "AgentRole", "--reason", "first")
	first := w.rows()[0]

	tests := []struct {
		reason  string
		args    []string
		code    int
		says    string
		changed bool
	}{
		{"the same", []string{"444455556666", "--role", "AgentRole"}, exitDone, "Already granted, nothing to do: 444455556666:role/AgentRole", false},
		{"the same in other words", []string{"arn:aws:iam::444455556666:role/AgentRole", "--follow", "identity"}, exitDone, "Already granted", false},
		{"the same for another reason", []string{"444455556666", "--role", "AgentRole", "--reason", "second"}, exitError, "choose another --id, or write over it with --replace", false},
		{"the same but not for ever", []string{"444455556666", "--role", "AgentRole", "--expires", "2099-01-01"}, exitError, "444455556666:role/AgentRole grants something else already (444455556666:role/AgentRole)", false},
		{"the same, to be replaced", []string{"444455556666", "--role", "AgentRole", "--replace"}, exitDone, "Already granted", false},
		{"another, to be replaced", []string{"444455556666", "--role", "AgentRole", "--expires", "2099-01-01", "--replace"}, exitDone, "Granted 444455556666:role/AgentRole until 2099-01-02T00:00:00Z", true},
	}
	for _, test := range tests {
		got := w.run(append([]string{"grant", gatewayARN}, test.args...)...)
		if got.code != test.code || !strings.Contains(got.out+got.err, test.says) {
			t.Errorf("%s: exit %d, want %d saying %q\n%s%s", test.reason, got.code, test.code, test.says, got.out, got.err)
		}
		rows := w.rows()
		if changed := len(rows) != 1 || rows[0].Revision != first.Revision; changed != test.changed {
			t.Errorf("%s: changed the table: %t, want %t: %v", test.reason, changed, test.changed, rows)
		}
	}
}

func TestAnInvalidRowIsNotTheSameGrant(t *testing.T) {
	w := newWorld(t)
	w.must(w.grants.Put(t.Context(), grant.Attributes{
		grant.AttrGateway: gatewayARN, grant.AttrGrant: "444455556666", grant.AttrPrincipal: "444455556666", "condition": "misspelt",
	}, true))
	if got := w.run("grant", gatewayARN, "444455556666"); got.code != exitError || !strings.Contains(got.err, "an invalid row") {
		t.Errorf("exit %d\n%s", got.code, got.err)
	}
	w.done("grant", gatewayARN, "444455556666", "--replace")
	if rows := w.rows(); rows[0].Fault != nil {
		t.Errorf("still invalid: %v", rows[0].Fault)
	}
}

func TestAnIDOfItsOwnStaysWithinItsLimit(t *testing.T) {
	long := strings.Repeat("path/", 100)
	parse := func(role string) *grant.Grant {
		row := grant.Parse(grant.Attributes{
			grant.AttrGateway: "*", grant.AttrGrant: "x", grant.AttrPrincipal: "444455556666", grant.AttrRole: role,
		})
		if row.Fault != nil {
			t.Fatal(row.Fault)
		}
		return row.Grant
	}
	one, other := idFor(parse(long+"One")), idFor(parse(long+"Other"))
	if one == other || len([]rune(one)) > maxID || one != idFor(parse(long+"One")) {
		t.Errorf("ids %q and %q", one, other)
	}
	row := grant.Parse(grant.Attributes{grant.AttrGateway: "*", grant.AttrGrant: one, grant.AttrPrincipal: "444455556666"})
	if row.Fault != nil {
		t.Error(row.Fault)
	}
}

func TestAMomentIsUTC(t *testing.T) {
	at := time.Date(2027, 1, 31, 20, 0, 0, 0, time.FixedZone("", 2*60*60))
	if got := moment(at); got != "2027-01-31T18:00:00Z" {
		t.Error(got)
	}
}

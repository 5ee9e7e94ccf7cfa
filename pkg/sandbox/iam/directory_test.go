package iam_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

const (
	accountA = "111122223333"
	accountB = "444455556666"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func newDirectory(t *testing.T) *iam.Directory {
	t.Helper()
	d := iam.NewDirectory(func() time.Time { return noon })
	for _, account := range []string{accountA, accountB} {
		if err := d.AddAccount(account); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func parse(t *testing.T, text string) *policy.Document {
	t.Helper()
	document, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func role(t *testing.T, d *iam.Directory, account, path, name, trust string) iam.Principal {
	t.Helper()
	p, err := d.CreateRole(account, path, name, parse(t, trust))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const trustNobody = `{"Version":"2012-10-17","Statement":[]}`

func trusting(principals string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":` + principals + `},"Action":"sts:AssumeRole"}]}`
}

func TestASessionIsNamedAsAWSNamesIt(t *testing.T) {
	d := newDirectory(t)
	agent := role(t, d, accountB, "/team/agents/", "Agent", trustNobody)
	key, err := d.StartSession(agent.ARN, "run-1", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	want := iam.Caller{
		Account:      accountB,
		ARN:          "arn:aws:sts::444455556666:assumed-role/Agent/run-1",
		PrincipalARN: "arn:aws:iam::444455556666:role/team/agents/Agent",
		UserID:       agent.UniqueID + ":run-1",
		Kind:         iam.KindAssumedRole,
	}
	if diff := cmp.Diff(want, key.Caller); diff != "" {
		t.Errorf("caller (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(key.ID, "ASIA") || len(key.ID) != 20 || key.SessionToken == "" || !key.Expires.Equal(noon.Add(time.Hour)) {
		t.Errorf("key = %+v", key)
	}
	if !strings.HasPrefix(agent.UniqueID, "AROA") || len(agent.UniqueID) != 21 {
		t.Errorf("unique id = %s", agent.UniqueID)
	}
	found, err := d.AccessKey(t.Context(), key.ID)
	if diff := cmp.Diff(key, found); err != nil || diff != "" {
		t.Errorf("found %v (-want +got):\n%s", err, diff)
	}
}

func TestARoleCreatedAgainIsAnotherRole(t *testing.T) {
	d := newDirectory(t)
	first := role(t, d, accountB, "", "Agent", trustNobody)
	if err := d.PutPolicy(first.ARN, "all", parse(t, allowAll)); err != nil {
		t.Fatal(err)
	}
	key, err := d.StartSession(first.ARN, "s1", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Delete(first.ARN); err != nil {
		t.Fatal(err)
	}
	if id, err := d.UniqueID(first.ARN); id != "" || err != nil {
		t.Errorf("unique id of a deleted role = %q, %v", id, err)
	}
	if _, err := d.AccessKey(t.Context(), key.ID); !errors.Is(err, iam.ErrNotFound) {
		t.Errorf("its session's key: %v, want ErrNotFound", err)
	}
	second := role(t, d, accountB, "", "Agent", trustNobody)
	if second.ARN != first.ARN || second.UniqueID == first.UniqueID {
		t.Errorf("first %+v, second %+v: want the same ARN and another unique id", first, second)
	}
	if _, err := d.IdentityPolicies(t.Context(), key.Caller); !errors.Is(err, iam.ErrNotFound) {
		t.Errorf("policies of the first role's session: %v, want ErrNotFound", err)
	}
}

func TestUniqueIDOfExistingPrincipals(t *testing.T) {
	d := newDirectory(t)
	agent := role(t, d, accountB, "/x/", "Agent", trustNobody)
	ada, err := d.CreateUser(accountA, "", "ada")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		agent.ARN:                              agent.UniqueID,
		ada.ARN:                                ada.UniqueID,
		"arn:aws:iam::111122223333:root":       accountA,
		"arn:aws:iam::999999999999:root":       "",
		"arn:aws:iam::444455556666:role/Agent": "", // without its path it is no role
		"arn:aws:iam::444455556666:role/x/":    "",
		"":                                     "",
	}
	for arn, want := range cases {
		if got, err := d.UniqueID(arn); got != want || err != nil {
			t.Errorf("UniqueID(%s) = %q, %v; want %q", arn, got, err, want)
		}
	}
}

func TestANameIsTakenOncePerAccount(t *testing.T) {
	d := newDirectory(t)
	role(t, d, accountA, "/x/", "Agent", trustNobody)
	if _, err := d.CreateRole(accountA, "/y/", "AGENT", nil); !errors.Is(err, iam.ErrExists) {
		t.Errorf("the same role name at another path: %v, want ErrExists", err)
	}
	role(t, d, accountB, "/x/", "Agent", trustNobody)
	if _, err := d.CreateUser(accountA, "", "Agent"); err != nil {
		t.Errorf("a user of a role's name: %v", err)
	}
	if _, err := d.CreateRole("999999999999", "", "Agent", nil); !errors.Is(err, iam.ErrNotFound) {
		t.Errorf("a role in no account: %v, want ErrNotFound", err)
	}
	if err := d.AddAccount("12"); err == nil {
		t.Error("an account of two digits was added")
	}
}

const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

func TestIdentityPoliciesAreThoseOfTheCallersRole(t *testing.T) {
	d := newDirectory(t)
	agent := role(t, d, accountB, "", "Agent", trustNobody)
	first, second := parse(t, allowAll), parse(t, trustNobody)
	for name, document := range map[string]*policy.Document{"b": second, "a": first, "c": first} {
		if err := d.PutPolicy(agent.ARN, name, document); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.DeletePolicy(agent.ARN, "c"); err != nil {
		t.Fatal(err)
	}
	key, err := d.StartSession(agent.ARN, "s1", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.IdentityPolicies(t.Context(), key.Caller)
	if err != nil || !slices.Equal(got, []*policy.Document{first, second}) {
		t.Errorf("policies = %v, %v; want those named a and b", got, err)
	}
	root, err := d.CreateRootAccessKey(accountB)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.IdentityPolicies(t.Context(), root.Caller); len(got) != 0 || err != nil {
		t.Errorf("policies of root = %v, %v; want none", got, err)
	}
}

func TestAssumeRoleAsksBothSides(t *testing.T) {
	const assumeAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`
	cases := map[string]struct {
		reason        string
		account       string // of the caller; the role is in account A
		trust, policy string
		want          bool
	}{
		"AccountTrusted":            {"the account is trusted and its user may", accountA, trusting(`"arn:aws:iam::111122223333:root"`), assumeAll, true},
		"AccountTrustedUserMayNot":  {"trusting an account leaves the choice to it", accountA, trusting(`"arn:aws:iam::111122223333:root"`), trustNobody, false},
		"UserTrusted":               {"naming a user of the same account is enough", accountA, trusting(`"arn:aws:iam::111122223333:user/ada"`), trustNobody, true},
		"NotTrusted":                {"a role is assumed only by a principal that it trusts", accountA, trusting(`"arn:aws:iam::444455556666:root"`), allowAll, false},
		"OtherAccount":              {"across accounts", accountB, trusting(`"arn:aws:iam::444455556666:root"`), assumeAll, true},
		"OtherAccountNamedMayNot":   {"across accounts both must allow", accountB, trusting(`"arn:aws:iam::444455556666:user/ada"`), trustNobody, false},
		"OtherAccountNotTrusted":    {"across accounts both must allow", accountB, trusting(`"arn:aws:iam::111122223333:root"`), assumeAll, false},
		"ServiceTrustedIsNotAUser":  {"a service is not a user", accountA, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`, allowAll, false},
		"TrustDeniesWhatItAllowsTo": {"an explicit deny wins", accountA, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"},{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:user/ada"},"Action":"sts:AssumeRole"}]}`, allowAll, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(t)
			target := role(t, d, accountA, "", "Target", tc.trust)
			ada, err := d.CreateUser(tc.account, "", "ada")
			if err != nil {
				t.Fatal(err)
			}
			if err := d.PutPolicy(ada.ARN, "p", parse(t, tc.policy)); err != nil {
				t.Fatal(err)
			}
			own, err := d.CreateAccessKey(ada.ARN)
			if err != nil {
				t.Fatal(err)
			}
			key, err := d.AssumeRole(t.Context(), own.Caller, target.ARN, "session", time.Hour)
			if got := err == nil; got != tc.want {
				t.Fatalf("%s: AssumeRole = %v, want allowed: %v", tc.reason, err, tc.want)
			}
			if tc.want && key.Caller.ARN != "arn:aws:sts::111122223333:assumed-role/Target/session" {
				t.Errorf("session = %s", key.Caller.ARN)
			}
		})
	}
}

func TestASessionsNameAndLifetimeAreChecked(t *testing.T) {
	d := newDirectory(t)
	agent := role(t, d, accountB, "", "Agent", trustNobody)
	cases := map[string]struct {
		session  string
		lifetime time.Duration
		want     bool
	}{
		"ok":       {"a@b.c", 15 * time.Minute, true},
		"short":    {"a", time.Hour, false},
		"blank":    {"a b", time.Hour, false},
		"brief":    {"ok", 15*time.Minute - time.Second, false},
		"too long": {"ok", 12*time.Hour + time.Second, false},
	}
	for name, tc := range cases {
		if _, err := d.StartSession(agent.ARN, tc.session, tc.lifetime); (err == nil) != tc.want {
			t.Errorf("%s: %v, want accepted: %v", name, err, tc.want)
		}
	}
	if _, err := d.StartSession("arn:aws:iam::444455556666:role/Nobody", "ok", time.Hour); !errors.Is(err, iam.ErrNotFound) {
		t.Errorf("session of no role: %v, want ErrNotFound", err)
	}
}

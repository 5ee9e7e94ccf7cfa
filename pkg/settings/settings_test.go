package settings_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// all is everything that a function or a command may read.
type all struct {
	Tables  settings.Tables
	Bus     string
	Limits  plan.Limits
	Reach   settings.Reach
	Minutes int
	Level   slog.Level
}

func read(source settings.Source) (all, error) {
	r := settings.NewReader(source)
	return all{r.Tables(), r.Bus(), r.Limits(), r.Reach(), r.SweepMinutes(), r.LogLevel()}, r.Err()
}

func in(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { text, given := values[name]; return text, given }
}

// defaults are what is read where nothing is set.
func defaults() all {
	return all{
		Tables: settings.Tables{Grants: "gateway-grants", Accounts: "gateway-grants-accounts", States: "gateway-grants-state"},
		Bus:    "gateway-grants", Limits: plan.DefaultLimits(), Reach: settings.Reach{PolicyRate: 5}, Minutes: 60,
	}
}

var valid = []struct {
	reason  string
	setting settings.Setting
	text    string
	change  func(*all)
}{
	{"blank means the default", settings.GrantsTable, " ", func(*all) {}},
	{"a name", settings.GrantsTable, "team.grants", func(a *all) { a.Tables.Grants = "team.grants" }},
	{"a name", settings.AccountsTable, "acc", func(a *all) { a.Tables.Accounts = "acc" }},
	{"blanks around it mean nothing", settings.StateTable, " state\n", func(a *all) { a.Tables.States = "state" }},
	{"a name", settings.EventBus, "team/bus", func(a *all) { a.Bus = "team/bus" }},
	{"an ARN", settings.EventBus, "arn:aws:events:us-east-1:111122223333:event-bus/x", func(a *all) { a.Bus = "arn:aws:events:us-east-1:111122223333:event-bus/x" }},
	{"an id", settings.Installation, "dev2", func(a *all) { a.Limits.Installation = "dev2" }},
	{"the default, in full", settings.SizeAccounting, "expanded", func(*all) {}},
	{"the other one", settings.SizeAccounting, "submitted", func(a *all) { a.Limits.Accounting = plan.SubmittedSize }},
	{"the default, in full", settings.Mode, "enforce", func(*all) {}},
	{"the other one", settings.Mode, "observe", func(a *all) { a.Limits.Observe = true }},
	{"empty means none", settings.TrustedAccounts, "", func(*all) {}},
	{"one account", settings.TrustedAccounts, "777788889999", func(a *all) { a.Limits.Trusted = []string{"777788889999"} }},
	{
		"blanks, empty places and repetitions mean nothing", settings.TrustedAccounts, " 777788889999, 999999999999,,777788889999 ",
		func(a *all) { a.Limits.Trusted = []string{"777788889999", "999999999999"} },
	},
	{"an owner is one to all readers", settings.OwnerAccounts, "111122223333", func(a *all) {
		a.Limits.Owners, a.Reach.Owners = []string{"111122223333"}, []string{"111122223333"}
	}},
	{"regions of any partition", settings.GatewayRegions, "us-east-1, us-gov-west-1", func(a *all) {
		a.Limits.Regions, a.Reach.Regions = []string{"us-east-1", "us-gov-west-1"}, []string{"us-east-1", "us-gov-west-1"}
	}},
	{"an id", settings.OwnerExternalID, "a-secret", func(a *all) { a.Reach.ExternalID = "a-secret" }},
	{"each instance has its share", settings.PolicyCallShares, "5", func(a *all) { a.Reach.PolicyRate = 1 }},
	{"a fraction", settings.PolicyCallRate, "0.5", func(a *all) { a.Reach.PolicyRate = 0.5 }},
	{"as few as there are", settings.SweepMinutes, "1", func(a *all) { a.Minutes = 1 }},
	{"a day", settings.SweepMinutes, "1440", func(a *all) { a.Minutes = 1440 }},
	{"a level", settings.LogLevel, "ERROR", func(a *all) { a.Level = slog.LevelError }},
	{"in any case", settings.LogLevel, "debug", func(a *all) { a.Level = slog.LevelDebug }},
}

func TestSettingAsVariableAndFlag(t *testing.T) {
	for _, c := range valid {
		want := defaults()
		c.change(&want)
		for name, source := range sourcesOf(c.setting, c.text) {
			got, err := read(source)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s=%q (%s): %v, -want +got\n%s", name, c.text, c.reason, err, diff)
			}
		}
	}
}

// sourcesOf give a setting in each way in which it can be given, by its name there.
func sourcesOf(s settings.Setting, text string) map[string]settings.Source {
	none := settings.Variables(in(nil))
	variable := settings.Variables(in(map[string]string{s.Variable: text}))
	sources := map[string]settings.Source{s.Variable: variable}
	if s.Flag != "" {
		sources["--"+s.Flag] = settings.Flags(in(map[string]string{s.Flag: text}), none)
	}
	return sources
}

var invalid = []struct {
	setting settings.Setting
	text    string
	says    string // after the setting's name
}{
	{settings.GrantsTable, "no", `: "no" is not valid: write the name of a table: 3 to 255 letters, digits and _.-`},
	{settings.AccountsTable, "arn:aws:dynamodb:us-east-1:111122223333:table/x", `: "arn:aws:dynamodb:us-east-1:111122223333:table/x" is not valid: write the name of a table: 3 to 255 letters, digits and _.-`},
	{settings.StateTable, "a table", `: "a table" is not valid: write the name of a table: 3 to 255 letters, digits and _.-`},
	{settings.EventBus, "a bus", `: "a bus" is not valid: write the name or ARN of an event bus`},
	{settings.Installation, "Not-This", `: "Not-This" is not valid: write 1 to 16 lower-case letters and digits, because it goes into statement ids`},
	{settings.SizeAccounting, "guessed", `: "guessed" is not valid: write expanded or submitted`},
	{settings.Mode, "off", `: "off" is not valid: write enforce or observe`},
	{settings.TrustedAccounts, "777788889999, 11112222333", `: "11112222333" is not valid: write 12-digit account ids, with commas between them`},
	{settings.OwnerAccounts, "777788889999 999999999999", `: "777788889999 999999999999" is not valid: write 12-digit account ids, with commas between them`},
	{settings.GatewayRegions, "everywhere", `: "everywhere" is not valid: write regions such as us-east-1, with commas between them`},
	{settings.OwnerRole, "arn:aws:iam::111122223333:role/Owner", `: "arn:aws:iam::111122223333:role/Owner" is not valid: write the name of a role, with its path if it has one`},
	{settings.OwnerExternalID, "x", `: "x" is not valid: write at least 2 letters, digits and +=,.@:/-`},
	{settings.PolicyCallRate, "0", `: "0" is not valid: write a number above 0 and up to 1000, such as 5 or 0.5`},
	{settings.PolicyCallShares, "many", `: "many" is not valid: write a number above 0 and up to 1000, such as 5 or 0.5`},
	{settings.SweepMinutes, "0", `: "0" is not valid: write 1 to 1440`},
	{settings.SweepMinutes, "1441", `: "1441" is not valid: write 1 to 1440`},
	{settings.SweepMinutes, "1.5", `: "1.5" is not valid: write 1 to 1440`},
	{settings.LogLevel, "LOUD", `: "LOUD" is not valid: write DEBUG, INFO, WARN or ERROR`},
}

func TestBadSettingHasOneMessage(t *testing.T) {
	refused := make(map[string]bool)
	for _, c := range invalid {
		refused[c.setting.Variable] = true
		for name, source := range sourcesOf(c.setting, c.text) {
			if c.setting.Variable == settings.OwnerRole.Variable {
				source = owned(source)
			}
			_, err := read(source)
			failure, _ := errors.AsType[*grant.Error](err)
			if failure == nil || failure.Code != settings.CodeInvalid || failure.Hint != name+c.says {
				t.Errorf("%s=%q: %v\nwant %s", name, c.text, err, name+c.says)
			}
		}
	}
	for _, s := range append(settings.Shared(), settings.PolicyCallRate, settings.PolicyCallShares, settings.SweepMinutes, settings.LogLevel) {
		if !refused[s.Variable] {
			t.Errorf("no case refuses a %s", s.Variable)
		}
	}
}

// owned names an owner account, without which no role is valid.
func owned(source settings.Source) settings.Source {
	return func(s settings.Setting) (string, string, bool) {
		if s.Variable == settings.OwnerAccounts.Variable {
			return "111122223333", s.Variable, true
		}
		return source(s)
	}
}

func TestRoleNeedsOwnerAccounts(t *testing.T) {
	for name, source := range sourcesOf(settings.OwnerRole, "team/Owner") {
		owners := settings.OwnerAccounts.Variable
		if strings.HasPrefix(name, "--") {
			owners = "--" + settings.OwnerAccounts.Flag
		}
		want := name + " is set, so " + owners + " must name the accounts that have the role"
		if _, err := read(source); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
		got, err := read(owned(source))
		if deployment := agentcore.Deployment(got.Reach); deployment.Role != "team/Owner" || err != nil {
			t.Errorf("%s: %+v, %v", name, deployment, err)
		}
	}
}

func TestEverythingWrongIsReportedOnce(t *testing.T) {
	variables := map[string]string{"TRUSTED_ACCOUNTS": "11112222333,x", "GATEWAY_REGIONS": "everywhere", "LOG_LEVEL": "LOUD"}
	_, err := read(settings.Variables(in(variables)))
	for _, part := range []string{`TRUSTED_ACCOUNTS: "11112222333"`, `TRUSTED_ACCOUNTS: "x"`, `GATEWAY_REGIONS: "everywhere"`, `LOG_LEVEL: "LOUD"`} {
		if err == nil || strings.Count(err.Error(), part) != 1 {
			t.Errorf("%v\ndoes not hold %s once", err, part)
		}
	}
}

func TestFlagOverridesVariable(t *testing.T) {
	variables := settings.Variables(in(map[string]string{"TRUSTED_ACCOUNTS": "777788889999"}))
	cases := map[string]struct {
		reason string
		source settings.Source
		want   []string
		given  bool
	}{
		"variable alone": {"the command line says nothing else", settings.Flags(in(nil), variables), []string{"777788889999"}, true},
		"another value":  {"the command line is nearer", settings.Flags(in(map[string]string{"trusted-accounts": "999999999999"}), variables), []string{"999999999999"}, true},
		"none":           {"an empty flag names none", settings.Flags(in(map[string]string{"trusted-accounts": ""}), variables), nil, true},
		"neither":        {"nothing is known of trust", settings.Flags(in(nil), settings.Variables(in(nil))), nil, false},
	}
	for name, c := range cases {
		r := settings.NewReader(c.source)
		if diff := cmp.Diff(c.want, r.Limits().Trusted); diff != "" || r.TrustGiven() != c.given {
			t.Errorf("%s (%s): given %t, -want +got\n%s", name, c.reason, r.TrustGiven(), diff)
		}
	}
}

func TestSettingsOfStackAndFunctions(t *testing.T) {
	stack := settings.Stack{
		Name: "team-b", Account: "111122223333", Region: "eu-west-1",
		Outputs: map[string]string{
			"GrantsTableName": "team-b", "AccountsTableName": "team-b-accounts", "StateTableName": "team-b-state",
			"InstallationId": "b", "EventBusArn": "arn:aws:events:eu-west-1:111122223333:event-bus/team-b",
		},
		Parameters: map[string]string{
			"SizeAccounting": "submitted", "Mode": "observe", "TrustedAccounts": "", "OwnerAccounts": "", "GatewayRegions": "", "OwnerRoleName": "Owner", "OwnerExternalId": "id",
		},
	}
	want := defaults()
	want.Tables = settings.Tables{Grants: "team-b", Accounts: "team-b-accounts", States: "team-b-state"}
	want.Bus = "arn:aws:events:eu-west-1:111122223333:event-bus/team-b"
	want.Limits.Installation, want.Limits.Accounting, want.Limits.Observe = "b", plan.SubmittedSize, true
	want.Limits.Owners, want.Limits.Regions = []string{"111122223333"}, []string{"eu-west-1"}
	want.Reach.Owners, want.Reach.Regions, want.Reach.Role, want.Reach.ExternalID = want.Limits.Owners, want.Limits.Regions, "Owner", "id"
	got, err := read(stack.Source())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got\n%s", err, diff)
	}
	if r := settings.NewReader(stack.Source()); !r.TrustGiven() {
		t.Error("the stack says that no account is trusted, and that counts as unknown")
	}
	if !stack.IsDeployment() {
		t.Error("not recognised")
	}
	delete(stack.Outputs, "StateTableName")
	if stack.IsDeployment() {
		t.Error("a stack without a state table is taken for a deployment")
	}
}

func TestBlankVariableUsesStack(t *testing.T) {
	stack := settings.Stack{Parameters: map[string]string{"TrustedAccounts": "777788889999"}}
	for text, want := range map[string]string{"": "777788889999", "999999999999": "999999999999"} {
		source := settings.Otherwise(settings.Variables(in(map[string]string{"TRUSTED_ACCOUNTS": text})), stack.Source())
		if got := settings.NewReader(source).Limits().Trusted; !cmp.Equal(got, []string{want}) {
			t.Errorf("TRUSTED_ACCOUNTS=%q: trusted %v, want %s", text, got, want)
		}
	}
}

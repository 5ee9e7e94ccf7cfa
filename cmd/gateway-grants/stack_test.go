package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// stackServer answers DescribeStacks as CloudFormation does.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
type stackServer struct {
	stacks map[string]string // the XML of each member, by name
	denied bool
	asked  int
}

// add adds a deployment with the parameters that differ from the template's.
func (s *stackServer) add(name string, parameters map[string]string) {
	all := map[string]string{
		"SizeAccounting": "expanded", "Mode": "enforce", "TrustedAccounts": "", "OwnerAccounts": "", "GatewayRegions": "", "OwnerRoleName": "", "OwnerExternalId": "",
	}
	maps.Copy(all, parameters)
	var text strings.Builder
	fmt.Fprintf(&text, "<member><StackName>%s</StackName><StackId>arn:aws:cloudformation:%s:%s:stack/%s/1</StackId><CreationTime>2026-11-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>", name, region, accountA, name)
	for _, output := range [][2]string{
		{"GrantsTableName", name},
		{"AccountsTableName", name + "-accounts"},
		{"StateTableName", name + "-state"},
		{"InstallationId", strings.ReplaceAll(name, "-", "")[:4]},
		{"EventBusArn", "arn:aws:events:" + region + ":" + accountA + ":event-bus/" + name},
	} {
		if name == "gateway-grants" && output[0] == "InstallationId" {
			output[1] = "main"
		}
		fmt.Fprintf(&text, "<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>", output[0], output[1])
	}
	text.WriteString("</Outputs><Parameters>")
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "<member><ParameterKey>%s</ParameterKey><ParameterValue>%s</ParameterValue></member>", key, all[key])
	}
	text.WriteString("</Parameters></member>")
	s.put(name, text.String())
}

func (s *stackServer) put(name, xml string) {
	if s.stacks == nil {
		s.stacks = map[string]string{}
	}
	s.stacks[name] = xml
}

func (s *stackServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked++
	w.Header().Set("Content-Type", "text/xml")
	fail := func(status int, code, message string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, message)
	}
	if s.denied {
		fail(http.StatusForbidden, "AccessDenied", "User: x is not authorized to perform: cloudformation:DescribeStacks")
		return
	}
	names := slices.Sorted(maps.Keys(s.stacks))
	if only := r.FormValue("StackName"); only != "" {
		if s.stacks[only] == "" {
			fail(http.StatusBadRequest, "ValidationError", "Stack with id "+only+" does not exist")
			return
		}
		names = []string{only}
	}
	// One to a page, so that no reader stops at the first.
	next := 0
	if token := r.FormValue("NextToken"); token != "" {
		next = slices.Index(names, token)
	}
	fmt.Fprint(w, "<DescribeStacksResponse><DescribeStacksResult><Stacks>")
	if next < len(names) {
		fmt.Fprint(w, s.stacks[names[next]])
	}
	fmt.Fprint(w, "</Stacks>")
	if next+1 < len(names) {
		fmt.Fprintf(w, "<NextToken>%s</NextToken>", names[next+1])
	}
	fmt.Fprint(w, "</DescribeStacksResult></DescribeStacksResponse>")
}

// used are the tables and the bus that a command line opens.
type used struct {
	settings.Tables

	Bus string
}

func (w *world) used(args ...string) (used, said) {
	w.t.Helper()
	var u used
	var out, errs strings.Builder
	p := &program{
		in: strings.NewReader(""), out: &out, err: &errs, clock: w.clock(),
		open: func(_ aws.Config, names settings.Tables) opened {
			u.Tables = names
			return opened{grants: w.grants, states: w.states, directory: w.accounts}
		},
		notices: func(_ aws.Config, bus string) reconcile.Notices {
			u.Bus = bus
			return w.bus
		},
	}
	code := p.run(w.t.Context(), args)
	return u, said{code, out.String(), errs.String()}
}

func TestACommandKnowsTheDeploymentByItsStack(t *testing.T) {
	const two = "us-east-1 has more than one deployment of Gateway Grants (gateway-grants, team-b): name one with --stack or GATEWAY_GRANTS_STACK"
	const byDefault = ", so the settings are those of flags, variables and defaults\n"
	named := func(name string) used {
		return used{
			settings.Tables{Grants: name, Accounts: name + "-accounts", States: name + "-state"},
			"arn:aws:events:us-east-1:111122223333:event-bus/" + name,
		}
	}
	defaults := used{named("gateway-grants").Tables, "gateway-grants"}
	mine := used{settings.Tables{Grants: "mine", Accounts: "team-b-accounts", States: "team-b-state"}, named("team-b").Bus}
	tests := []struct {
		reason string
		before func(t *testing.T, w *world)
		args   []string
		want   used
		says   string // on stderr
		fails  bool
	}{
		{reason: "the only stack", before: func(_ *testing.T, w *world) {
			w.stacks = stackServer{}
			w.stacks.put("another", "<member><StackName>another</StackName><CreationTime>2026-11-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus></member>")
			w.stacks.add("team-b", nil)
		}, want: named("team-b")},
		{reason: "one of two, by flag", before: second, args: []string{"--stack", "team-b"}, want: named("team-b")},
		{reason: "one of two, by variable", before: func(t *testing.T, w *world) {
			t.Helper()
			second(t, w)
			t.Setenv(stackVariable, "team-b")
		}, want: named("team-b")},
		{reason: "one of two, not named", before: second, says: two, fails: true},
		{reason: "a stack of another kind", before: func(_ *testing.T, w *world) {
			w.stacks.put("another", "<member><StackName>another</StackName><CreationTime>2026-11-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus></member>")
		}, args: []string{"--stack", "another"}, says: "stack another in us-east-1 is no deployment of Gateway Grants", fails: true},
		{reason: "no such stack", args: []string{"--stack", "typo"}, says: "there is no stack typo in us-east-1 of this account", fails: true},
		{reason: "a flag goes before the stack", before: second, args: []string{"--stack", "team-b", "--grants-table", "mine"}, want: mine},
		{reason: "a variable goes before the stack", before: func(t *testing.T, w *world) {
			t.Helper()
			second(t, w)
			t.Setenv("GRANTS_TABLE", "mine")
		}, args: []string{"--stack", "team-b"}, want: mine},
		{reason: "no stack", before: func(_ *testing.T, w *world) { w.stacks = stackServer{} }, want: defaults, says: "Note: there is no stack of Gateway Grants in us-east-1" + byDefault},
		{reason: "no right to see stacks", before: denied, want: defaults, says: "Note: AWS denies cloudformation:DescribeStacks" + byDefault},
		{reason: "no right to see the stack that is named", before: denied, args: []string{"--stack", "team-b"}, says: "AWS denies this: ", fails: true},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			w := newWorld(t)
			w.created()
			if test.before != nil {
				test.before(t, w)
			}
			got, ended := w.used(append([]string{"plan"}, test.args...)...)
			if test.fails != (ended.code == exitError) || !strings.Contains(ended.err, test.says) || test.says == "" && ended.err != "" || strings.Count(ended.err, "\n") > 1 {
				t.Errorf("exit %d, said %q, want %q", ended.code, ended.err, test.says)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func second(_ *testing.T, w *world) { w.stacks.add("team-b", nil) }
func denied(_ *testing.T, w *world) { w.stacks.denied = true }

func TestUnneededStackIsNotRead(t *testing.T) {
	w := newWorld(t)
	w.created()
	w.done("version")
	w.done("invoke")
	w.done("grant", accountB, "--grants-table", "gateway-grants", "--state-table", "gateway-grants-state")
	if w.stacks.asked > 0 {
		t.Errorf("asked %d times", w.stacks.asked)
	}
}

func TestInstallationDecidesByItsStack(t *testing.T) {
	w := newWorld(t)
	w.stacks = stackServer{}
	w.stacks.add("gateway-grants", map[string]string{"GatewayRegions": "eu-west-1"})
	w.created()
	if got := w.done("plan"); !strings.Contains(got.out, "us-east-1 is not among the regions of the deployment (NotListed)") {
		t.Errorf("said\n%s", got.out)
	}
}

// CloudFormation as moto has it, which the local cloud serves.
func TestADeploymentIsFoundByTheSDKsOwnWords(t *testing.T) {
	config := cloudtest.Moto(t).Config(accountA, region)
	client := cloudformation.NewFromConfig(config)
	for name, outputs := range map[string]string{
		"another": `"GrantsTableName":{"Value":"other"}`,
		"team-b": `"GrantsTableName":{"Value":"team-b"},"AccountsTableName":{"Value":"team-b-accounts"},"StateTableName":{"Value":"team-b-state"},` +
			`"InstallationId":{"Value":"b"},"EventBusArn":{"Value":"arn:aws:events:us-east-1:111122223333:event-bus/team-b"}`,
	} {
		template := `{"Parameters":{"OwnerAccounts":{"Type":"String","Default":""}},"Resources":{"Topic":{"Type":"AWS::SNS::Topic"}},"Outputs":{` + outputs + `}}`
		if _, err := client.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: &template}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"", "team-b"} {
		found, err := deploymentsIn(t.Context(), config, name)
		if err != nil || len(found) != 1 || found[0].Name != "team-b" || found[0].Account != accountA || found[0].Region != region || found[0].Outputs["InstallationId"] != "b" {
			t.Errorf("named %q: %+v, %v", name, found, err)
		}
	}
	if _, err := deploymentsIn(t.Context(), config, "typo"); err == nil || !strings.Contains(err.Error(), "there is no stack typo in us-east-1") {
		t.Errorf("a stack that there is not: %v", err)
	}
}

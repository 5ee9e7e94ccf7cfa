package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/selftest"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// tested is a world in which what is granted is applied, as by the deployed functions.
type tested struct {
	*world

	organization string // "" where it may not be read
	roles        map[string]bool
	recorded     bool // CloudTrail records what is asked for
	onSleep      func(slept int)
	slept        int
}

func newTested(t *testing.T, quirks ...model.Quirk) *tested {
	t.Helper()
	return &tested{world: newWorld(t, quirks...), organization: "o-abcdefghij", roles: map[string]bool{}, recorded: true}
}

// atOnce reconciles whenever the table changes, as its stream has functions do.
type atOnce struct {
	grantsTable
	w *world
}

func (a atOnce) Put(ctx context.Context, attributes grant.Attributes, onlyIfNew bool) error {
	err := a.grantsTable.Put(ctx, attributes, onlyIfNew)
	a.w.run("reconcile", attributes[grant.AttrGateway].(string))
	return err
}

func (a atOnce) Delete(ctx context.Context, key grant.Key) (bool, error) {
	existed, err := a.grantsTable.Delete(ctx, key)
	if existed {
		a.w.run("reconcile", key.Gateway)
	}
	return existed, err
}

// sleep moves the clock, and sweeps every half minute of it.
func (w *tested) sleep(ctx context.Context, d time.Duration) error {
	w.slept++
	if w.onSleep != nil {
		w.onSleep(w.slept)
	}
	if w.slept%15 == 0 {
		w.run("reconcile", "*")
	}
	return w.world.sleep(ctx, d)
}

func (w *tested) beyond() beyond {
	return beyond{
		roleOf: func(context.Context, aws.Config, identity) string {
			return "arn:aws:iam::" + accountB + ":role/AdminRole"
		},
		of: func(aws.Config, aws.Config) selftest.Beyond {
			return selftest.Beyond{
				Organization: func(context.Context) (string, error) {
					if w.organization == "" {
						return "", errors.New("AWS denies this")
					}
					return w.organization, nil
				},
				CreateRole: func(_ context.Context, name string) (string, error) {
					made, err := w.directory.CreateRole(accountB, "/", name, w.parse(trustNobody))
					if err != nil {
						return "", err
					}
					w.roles[made.ARN] = true
					return made.ARN, nil
				},
				DeleteRole: func(_ context.Context, name string) error {
					arn := "arn:aws:iam::" + accountB + ":role/" + name
					if !w.roles[arn] {
						return nil
					}
					delete(w.roles, arn)
					return w.directory.Delete(arn)
				},
				Recorded: func(context.Context, string, time.Time) (bool, error) { return w.recorded, nil },
			}
		},
	}
}

// play runs the command in a context.
func (w *tested) play(ctx context.Context, arguments ...string) said {
	w.t.Helper()
	var out, failed bytes.Buffer
	p := &program{
		in: strings.NewReader(""), out: &out, err: &failed, clock: agentcore.Clock{Now: w.now, Sleep: w.sleep}, beyond: w.beyond(),
		open: func(aws.Config, settings.Tables) opened {
			return opened{grants: atOnce{w.grants, w.world}, states: w.states, directory: w.accounts}
		},
		notices: func(aws.Config, string) reconcile.Notices { return w.bus },
	}
	code := p.run(ctx, append([]string{"selftest", "--caller-profile", "account-b", "--role-arn", roleARN, "--lambda-arn", echoARN}, arguments...))
	return said{code, out.String(), failed.String()}
}

// selftest runs the command in a context, and gives its report.
func (w *tested) selftest(ctx context.Context, arguments ...string) (selftest.Report, said) {
	w.t.Helper()
	s := w.play(ctx, append([]string{"-o", "json"}, arguments...)...)
	var report selftest.Report
	if err := json.Unmarshal([]byte(s.out), &report); err != nil && s.out != "" {
		w.t.Fatalf("%v: %s", err, s.out)
	}
	return report, s
}

// leftovers are what is there after a run.
func (w *tested) leftovers() []string {
	w.t.Helper()
	var left []string
	gateways, _, err := w.model.ListGateways(model.Caller{Account: accountA}, model.Page{})
	w.must(err)
	for _, gateway := range gateways {
		left = append(left, gateway.Name)
	}
	for _, row := range w.rows() {
		left = append(left, row.String())
	}
	for arn := range w.roles {
		left = append(left, arn)
	}
	return left
}

func answerTo(t *testing.T, report selftest.Report, name string) selftest.Question {
	t.Helper()
	for _, q := range report.Questions {
		if q.Name == name {
			return q
		}
	}
	t.Fatalf("question %s was not put", name)
	return selftest.Question{}
}

// The answers are those of the stand-in, whichever it gives.
func TestSelftestFindsEveryQuirk(t *testing.T) {
	if testing.Short() {
		t.Skip("plays the story under every quirk: run by make test, not with -short")
	}
	byDefault := map[string]string{
		selftest.AskNoPolicy:     "get: 200 without a policy\ndelete: 404 ResourceNotFoundException",
		selftest.AskReturned:     "byte for byte",
		selftest.AskList:         "accepted",
		selftest.AskOrganization: "rejected: 400 ValidationException",
		selftest.AskSize:         "before: as submitted",
		selftest.AskUniqueID:     "another principal stands for the role: ",
		selftest.AskErrors:       "invalid JSON: rejected: 400 ValidationException",
		selftest.AskTrail:        "CreateGateway: recorded\nPutResourcePolicy: recorded\n",
	}
	flipped := map[model.Quirk]struct{ question, answer string }{
		model.GetWithoutPolicyNotFound:    {selftest.AskNoPolicy, "get: 404 ResourceNotFoundException"},
		model.DeleteWithoutPolicySucceeds: {selftest.AskNoPolicy, "get: 200 without a policy\ndelete: success"},
		model.SizeExpanded:                {selftest.AskSize, "after, or rejected: 400 ValidationException"},
		model.OrgWildcardAccepted:         {selftest.AskOrganization, "accepted"},
		model.WildcardAllowAccepted:       {selftest.AskOrganization, "accepted"},
		model.PrincipalListsRefused:       {selftest.AskList, "rejected: 400 ValidationException"},
		model.StaleIDsAccepted:            {selftest.AskUniqueID, "another principal stands for the role: "},
		model.PrincipalsNotPinned:         {selftest.AskUniqueID, "the role's ARN stays\nput again: rejected: 400"},
		model.AccountsAsARNs:              {selftest.AskReturned, "otherwise\nput: "},
		model.AccountsAsIDs:               {selftest.AskReturned, "otherwise\nput: "},
		model.StatementsReordered:         {selftest.AskReturned, "otherwise\nput: "},
		model.ScalarsAsLists:              {selftest.AskReturned, "otherwise\nput: "},
		model.ListsAsScalars:              {selftest.AskReturned, "otherwise\nput: "},
		model.WhitespaceChanged:           {selftest.AskReturned, "otherwise\nput: "},
	}
	played := map[string]model.Quirks{"none": nil}
	var all model.Quirks
	for _, quirk := range model.AllQuirks() {
		played[string(quirk.Quirk)] = model.Quirks{quirk.Quirk}
		if quirk.Quirk != model.PrincipalListsRefused && quirk.Quirk != model.ScalarsAsLists { // no document would pass
			all = append(all, quirk.Quirk)
		}
	}
	played["all of them"] = all
	for name, quirks := range played {
		t.Run(name, func(t *testing.T) {
			w := newTested(t, quirks...)
			report, s := w.selftest(t.Context())
			if s.code != exitDone || !report.Passed() || len(report.Steps) != 7 || len(report.Questions) != len(byDefault) {
				t.Fatalf("exit %d\n%s\n%s", s.code, report, s.err)
			}
			if left := w.leftovers(); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
			for question, want := range byDefault {
				for _, quirk := range quirks {
					if f, is := flipped[quirk]; is && f.question == question {
						want = f.answer
					}
				}
				if len(quirks) > 1 && (question == selftest.AskUniqueID || question == selftest.AskNoPolicy) {
					continue // several change it at once
				}
				if got := answerTo(t, report, question); !strings.HasPrefix(got.Answer, want) {
					t.Errorf("%s: got %q (open: %s), want %q", question, got.Answer, got.Open, want)
				}
			}
		})
	}
}

func TestAnInterruptedSelftestLeavesNothing(t *testing.T) {
	var interrupted int
	for nth := 1; ; nth += 1 + nth/2 { // the first requests of a run make the most
		ctx, cancel := context.WithCancel(t.Context())
		w := newTested(t)
		requests := 0
		w.asked = func(*http.Request) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			if requests++; requests == nth {
				cancel()
			}
			return false
		}
		report, s := w.selftest(ctx)
		cancel()
		if left := w.leftovers(); len(left) > 0 {
			t.Errorf("interrupted at request %d it left %v\n%s", nth, left, s.err)
		}
		if requests < nth {
			break // nothing was interrupted
		}
		interrupted++
		if s.code != exitError || s.out != "" && report.Failure != "interrupted" {
			t.Errorf("interrupted at request %d: exit %d, %s", nth, s.code, s.out)
		}
	}
	if interrupted < 5 {
		t.Errorf("only %d runs were interrupted", interrupted)
	}
}

func TestSelftestCleansLeftoversLater(t *testing.T) {
	w := newTested(t)
	w.asked = func(r *http.Request) bool {
		return r.Method == http.MethodDelete && strings.HasPrefix(r.URL.Path, "/gateways/")
	}
	report, s := w.selftest(t.Context(), "--trail-within", "0s")
	if s.code != exitError || len(report.Left) != 2 || report.Failure != "" {
		t.Fatalf("exit %d: %+v\n%s", s.code, report.Left, s.err)
	}
	command := strings.Fields(report.Left[1].Command)
	if len(w.leftovers()) != 2 || strings.Join(command[:5], " ") != "gateway-grants selftest --caller-profile account-b --clean" || !strings.Contains(report.Left[1].Why, "planted") {
		t.Errorf("left %v, and it says %+v", w.leftovers(), report.Left)
	}
	w.asked = nil
	if report, s := w.selftest(t.Context(), command[2:]...); s.code != exitDone || !report.Passed() || len(w.leftovers()) > 0 {
		t.Errorf("exit %d, left %v: %s", s.code, w.leftovers(), s.err)
	}
}

func TestASelftestReportsWhatGoesWrong(t *testing.T) {
	closed := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"bedrock-agentcore:InvokeGateway","Resource":"*"}]}`
	cases := map[string]struct {
		arguments []string
		plant     func(w *tested)
		want      string // of the report, or of standard error where there is none
	}{
		"a caller whose own side denies": {
			nil, func(w *tested) {
				w.must(w.directory.PutPolicy("arn:aws:iam::"+accountB+":role/AdminRole", "closed", w.parse(closed)))
			}, "call after a grant for the account: wanted SUCCESS, got 403",
		},
		"a caller that a grant for every gateway lets in": {
			nil, func(w *tested) { w.done("grant", "*", accountB) }, "wanted 403, got SUCCESS; grants for every gateway may let the caller in",
		},
		"no caller":               {[]string{"--caller-profile", ""}, nil, "name a profile of it with --caller-profile"},
		"a caller of the hub":     {[]string{"--caller-profile", "account-a"}, nil, "is in account 111122223333, as the gateways are"},
		"a name that is no run's": {[]string{"--clean", "tools"}, nil, `--clean "tools" is not the name of a run`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newTested(t)
			if c.plant != nil {
				c.plant(w)
			}
			before := len(w.leftovers())
			report, s := w.selftest(t.Context(), append([]string{"--within", "1m"}, c.arguments...)...)
			if s.code != exitError || !strings.Contains(report.Failure+s.err, c.want) {
				t.Errorf("exit %d, %q\n%s", s.code, report.Failure, s.err)
			}
			if left := w.leftovers(); len(left) != before {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestTheReportOfASelftestNamesNoAccount(t *testing.T) {
	w := newTested(t, model.AccountsAsARNs, model.OrgWildcardAccepted)
	report, _ := w.selftest(t.Context())
	report.Left = nil
	for _, own := range []string{w.organization, "AdminRole", "GatewayRole"} {
		if strings.Contains(report.String(), own) {
			t.Errorf("it names %s:\n%s", own, report)
		}
	}
}

package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/report"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// named is a world with a gateway that two accounts of an organization may call: B by
// its role, and one by its OU.
func named(t *testing.T, nameOfB string) (*world, gatewayConfig) {
	t.Helper()
	const other, unit = "555566667777", "ou-abcd-11112222"
	w := newWorld(t)
	w.must(w.directory.AddAccount(other))
	for id, name := range map[string]string{accountA: "Platform", accountB: nameOfB, other: "Search & Ads"} {
		account := directory.Account{ID: id, Name: directory.DisplayName(name), State: directory.StateActive, Organization: "o-exampleorgid", ReadAt: w.now()}
		if id == other {
			account.Path = []string{unit}
		}
		_, err := w.accounts.Write(t.Context(), account)
		w.must(err)
	}
	w.must(w.accounts.MarkSynced(t.Context(), w.now()))
	config := w.created()
	w.done("grant", accountB, "--role", "AgentRole", "--id", "agents")
	w.done("grant", unit, "--id", "unit")
	w.done("reconcile")
	return w, config
}

func TestAccountsAreShownByName(t *testing.T) {
	w, config := named(t, "Agents of B")
	var made report.Report
	w.must(json.Unmarshal([]byte(w.done("report", "-o", "json").out), &made))
	if made.Names[accountB] != "Agents of B" || made.Names["555566667777"] != "Search & Ads" || len(made.Names) != 2 {
		t.Errorf("the report names %v", made.Names)
	}
	for _, test := range []struct {
		reason string
		args   []string
		want   []string
	}{
		{"a row names the account of its principal", []string{"list"}, []string{"PRINCIPAL ", " NAME ", "444455556666 role/AgentRole  Agents of B  Admitted"}},
		{"also for other programs", []string{"list", "-o", "json"}, []string{`"accountName": "Agents of B"`}},
		{"a selector is the accounts that it means", []string{"access"}, []string{"arn:aws:iam::555566667777:root            Search & Ads  Allowed", "Agents of B"}},
		{"also for other programs", []string{"access", "-o", "json"}, []string{`"accountName": "Search & Ads"`}},
		{"the caller that is asked about", []string{"access", config.GatewayID, "--principal", accountB}, []string{": 444455556666 (Agents of B) on "}},
		{"also for other programs", []string{"access", config.GatewayID, "--principal", accountB, "-o", "json"}, []string{`"accountName": "Agents of B"`}},
		{"the grants of a gateway", []string{"describe", config.GatewayID}, []string{"444455556666 role/AgentRole  Agents of B  Admitted"}},
		{"the principals that a grant lets in", []string{"describe", "unit"}, []string{"  arn:aws:iam::555566667777:root (Search & Ads)\n"}},
		{"the account that a grant names", []string{"describe", "agents"}, []string{"Account:      Agents of B\n"}},
		{"a review in a spreadsheet", []string{"report", "-o", "csv"}, []string{",444455556666,Agents of B,arn:aws:iam::444455556666:role/AgentRole,granted,"}},
		{"a list of accounts", []string{"account", "list"}, []string{"ACCOUNT       NAME      LIST ", "111122223333  Platform  owner  Joined"}},
		{"a page", []string{"report"}, []string{`["555566667777","Search \u0026 Ads"]`}},
	} {
		got := w.done(test.args...)
		for _, part := range test.want {
			if !strings.Contains(got.out, part) {
				t.Errorf("%v: %s: lacks %q:\n%s", test.args, test.reason, part, got.out)
			}
		}
		if got.err != "" {
			t.Errorf("%v: said %s", test.args, got.err)
		}
	}
}

// An account is asked about by its name. What says who is let in takes no names.
func TestAnAccountIsAskedAboutByItsName(t *testing.T) {
	w, config := named(t, "Agents of B")
	for _, command := range [][]string{{"list"}, {"access"}, {"access", config.GatewayID}} {
		byName := w.done(append(command, "--principal", "agents OF b")...)
		if want := w.done(append(command, "--principal", accountB)...); byName != want || !strings.Contains(byName.out, "Agents of B") && command[0] == "list" {
			t.Errorf("%v: by the name %+v, by the id %+v", command, byName, want)
		}
	}
	twin := directory.Account{ID: "666677778888", Name: "Agents of B", State: directory.StateActive, Organization: "o-exampleorgid", ReadAt: w.now()}
	_, err := w.accounts.Write(t.Context(), twin)
	w.must(err)
	for _, refused := range []struct {
		reason string
		args   []string
		want   string
	}{
		{"two accounts of the name", []string{"list", "--principal", "Agents of B"}, `2 accounts are named "Agents of B": write the id of one: 444455556666, 666677778888`},
		{"also of a caller", []string{"access", "--principal", "Agents of B"}, `2 accounts are named "Agents of B": write the id of one: 444455556666, 666677778888`},
		{"no account of the name", []string{"list", "--principal", "Agents of C"}, `the directory has no account named "Agents of C": write the account's id, or the ARN of a role or user`},
		{"a name does not let in", []string{"grant", "Platform"}, `InvalidPrincipal`},
		{"a name does not revoke", []string{"revoke", "Platform"}, `Platform`},
	} {
		if got := w.run(refused.args...); got.code != exitError || got.out != "" || !strings.Contains(got.err, refused.want) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: %+v", refused.reason, got)
		}
	}
}

// The name of an account is whatever its owner calls it.
func TestAHostileNameIsShownHarmless(t *testing.T) {
	for reason, name := range map[string]string{
		"an escape that sets the title of a terminal": "\x1b]0;owned\a",
		"a C1 control that is an escape by itself":    "\u009b2J",
		"a mark that turns the text around":           "Tools\u202edewolla",
		"a formula":                                   `=HYPERLINK("https://example.com","x")`,
		"a formula behind spaces":                     "  +1+cmd|' /C calc'!A0",
		"a tag of HTML":                               "<script>window.hacked=1</script>",
		"another line":                                "Tools\nAllowed: everyone",
	} {
		w, config := named(t, name)
		for _, args := range [][]string{
			{"list"}, {"list", "-o", "json"}, {"list", "-o", "csv"}, {"access"}, {"access", "-o", "csv"}, {"access", "--principal", accountB, config.GatewayID},
			{"describe", config.GatewayID}, {"describe", "agents"}, {"report", "-o", "csv"}, {"report"},
		} {
			out := w.done(args...).out
			page := strings.HasPrefix(out, "<!DOCTYPE html>")
			if strings.ContainsAny(out, "\x1b\a\u009b\u202e") || strings.Contains(out, "\nAllowed: everyone") || page && strings.Contains(out, "<script>window") {
				t.Errorf("%v: %s:\n%.3000s", args, reason, out)
			}
			if args[len(args)-1] != "csv" {
				continue
			}
			rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
			w.must(err)
			for _, row := range rows {
				for _, cell := range row {
					if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
						t.Errorf("%v: %s: a cell is a formula: %q", args, reason, cell)
					}
				}
			}
		}
	}
}

// What rows hold was written by others, too.
func TestAHostileReasonIsShownHarmless(t *testing.T) {
	w := newWorld(t)
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": gatewayARN, "grant": "own\x1b]0;ed\a", "principal": accountB, "reason": "\x1b[2J"}, true))
	for _, args := range [][]string{{"list"}, {"describe", "own\x1b]0;ed\a"}} {
		if got := w.run(args...); strings.ContainsAny(got.out+got.err, "\x1b\a") || !strings.Contains(got.out, "own\ufffd]0;ed") {
			t.Errorf("%q: %q, %q", args, got.out, got.err)
		}
	}
}

// lookupFails is an accounts table that cannot be read.
type lookupFails struct{ directoryTable }

func (lookupFails) Lookup(context.Context, []grant.Principal, []string) (directory.Snapshot, error) {
	return directory.Failed(), errors.New("AccessDeniedException")
}

func TestRowsAreListedEvenIfNamesCannotBeRead(t *testing.T) {
	w, _ := named(t, "Agents of B")
	got := w.with(func(aws.Config, settings.Tables) opened {
		return opened{grants: w.grants, states: w.states, directory: lookupFails{w.accounts}}
	}, "list")
	if got.code != exitDone || !strings.Contains(got.out, "Admitted") || strings.Contains(got.out, "NAME") || !strings.HasPrefix(got.err, "Note: names of accounts are missing, as the accounts table could not be read: ") {
		t.Errorf("%+v", got)
	}
}

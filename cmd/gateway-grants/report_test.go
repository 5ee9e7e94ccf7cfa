package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/report"
)

// reported is a world with two gateways: the first with a role of account B in its
// policy, an account that AWS does not know, and a statement of others; both with an
// account to be added.
func reported(t *testing.T) (w *world, first, second string) {
	t.Helper()
	w, first, second = withTwo(t)
	w.done("reconcile", "*")
	w.withForeign(first)
	w.done("grant", first, accountB, "--id", "soon", "--expires", w.now().Add(48*time.Hour).UTC().Format(time.RFC3339), "--reason", "pilot")
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": first, "grant": "misspelt", "principal": accountB, "condition": "x"}, true))
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": gatewayARN, "grant": "nowhere", "principal": accountB}, true))
	return w, first, second
}

func TestReport(t *testing.T) {
	w, first, second := reported(t)
	var made report.Report
	text := w.done("report", "-o", "json").out
	fits(t, "report", text)
	w.must(json.Unmarshal([]byte(text), &made))
	byARN := map[string]report.Gateway{}
	for _, g := range made.Gateways {
		byARN[g.ARN] = g
	}
	var access []string
	for _, a := range byARN[first].Access {
		access = append(access, a.Principal+" "+string(a.Kind))
	}
	slices.Sort(access)
	want := []string{
		"arn:aws:iam::444455556666:role/AdminRole foreign", "arn:aws:iam::444455556666:role/AgentRole granted", "arn:aws:iam::444455556666:root to be added",
	}
	if diff := cmp.Diff(want, access); diff != "" {
		t.Errorf("who reaches the first: -want +got\n%s", diff)
	}
	var attention []string
	for _, a := range byARN[first].Attention {
		attention = append(attention, string(a.Phase)+" "+string(a.Code))
	}
	if diff := cmp.Diff([]string{"LeftOut Quarantined", "Invalid UnknownAttribute"}, attention); diff != "" {
		t.Errorf("what needs attention: -want +got\n%s", diff)
	}
	if f := byARN[first].Foreign; len(f) != 1 || f[0].Name != `statement 1 (Sid "Theirs")` || f[0].Who != "arn:aws:iam::444455556666:role/AdminRole" {
		t.Errorf("foreign statements: %+v", f)
	}
	if c := byARN[first].Changes; len(c) == 0 || c[0].Cause != "command line" || !slices.Contains(c[len(c)-1].Gained, "arn:aws:iam::444455556666:role/AgentRole") {
		t.Errorf("changes: %+v", c)
	}
	if g := byARN[gatewayARN]; g.Code != grant.CodeGatewayGone {
		t.Errorf("a gateway that only a row names: %+v", g)
	}
	if g := byARN[second]; g.ARN == "" || g.MaxBytes != 20480 || len(made.Grants) != 5 {
		t.Errorf("the second %+v, grants %+v", g, made.Grants)
	}
}

// A principal that a Deny of others stops is not shown as let in, as access has it.
func TestReportListsDeniedCallers(t *testing.T) {
	w, first, _ := withTwo(t)
	w.done("reconcile", "*")
	deny := `{"Sid":"Stop","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::444455556666:role/AgentRole"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + first + `"}`
	_, err := w.model.PutResourcePolicy(inA, first, strings.Replace(w.policyText(first), `"Statement":[`, `"Statement":[`+deny+`,`, 1))
	w.must(err)
	var made report.Report
	w.must(json.Unmarshal([]byte(w.done("report", first, "-o", "json").out), &made))
	got := made.Gateways[0]
	if len(got.Access) != 1 || got.Access[0].Kind != report.Denied || got.Access[0].Message != `statement 1 (Sid "Stop") denies every call` {
		t.Errorf("%+v", got.Access)
	}
	w.done("revoke", first, accountB, "--role", "AgentRole")
	w.must(json.Unmarshal([]byte(w.done("report", first, "-o", "json").out), &made))
	if got := made.Gateways[0]; !got.Pending {
		t.Errorf("after the revocation: %+v", got)
	}
}

func TestAReportShowsWhatTheNextReconcileEnds(t *testing.T) {
	w, first, _ := withTwo(t)
	w.done("reconcile", "*")
	w.done("revoke", first, accountB, "--role", "AgentRole")
	var made report.Report
	w.must(json.Unmarshal([]byte(w.done("report", first, "-o", "json").out), &made))
	if got := made.Gateways[0].Access; len(got) != 1 || got[0].Kind != report.ToRemove || got[0].Principal != "arn:aws:iam::444455556666:role/AgentRole" {
		t.Errorf("%+v", got)
	}
}

func TestAReportIsRowsForAccessReviews(t *testing.T) {
	w, first, _ := reported(t)
	rows, err := csv.NewReader(strings.NewReader(w.done("report", first, "-o", "csv").out)).ReadAll()
	w.must(err)
	if diff := cmp.Diff([]string{"gateway", "account", "accountName", "principal", "access", "under", "expires", "grants", "statement", "message", "reasons", "requestedBy", "sources"}, rows[0]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	var found bool
	for _, row := range rows[1:] {
		if row[7] == "soon" {
			found = true
			if row[0] != first || row[1] != accountB || row[4] != "to be added" || row[6] == "" || row[10] != "pilot" || !strings.Contains(row[11], "AdminRole") {
				t.Errorf("%q", row)
			}
		}
	}
	if !found || len(rows) != 4 {
		t.Errorf("%q", rows)
	}
}

func TestAReportIsOnePage(t *testing.T) {
	w, first, second := reported(t)
	if got := w.done("report", "--out", "report.html"); got.out != "" || got.err != "Written to report.html\n" {
		t.Errorf("%+v", got)
	}
	page, err := os.ReadFile("report.html")
	w.must(err)
	for _, part := range []string{"<!DOCTYPE html>", "Content-Security-Policy", first, second, "misspelt", "Quarantined"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	if got := w.done("report", first); !strings.HasPrefix(got.out, "<!DOCTYPE html>") || strings.Contains(got.out, second) {
		t.Errorf("of one gateway: %.300s", got.out)
	}
	if got := w.run("report", "--out", "no/such/directory.html"); got.code != exitError || strings.Count(got.err, "\n") != 1 {
		t.Errorf("a file that cannot be written: %+v", got)
	}
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized to perform: dynamodb:Query"}
	got := w.failing(map[string]error{first: denied}, "report", "-o", "json")
	var made report.Report
	w.must(json.Unmarshal([]byte(got.out), &made))
	unread := 0
	for _, g := range made.Gateways {
		if strings.Contains(g.Unread, "AWS denies this") {
			unread++
		}
	}
	if got.code != exitError || unread != 1 || len(made.Gateways) != 3 || !strings.Contains(got.err, first) {
		t.Errorf("a gateway that cannot be read: exit %d\n%s%s", got.code, got.out, got.err)
	}
}

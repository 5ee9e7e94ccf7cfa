package report_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/report"
)

func page(t *testing.T, r report.Report) string {
	t.Helper()
	var out strings.Builder
	if err := r.WritePage(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not show %q:\n%.2000s", what, part, text)
		}
	}
}

func TestThePageShowsWhoReachesWhatAndWhy(t *testing.T) {
	b := newBrowser(t)
	b.open(page(t, sample(10, 24)))
	contains(t, "the head", b.text("header"), "10 gateways", "25 accounts with access", "31 grants", "3 need attention", "4 foreign statements", "1 wait for approval", "28 November 2026, 09:30 UTC")
	contains(t, "the first section", b.text("main"), "25 accounts × 10 gateways: 89 pairs with access")
	if cells := eval[int](b, "document.querySelectorAll('.matrix .cell').length"); cells < 60 {
		t.Errorf("%d cells in sight", cells)
	}
	b.screenshot("small-light")

	// By keyboard: two columns on, where a role of the account is to be added.
	eval[bool](b, "(document.querySelector('.matrix').focus(), true)")
	b.press("ArrowDown", "ArrowRight", "ArrowRight", "Enter")
	contains(t, "the details", b.text("dialog[open]"), "200000007919 search team AB on payments-0000000002", "arn:aws:iam::200000007919:role/team/AgentRole", "to be added", "grant agents-1", "from 203.0.113.0/24", "2027-")
	b.screenshot("small-details")
	b.press("Escape")
	b.until("!document.querySelector('dialog').open")
	b.press("End")
	if label := eval[string](b, "document.getElementById('active').getAttribute('aria-label')"); !strings.HasPrefix(label, "200000007919 search team AB on search-0000000009: ") {
		t.Errorf("the last column is %s", label)
	}

	// By filters, which the address keeps.
	b.typed("#rows", "200000007919")
	contains(t, "one account", b.text(".count"), "1 account × 10 gateways: 4 pairs")
	b.typed("#columns", "payments")
	contains(t, "one account, one gateway", b.text(".count"), "1 account × 1 gateway: 1 pair")
	if hash := eval[string](b, "location.hash"); hash != "#access?rows=200000007919&gateways=payments" {
		t.Errorf("the address ends in %s", hash)
	}
	b.goTo("access?rows=search+TEAM+AB")
	contains(t, "one account, by its name", b.text(".count"), "1 account × 10 gateways: 4 pairs")
	b.goTo("access?only=foreign&by=principals")
	contains(t, "what others let in", b.text(".count")+b.text(".name"), "1 principal × 10 gateways: 4 pairs", "arn:aws:iam::999900001111:role/Auditor")
	b.goTo("access?by=principals&sort=most&rows=Agent")
	contains(t, "roles", b.text(".name"), ":role/team/AgentRole")
	if complaints := b.complaints(); len(complaints) > 0 {
		t.Errorf("the page complains: %v", complaints)
	}
}

func TestEachSectionShowsItsRowsFilteredAndSorted(t *testing.T) {
	b := newBrowser(t)
	b.open(page(t, sample(10, 24)))
	for section, parts := range map[string][]string{
		"gateways":  {"tools-0000000000", "us-east-1", "of 20,480", "of 100", "WrongAuthorizer: the gateway authorizes callers by CUSTOM_JWT", "as its grants say"},
		"grants":    {"31 rows", "every gateway", "ou-abcd-11112222", "every product team", "git/platform", "AgentRole"},
		"expiries":  {"30 rows", "days", "agents-0"},
		"attention": {"3 rows", "Quarantined", "AWS does not know arn:aws:iam::444455556666:role/Gone", "Blocked", "2026-11-26 09:30"},
		"foreign":   {"4 rows", `statement 1 (Sid "Theirs")`, "Allow", `"Principal":{"AWS":"arn:aws:iam::999900001111:role/Auditor"}`},
		"changes":   {"10 rows", "2026-11-28 08:30", "grants table", "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::200000000000:root"},
		"approvals": {"1 row", "departure-1f0c2a9b", "200000023757", "tickets team AD", "its membership", "product-teams", "2026-11-28 03:30"},
	} {
		b.goTo(section)
		contains(t, section, b.text("main"), parts...)
		if current := b.text("nav [aria-current]"); current == "" {
			t.Errorf("no link is shown as the section %s", section)
		}
		b.screenshot("section-" + section)
	}
	column := func(n int) string { return b.text(fmt.Sprintf("tbody tr td:nth-child(%d)", n)) }
	b.goTo("expiries")
	if dates := strings.Split(column(1), "\n"); dates[0] > dates[1] || dates[0] > dates[29] {
		t.Errorf("expiries are not by date: %v", dates)
	}
	b.goTo("gateways")
	eval[bool](b, "(document.querySelectorAll('th button')[0].click(), true)")
	if first := first(column(1)); first != "documents-0000000004" {
		t.Errorf("sorted by name, the first is %s", first)
	}
	eval[bool](b, "(document.querySelectorAll('th button')[0].click(), true)")
	if first := first(column(1)); first != "tools-0000000008" || eval[string](b, "document.querySelector('th').getAttribute('aria-sort')") != "descending" {
		t.Errorf("sorted by name the other way, the first is %s", first)
	}
	b.typed("#filter", "search us-east-1")
	contains(t, "the filtered gateways", b.text("main"), "2 of 10 rows", "search-0000000009")
	if complaints := b.complaints(); len(complaints) > 0 {
		t.Errorf("the page complains: %v", complaints)
	}
}

func first(lines string) string {
	line, _, _ := strings.Cut(lines, "\n")
	return line
}

func TestTheLargestReportLoadsInASecond(t *testing.T) {
	b := newBrowser(t)
	text := page(t, sample(500, 2000))
	b.call("Performance.enable", map[string]any{"timeDomain": "threadTicks"}, nil)
	b.open(text)
	contains(t, "the first section", b.text("main"), "2,001 accounts × 500 gateways: 251,264 pairs with access")
	loaded := eval[float64](b, "performance.getEntriesByType('navigation')[0].duration")
	computed := b.computed() // by its thread alone: the machine may be busy with something else
	t.Logf("%.1f MB load in %.0f ms, %.0f ms of them computing", float64(len(text))/1e6, loaded, computed)
	if limit := 1000.0; computed > limit {
		t.Errorf("it computed %.0f ms to load, of %.0f at most", computed, limit)
	}
	if cells := eval[int](b, "document.querySelectorAll('.matrix .cell').length"); cells == 0 || cells > 3000 {
		t.Errorf("%d cells are drawn", cells)
	}
	b.screenshot("large-light")
	b.colours("dark")
	b.screenshot("large-dark")
	eval[bool](b, "(document.querySelector('.matrix').scrollTo(9000, 30000), true)")
	b.until("document.querySelector('.matrix .name')?.innerText > '200009000000'")
	contains(t, "the gateways in sight after scrolling", b.text(".head"), "0000000300")
	b.screenshot("large-scrolled-dark")
	b.goTo("grants")
	contains(t, "the grants", b.text("main"), "1,501 rows", "Show 200 more")
	if rows := eval[int](b, "document.querySelectorAll('tbody tr').length"); rows != 200 {
		t.Errorf("%d rows are drawn at first", rows)
	}
	eval[bool](b, "(document.querySelector('.more').click(), true)")
	if rows := eval[int](b, "document.querySelectorAll('tbody tr').length"); rows != 400 {
		t.Errorf("%d rows are drawn after asking for more", rows)
	}
	b.screenshot("large-grants-dark")
	if complaints := b.complaints(); len(complaints) > 0 {
		t.Errorf("the page complains: %v", complaints)
	}
}

// What rows and policies say is text, wherever it is shown.
func TestHostileNamesAreShownAsTheyAre(t *testing.T) {
	b := newBrowser(t)
	for _, hostile := range []string{
		`<script>window.hacked = 1</script>`, `</script><script>window.hacked = 2</script>`, `"><img src=x onerror="window.hacked=3">`, `<!--<script>`, `javascript:window.hacked=4`, `{{.Data}}`, `'; window.hacked = 5; '`, "\u2028window.hacked = 6",
	} {
		r := sample(1, 2)
		r.Installation = hostile
		r.Names = map[string]string{hostile: hostile}
		g := &r.Gateways[0]
		key := grant.Key{Gateway: hostile, ID: hostile}
		r.Grants = []report.Grant{{Gateway: hostile, ID: hostile, Principal: hostile, Expires: "2026-12-24T00:00:00Z", Reason: hostile, RequestedBy: hostile, Source: hostile}}
		g.ARN, g.Code, g.Message = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/"+hostile, grant.Code(hostile), hostile
		g.Access = []report.Access{{Principal: hostile, Under: hostile, Kind: report.InForce, Grants: []grant.Key{key}}}
		g.Attention = []report.Attention{{Key: key, Phase: grant.Phase(hostile), Code: grant.Code(hostile), Message: hostile}}
		g.Foreign = []report.Statement{{Name: hostile, Effect: hostile, Who: hostile, Text: hostile}}
		g.Changes = []report.Change{{At: made, Cause: hostile, By: hostile, PlanHash: hostile, Outcome: hostile, Gained: []string{hostile}}}
		r.Approvals = []report.Approval{{ID: hostile, What: hostile, Account: hostile, Adds: []string{hostile}, Removes: []string{hostile}, Grants: []string{hostile}}}
		t.Run(hostile, func(t *testing.T) {
			b.open(page(t, r))
			contains(t, "the head", b.text("header"), hostile)
			eval[bool](b, "(document.querySelector('.matrix').focus(), true)")
			b.press("Enter")
			contains(t, "the details", b.text("dialog[open]"), "grant "+hostile)
			b.press("Escape")
			for _, section := range []string{"gateways", "grants", "expiries", "attention", "foreign", "changes", "approvals"} {
				b.goTo(section)
				contains(t, section, b.text("tbody"), hostile)
			}
			if eval[bool](b, "'hacked' in window") {
				t.Error("a name ran as a script")
			}
			if scripts := eval[int](b, "document.querySelectorAll('script').length"); scripts != 2 {
				t.Errorf("the page has %d scripts", scripts)
			}
			if complaints := b.complaints(); len(complaints) > 0 {
				t.Errorf("the page complains: %v", complaints)
			}
		})
	}
}

func TestThePageRunsNoScriptButItsOwn(t *testing.T) {
	b := newBrowser(t)
	b.open(strings.Replace(page(t, sample(1, 2)), "</body>", `<script>window.hacked = 1</script><img src="https://192.0.2.1/x.png" onerror="window.hacked = 2"></body>`, 1))
	if eval[bool](b, "'hacked' in window") {
		t.Error("a script that was put into the page ran")
	}
	if complaints := strings.Join(b.complaints(), "\n"); !strings.Contains(complaints, "Content Security Policy") {
		t.Errorf("the policy stopped nothing: %s", complaints)
	}
}

// https://www.w3.org/TR/WCAG22/#contrast-minimum
func TestTextIsReadableInLightAndDark(t *testing.T) {
	b := newBrowser(t)
	b.open(page(t, sample(10, 24)))
	grounds := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		b.colours(scheme)
		colours := eval[map[string]string](b, `Object.fromEntries(["ground", "raised", "hover", "text", "faint", "link", "granted", "pending", "ended", "foreign"].map(name => [name, getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim()]))`)
		grounds[eval[string](b, "getComputedStyle(document.body).backgroundColor")] = true
		for _, text := range []string{"text", "faint", "link", "granted", "pending", "ended", "foreign"} {
			for _, ground := range []string{"ground", "raised", "hover"} {
				if ratio := contrast(t, colours[text], colours[ground]); ratio < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f", scheme, text, ground, ratio)
				}
			}
		}
		b.screenshot("small-" + scheme)
	}
	if len(grounds) != 2 {
		t.Errorf("light and dark have the ground %v", grounds)
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	lighter, darker := luminance(t, a), luminance(t, b)
	if lighter < darker {
		lighter, darker = darker, lighter
	}
	return (lighter + 0.05) / (darker + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	var r, g, b int
	form := "#%02x%02x%02x"
	if len(colour) == 4 {
		form = "#%1x%1x%1x"
	}
	if _, err := fmt.Sscanf(colour, form, &r, &g, &b); err != nil {
		t.Fatalf("colour %q: %v", colour, err)
	}
	if len(colour) == 4 {
		r, g, b = r*17, g*17, b*17
	}
	linear := func(part int) float64 {
		if v := float64(part) / 255; v > 0.04045 {
			return math.Pow((v+0.055)/1.055, 2.4)
		}
		return float64(part) / 255 / 12.92
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

func TestOnPaperEveryRowIsThere(t *testing.T) {
	b := newBrowser(t)
	b.open(page(t, sample(100, 24)))
	b.goTo("grants")
	eval[bool](b, "(dispatchEvent(new Event('beforeprint')), true)")
	if rows := eval[int](b, "document.querySelectorAll('tbody tr').length"); rows != 301 {
		t.Errorf("%d rows on paper", rows)
	}
	b.goTo("access?rows=999900001111")
	eval[bool](b, "(dispatchEvent(new Event('beforeprint')), true)")
	contains(t, "the access on paper", b.text(".paper"), "999900001111: tools-0000000000, tickets-0000000003")
	b.call("Emulation.setEmulatedMedia", map[string]any{"media": "print"}, nil)
	if eval[string](b, "getComputedStyle(document.querySelector('nav')).display") != "none" {
		t.Error("links are printed")
	}
	eval[bool](b, "(dispatchEvent(new Event('afterprint')), true)")
	if eval[bool](b, "document.querySelector('.paper') !== null || document.querySelector('.matrix').hidden") {
		t.Error("the page stays as it was printed")
	}
}

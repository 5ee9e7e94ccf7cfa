package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	styleText string
	//go:embed page.js
	scriptText string

	pageTemplate = template.Must(template.New("page").Parse(pageText))
)

// WritePage writes the report as one page that needs nothing else: no network, no other
// file. Its policy lets run its own script alone, and what rows and policies say is text
// wherever it stands.
func (r Report) WritePage(to io.Writer) error {
	data := r.pageData()
	err := pageTemplate.Execute(to, struct {
		Report  Report
		Data    pageData
		Policy  string
		Style   template.HTML
		Script  template.HTML
		Made    string
		Summary []figure
	}{
		r, data,
		"default-src 'none'; style-src " + digest(styleText) + "; script-src " + digest(scriptText) + "; base-uri 'none'; form-action 'none'",
		template.HTML("<style>" + styleText + "</style>"),    //nolint:gosec // ours, embedded
		template.HTML("<script>" + scriptText + "</script>"), //nolint:gosec // ours, embedded
		r.At.UTC().Format("2 January 2006, 15:04 MST"),
		r.summary(data),
	})
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// digest is how a content security policy names an element's text.
// https://www.w3.org/TR/CSP3/#grammardef-hash-source
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// figure is one number of the summary, and the section that it counts.
type figure struct {
	Name    string
	Count   int
	Section string
	Alert   bool // it is not zero, and should be
}

func (r Report) summary(data pageData) []figure {
	accounts := make(map[string]bool)
	for _, principal := range data.Principals {
		if account := accountOf(principal); account != "" {
			accounts[account] = true
		}
	}
	attention, foreign, soon := 0, 0, 0
	for _, g := range r.Gateways {
		attention += len(g.Attention)
		foreign += len(g.Foreign)
		if g.Unread != "" || g.Code != "" {
			attention++
		}
	}
	for _, g := range r.Grants {
		end, err := time.Parse(time.RFC3339, g.Expires)
		if err == nil && end.After(r.At) && end.Before(r.At.Add(30*24*time.Hour)) {
			soon++
		}
	}
	return []figure{
		{"gateways", len(r.Gateways), "gateways", false},
		{"accounts with access", len(accounts), "access", false},
		{"grants", len(r.Grants), "grants", false},
		{"expire within 30 days", soon, "expiries", false},
		{"need attention", attention, "attention", attention > 0},
		{"foreign statements", foreign, "foreign", false},
		{"wait for approval", len(r.Approvals), "approvals", len(r.Approvals) > 0},
	}
}

// pageData is the report as the page's script reads it: each text once, and principals
// that reach a gateway because of the same grants together.
type pageData struct {
	At         string        `json:"at"`
	Principals []string      `json:"principals"`
	Grants     []Grant       `json:"grants"`
	Gateways   []pageGateway `json:"gateways"`
	Approvals  []Approval    `json:"approvals"`
	// Names are in pairs of id and name: a map's key could be that of an object's prototype.
	Names [][2]string `json:"names"`
}

type pageGateway struct {
	Gateway

	Access    []pageGroup     `json:"access"`
	Attention []pageAttention `json:"attention"`
}

// pageGroup are principals, by their places in the list, that reach a gateway alike.
type pageGroup struct {
	Principals []int  `json:"p"`
	Kind       Kind   `json:"kind"`
	Under      string `json:"under,omitempty"`
	Grants     []int  `json:"g,omitempty"` // places in the list
	Statement  string `json:"statement,omitempty"`
	Message    string `json:"message,omitempty"`
	Expires    string `json:"expires,omitempty"`
}

type pageAttention struct {
	Attention

	Grant int `json:"g"` // its place in the list
}

func (r Report) pageData() pageData {
	data := pageData{At: moment(r.At), Principals: []string{}, Grants: r.Grants, Gateways: make([]pageGateway, len(r.Gateways)), Approvals: r.Approvals, Names: [][2]string{}}
	for _, id := range slices.Sorted(maps.Keys(r.Names)) {
		data.Names = append(data.Names, [2]string{id, r.Names[id]})
	}
	grants := make(map[grant.Key]int, len(r.Grants))
	for i, g := range r.Grants {
		grants[grant.Key{Gateway: g.Gateway, ID: g.ID}] = i
	}
	principals := make(map[string]int)
	place := func(principal string) int {
		i, known := principals[principal]
		if !known {
			i = len(data.Principals)
			principals[principal] = i
			data.Principals = append(data.Principals, principal)
		}
		return i
	}
	for i, g := range r.Gateways {
		page := pageGateway{Gateway: g, Access: grouped(g.Access, grants, place), Attention: []pageAttention{}}
		for _, a := range g.Attention {
			page.Attention = append(page.Attention, pageAttention{a, placeOf(grants, a.Key)})
		}
		data.Gateways[i] = page
	}
	return data
}

func grouped(accesses []Access, grants map[grant.Key]int, place func(string) int) []pageGroup {
	groups := []pageGroup{}
	known := make(map[string]int)
	for _, a := range accesses {
		name := fmt.Sprint(a.Kind, "\x00", a.Under, "\x00", a.Statement, "\x00", a.Message, "\x00", a.Grants)
		i, found := known[name]
		if !found {
			i = len(groups)
			known[name] = i
			group := pageGroup{Kind: a.Kind, Under: a.Under, Statement: a.Statement, Message: a.Message, Expires: moment(a.Expires)}
			for _, key := range a.Grants {
				group.Grants = append(group.Grants, placeOf(grants, key))
			}
			groups = append(groups, group)
		}
		groups[i].Principals = append(groups[i].Principals, place(a.Principal))
	}
	return groups
}

// placeOf is a grant's place in the list; -1 for one that is there no more.
func placeOf(grants map[grant.Key]int, key grant.Key) int {
	if i, known := grants[key]; known {
		return i
	}
	return -1
}

// Value is the number with commas, as the page's script writes numbers.
func (f figure) Value() string {
	text := strconv.Itoa(f.Count)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

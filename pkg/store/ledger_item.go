package store

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/version"
)

type gatewayItem struct {
	Gateway     string     `dynamodbav:"gateway"`
	Item        string     `dynamodbav:"item"`
	Form        int        `dynamodbav:"form"`
	Product     string     `dynamodbav:"product,omitempty"` // the version that wrote this item
	Version     int        `dynamodbav:"version,omitempty"`
	Authorizer  string     `dynamodbav:"authorizer,omitempty"`
	AppliedHash string     `dynamodbav:"appliedHash,omitempty"`
	PendingHash string     `dynamodbav:"pendingHash,omitempty"`
	Bytes       int        `dynamodbav:"bytes,omitempty"`
	Statements  int        `dynamodbav:"statements,omitempty"`
	LastError   grant.Code `dynamodbav:"lastError,omitempty"`
	LastMessage string     `dynamodbav:"lastMessage,omitempty"`
	Failures    int        `dynamodbav:"failures,omitempty"`
	DueShard    string     `dynamodbav:"dueShard,omitempty"`
	Due         time.Time  `dynamodbav:"due,omitempty"`

	InFlightUntil        time.Time `dynamodbav:"inFlightUntil,omitempty"`
	Overwritten          int       `dynamodbav:"overwritten,omitempty"`
	OverwrittenAt        time.Time `dynamodbav:"overwrittenAt,omitempty"`
	Pinned               []string  `dynamodbav:"pinned,omitempty"`
	Accounts             string    `dynamodbav:"accounts,omitempty"` // with spaces between
	HadDirectory         bool      `dynamodbav:"hadDirectory,omitempty"`
	ExpandedSizeObserved bool      `dynamodbav:"expandedSizeObserved,omitempty"`
	ListsRefused         bool      `dynamodbav:"listsRefused,omitempty"`
	Open                 string    `dynamodbav:"open,omitempty"`

	Written  int `dynamodbav:"written,omitempty"`  // the version that wrote this item and its overflow
	Overflow int `dynamodbav:"overflow,omitempty"` // how many items of overflow there are
	part
}

// overflowItem holds what of a ledger its own item has no room for.
type overflowItem struct {
	Gateway string `dynamodbav:"gateway"`
	Item    string `dynamodbav:"item"`
	Written int    `dynamodbav:"written"` // as in the gateway's own item
	part
}

// part is some of what a ledger has any number of.
type part struct {
	Selected []set     `dynamodbav:"selected,omitempty"`
	InFlight []set     `dynamodbav:"inFlight,omitempty"`
	Refused  []refusal `dynamodbav:"refused,omitempty"`

	Revisions []revision `dynamodbav:"pendingRevisions,omitempty"`
}

type revision struct {
	Scope    string `dynamodbav:"scope"`
	Grant    string `dynamodbav:"grant"`
	Revision string `dynamodbav:"revision"`
}

type set struct {
	Of      string `dynamodbav:"of"`
	Members string `dynamodbav:"members"` // with spaces between
}

type refusal struct {
	Principal string     `dynamodbav:"principal"`
	Code      grant.Code `dynamodbav:"code"`
	Since     time.Time  `dynamodbav:"since,omitempty"`
	Tries     int        `dynamodbav:"tries,omitempty"`
	NextTry   time.Time  `dynamodbav:"nextTry,omitempty"`
}

// LedgerItems are the gateway's own item, which comes first, and its overflow.
func LedgerItems(gateway grant.Gateway, l ledger.Ledger) []Item {
	parts := partsOf(l)
	own := gatewayItem{
		Gateway: gateway.ARN(), Item: gatewaySort, Form: ledger.Form, Product: version.Product(), Version: l.Version,
		Authorizer: l.Authorizer, AppliedHash: l.AppliedHash, PendingHash: l.PendingHash,
		Bytes: l.Size.Bytes, Statements: l.Size.Statements,
		LastError: l.LastError, LastMessage: l.LastMessage, Failures: l.Failures,
		DueShard: dueShard(l), Due: l.Due, InFlightUntil: l.InFlightUntil,
		Overwritten: l.Overwritten, OverwrittenAt: l.OverwrittenAt,
		Pinned: l.Pinned, Accounts: strings.Join(l.Accounts, " "),
		HadDirectory: l.HadDirectory, ExpandedSizeObserved: l.ExpandedSizeObserved, ListsRefused: l.ListsRefused, Open: l.Open,
		Written: l.Version, Overflow: len(parts) - 1, part: parts[0],
	}
	items := []Item{marshal(own)}
	for n, more := range parts[1:] {
		items = append(items, marshal(overflowItem{Gateway: gateway.ARN(), Item: overflowSort(n), Written: l.Version, part: more}))
	}
	return items
}

func dueShard(l ledger.Ledger) string {
	if l.Due.IsZero() {
		return ""
	}
	return DueShard
}

// mostLedgerItems are as many items as one transaction takes with statuses beside: it
// takes 4 MB.
const mostLedgerItems = 10

// errLedgerFull takes thousands of rejected principals, or selectors.
var errLedgerFull = &grant.Error{Code: CodeWriteFailed, Op: "write the ledger",
	Hint: "more is recorded of the gateway than one transaction takes: revoke the grants that `gateway-grants list` shows as left out"}

func overflowSort(number int) string { return fmt.Sprintf("%s%04d", overflowPrefix, number) }

// partBytes is about how much of an item, which holds 400 KB, a part takes: the
// gateway's own holds the principals of a policy besides, which has 20 KB.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const partBytes = 250_000

// partsOf divides what a ledger has any number of into parts that each fit an item.
// There is one at least.
func partsOf(l ledger.Ledger) []part {
	parts, bytes := []part{{}}, 0
	room := func(more int) *part {
		if bytes += more + 100; bytes > partBytes { // about what names and numbers take
			parts, bytes = append(parts, part{}), more
		}
		return &parts[len(parts)-1]
	}
	for of, s := range inOrder(l.Selected) {
		members := strings.Join(s, " ")
		p := room(len(of) + len(members))
		p.Selected = append(p.Selected, set{of, members})
	}
	for of, s := range inOrder(l.InFlight) {
		members := strings.Join(s, " ")
		p := room(len(of) + len(members))
		p.InFlight = append(p.InFlight, set{of, members})
	}
	for principal, r := range inOrder(l.Refused) {
		p := room(len(principal))
		p.Refused = append(p.Refused, refusal{Principal: principal, Code: r.Code, Since: r.Since, Tries: r.Tries, NextTry: r.NextTry})
	}
	rows := slices.SortedFunc(maps.Keys(l.PendingRevisions), func(a, b grant.Key) int { return cmp.Compare(a.String(), b.String()) })
	for _, row := range rows {
		text := l.PendingRevisions[row]
		p := room(len(row.Gateway) + len(row.ID) + len(text))
		p.Revisions = append(p.Revisions, revision{Scope: row.Gateway, Grant: row.ID, Revision: text})
	}
	return parts
}

// inOrder ranges over a map in the order of its keys.
func inOrder[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

func (r *stateReader) gateway(item Item) error {
	var read gatewayItem
	if err := unmarshal(item, &read); err != nil {
		return err
	}
	r.form = read.Form
	if read.Form > ledger.Form {
		r.state.Newer = ledger.Newer{Form: read.Form, Product: read.Product}
	}
	r.state.Gateway = ledger.Ledger{
		Version:    read.Version,
		Authorizer: read.Authorizer, AppliedHash: read.AppliedHash, PendingHash: read.PendingHash,
		Size:      ledger.Size{Bytes: read.Bytes, Statements: read.Statements},
		LastError: read.LastError, LastMessage: read.LastMessage, Failures: read.Failures,
		Due: read.Due, InFlightUntil: read.InFlightUntil,
		Overwritten: read.Overwritten, OverwrittenAt: read.OverwrittenAt,
		Pinned: read.Pinned, Accounts: membersOf(read.Accounts),
		ExpandedSizeObserved: read.ExpandedSizeObserved, ListsRefused: read.ListsRefused, Open: read.Open,
		WriteAhead: ledger.WriteAhead{HadDirectory: read.HadDirectory},
	}
	r.written, r.missing = read.Written, read.Overflow
	r.add(read.part)
	return nil
}

func (r *stateReader) overflow(item Item) error {
	var read overflowItem
	if err := unmarshal(item, &read); err != nil {
		return err
	}
	r.torn = r.torn || read.Written != r.written
	r.missing--
	r.add(read.part)
	return nil
}

func (r *stateReader) add(p part) {
	l := &r.state.Gateway
	for _, s := range p.Selected {
		l.Selected = adding(l.Selected, s.Of, membersOf(s.Members))
	}
	for _, s := range p.InFlight {
		l.InFlight = adding(l.InFlight, s.Of, membersOf(s.Members))
	}
	for _, s := range p.Refused {
		l.Refused = adding(l.Refused, s.Principal, ledger.Refusal{Code: s.Code, Since: s.Since, Tries: s.Tries, NextTry: s.NextTry})
	}
	for _, s := range p.Revisions {
		l.PendingRevisions = adding(l.PendingRevisions, grant.Key{Gateway: s.Scope, ID: s.Grant}, s.Revision)
	}
}

func adding[K comparable, V any](m map[K]V, key K, value V) map[K]V {
	if m == nil {
		m = make(map[K]V)
	}
	m[key] = value
	return m
}

// membersOf are the members of a set, nil for none.
func membersOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, " ")
}

// Before ledgers had a form, each set and each refusal had an item of its own. They are
// read until the ledger is written in a form, and left alone after that.
const (
	olderSelectedPrefix = "gateway#accounts#"
	olderInFlightPrefix = "gateway#announced#"
	olderRefusedPrefix  = "gateway#refused#"
)

// older reads an item of the time before ledgers had a form.
func (r *stateReader) older(sort string, item Item) error {
	var read struct {
		Of      string   `dynamodbav:"of"`
		Members []string `dynamodbav:"members,stringset"`
		refusal
	}
	if err := unmarshal(item, &read); err != nil {
		return err
	}
	members := part{Selected: []set{{Of: read.Of, Members: strings.Join(slices.Sorted(slices.Values(read.Members)), " ")}}}
	switch {
	case strings.HasPrefix(sort, olderSelectedPrefix):
		r.add(members)
	case strings.HasPrefix(sort, olderInFlightPrefix):
		r.add(part{InFlight: members.Selected})
	case strings.HasPrefix(sort, olderRefusedPrefix):
		r.add(part{Refused: []refusal{read.refusal}})
	}
	return nil
}

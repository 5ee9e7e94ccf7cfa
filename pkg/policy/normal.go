package policy

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// normalDocument is what a document means, spelled in one way only. Equality
// and evaluation both look at nothing else, so that equal documents cannot be
// evaluated differently.
type normalDocument struct {
	of         []Statement // what it was made of
	version    string
	statements []normalStatement // in the document's order

	keys    func() []string
	matcher func() []statementMatcher
}

type normalStatement struct {
	effect       Effect
	principal    *normalPrincipals
	notPrincipal *normalPrincipals
	action       []string // nil slices are absent elements; all are sorted sets
	notAction    []string
	resource     []string
	notResource  []string
	conditions   []normalCondition
}

// normalPrincipals has accounts by their id, whichever way they were written,
// and everyone as "*" in aws.
type normalPrincipals struct {
	aws, service, federated, canonicalUser []string
	other                                  []normalPair
}

type normalPair struct {
	name   string
	values []string
}

type normalCondition struct {
	operator operator
	key      string // lower case
	values   []string
}

// normalise returns the document's normal form, made on first use. A document
// whose list of statements is another one than then was changed against the
// rules; that much is noticed, so that no decision is taken on what it was.
func normalise(d *Document) *normalDocument {
	if known := d.learned.Load(); known != nil && sameSlice(known.of, d.Statements) {
		return known
	}
	n := &normalDocument{of: d.Statements, version: d.Version, statements: make([]normalStatement, len(d.Statements))}
	if n.version == "" {
		n.version = Version2008
	}
	for i := range d.Statements {
		n.statements[i] = normaliseStatement(&d.Statements[i])
	}
	n.keys = sync.OnceValue(func() []string { return documentKeys(d, n) })
	n.matcher = sync.OnceValue(func() []statementMatcher { return compileStatements(n) })
	d.learned.Store(n)
	return n
}

func sameSlice(a, b []Statement) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func normaliseStatement(s *Statement) normalStatement {
	return normalStatement{
		effect:       s.Effect,
		principal:    normalisePrincipals(s.Principal),
		notPrincipal: normalisePrincipals(s.NotPrincipal),
		action:       normalSet(s.Action, fold),
		notAction:    normalSet(s.NotAction, fold),
		resource:     normalSet(s.Resource, nil),
		notResource:  normalSet(s.NotResource, nil),
		conditions:   normaliseCondition(s.Condition),
	}
}

// normalSet is the values as a sorted set, each spelled by how; nil stays nil.
func normalSet(values []string, how func(string) string) []string {
	if values == nil {
		return nil
	}
	set := values
	if how != nil {
		set = make([]string, len(values))
		for i, value := range values {
			set[i] = how(value)
		}
	}
	for i := 1; i < len(set); i++ {
		if set[i-1] >= set[i] { // not yet a sorted set
			if how == nil {
				set = slices.Clone(set)
			}
			slices.Sort(set)
			return slices.Compact(set)
		}
	}
	return set
}

func normalisePrincipals(who *Principals) *normalPrincipals {
	if who == nil {
		return nil
	}
	n := &normalPrincipals{
		service:       normalSet(who.Service, nil),
		federated:     normalSet(who.Federated, nil),
		canonicalUser: normalSet(who.CanonicalUser, nil),
	}
	aws := who.AWS
	if who.Everyone {
		aws = append([]string{"*"}, aws...)
	}
	n.aws = normalSet(aws, normalPrincipal)
	for _, kind := range slices.Sorted(maps.Keys(who.Other)) {
		if values := who.Other[kind]; values != nil {
			n.other = append(n.other, normalPair{kind, normalSet(values, nil)})
		}
	}
	return n
}

// normalPrincipal is the account's id for its root ARN, in whatever partition:
// account ids are unique across them.
func normalPrincipal(who string) string {
	if account, ok := rootAccount(who); ok {
		return account
	}
	return who
}

// rootAccount is the account that arn:PARTITION:iam::ACCOUNT:root names.
func rootAccount(arn string) (string, bool) {
	rest, ok := strings.CutSuffix(arn, ":root")
	if !ok || !strings.HasPrefix(rest, "arn:") || len(rest) < 12 {
		return "", false
	}
	head, account := rest[:len(rest)-12], rest[len(rest)-12:]
	if !strings.HasSuffix(head, ":iam::") || strings.Count(head, ":") != 4 || !isAccountID(account) {
		return "", false
	}
	return account, true
}

func isAccountID(text string) bool {
	if len(text) != 12 {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// normaliseCondition flattens a condition: all of its entries must hold, so
// neither their order nor an entry's repetition matters.
func normaliseCondition(condition Condition) []normalCondition {
	var flat []normalCondition
	for written, keys := range condition {
		op := parseOperator(written)
		for key, values := range keys {
			flat = append(flat, normalCondition{op, fold(key), op.normalValues(values)})
		}
	}
	slices.SortFunc(flat, func(a, b normalCondition) int {
		if c := strings.Compare(a.operator.name, b.operator.name); c != 0 {
			return c
		}
		if c := strings.Compare(a.key, b.key); c != 0 {
			return c
		}
		return slices.Compare(a.values, b.values)
	})
	return slices.CompactFunc(flat, func(a, b normalCondition) bool {
		return a.operator == b.operator && a.key == b.key && slices.Equal(a.values, b.values)
	})
}

// documentKeys are texts that two documents share exactly if they are equal.
func documentKeys(d *Document, n *normalDocument) []string {
	size := 64
	for i := range d.Statements {
		size += d.Statements[i].sizeHint() * 9 / 8
	}
	all := appendText(make([]byte, 0, size), n.version)
	all = appendText(all, d.ID)
	all = appendUnknown(all, d.unknown)
	ends := make([]int, 0, 1+len(n.statements))
	for i := range n.statements {
		ends = append(ends, len(all))
		all = appendStatementKey(all, &d.Statements[i], &n.statements[i])
	}
	ends = append(ends, len(all))

	text := string(all)
	keys := make([]string, 0, len(ends))
	for i := range n.statements {
		keys = append(keys, text[ends[i]:ends[i+1]])
	}
	slices.Sort(keys)
	return append(keys, text[:ends[0]])
}

func appendStatementKey(key []byte, s *Statement, n *normalStatement) []byte {
	key = appendText(key, s.Sid)
	key = appendText(key, string(n.effect))
	key = appendPrincipalsKey(key, n.principal)
	key = appendPrincipalsKey(key, n.notPrincipal)
	for _, set := range [...][]string{n.action, n.notAction, n.resource, n.notResource} {
		key = appendSet(key, set)
	}
	key = strconv.AppendInt(key, int64(len(n.conditions)), 10)
	for _, c := range n.conditions {
		key = appendText(key, c.operator.name)
		key = appendText(key, c.key)
		key = appendSet(key, c.values)
	}
	return appendUnknown(key, s.unknown)
}

func appendPrincipalsKey(key []byte, n *normalPrincipals) []byte {
	if n == nil {
		return append(key, '-')
	}
	for _, set := range [...][]string{n.aws, n.service, n.federated, n.canonicalUser} {
		key = appendSet(key, set)
	}
	key = strconv.AppendInt(key, int64(len(n.other)), 10)
	for _, pair := range n.other {
		key = appendText(key, pair.name)
		key = appendSet(key, pair.values)
	}
	return key
}

func appendUnknown(key []byte, members []member) []byte {
	sorted := slices.SortedFunc(slices.Values(members), func(a, b member) int {
		return strings.Compare(a.name, b.name)
	})
	for _, m := range sorted {
		key = appendText(appendText(key, m.name), normalJSON(m.value))
	}
	return key
}

// appendSet writes an absent element differently from an empty one.
func appendSet(key []byte, values []string) []byte {
	if values == nil {
		return append(key, '-')
	}
	key = append(strconv.AppendInt(key, int64(len(values)), 10), '#')
	for _, value := range values {
		key = appendText(key, value)
	}
	return key
}

// appendText writes text with its length in front, so that no text can pass
// for two others.
func appendText(key []byte, text string) []byte {
	key = append(strconv.AppendInt(key, int64(len(text)), 10), ':')
	return append(key, text...)
}

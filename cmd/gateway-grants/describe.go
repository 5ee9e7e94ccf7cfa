package main

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// subject names the principals that a grant lets in, in one way however the row says it:
// 444455556666, 444455556666:role/AgentRole, ou-abcd-11112222:role/Agent*.
func subject(g *grant.Grant) string {
	if g.Principal.IsSelector() {
		if g.Role == "" {
			return g.Principal.String()
		}
		return g.Principal.String() + ":role/" + g.Role
	}
	name := g.Subject().ARN("aws")
	return strings.TrimSuffix(strings.TrimPrefix(name, "arn:aws:iam::"), ":root")
}

// maxID is how many characters the id of a row may have.
const maxID = 256

// idFor is the id of a row that was given none: its principal, so that an admin who
// grants it again, however it is written, finds the same row.
func idFor(g *grant.Grant) string {
	id := subject(g)
	if utf8.RuneCountInString(id) <= maxID {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	digest := "…" + hex.EncodeToString(sum[:8])
	kept := []rune(id)[:maxID-utf8.RuneCountInString(digest)]
	return string(kept) + digest
}

// describe is a row in a few words: its principal, and how far it lets that in.
func describe(row grant.Row) string {
	if row.Grant == nil {
		return "an invalid row"
	}
	words := []string{subject(row.Grant)}
	if from := origins(row.Grant.Conditions); from != "" {
		words = append(words, "from "+from)
	}
	if left := excluded(row.Grant.Exclude); len(left) > 0 {
		words = append(words, "except "+strings.Join(left, ", "))
	}
	if !row.Grant.Expires.IsZero() {
		words = append(words, "until "+moment(row.Grant.Expires))
	}
	return strings.Join(words, " ")
}

func excluded(e grant.Exclusion) []string { return slices.Concat(e.Accounts, e.Units) }

// origins says from where calls must come; "" for anywhere. Each kind must be
// met, by any one of its values.
func origins(c grant.Conditions) string {
	var kinds []string
	for _, values := range [][]string{c.SourceVPCE, c.SourceVPC, c.SourceIP} {
		if len(values) > 0 {
			kinds = append(kinds, strings.Join(values, " or "))
		}
	}
	return strings.Join(kinds, " and ")
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

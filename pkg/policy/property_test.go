package policy_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// anyCall is what the generator makes of any seed.
func anyCall(t *rapid.T) (*generator, policy.Call) {
	g := newGenerator(rapid.Uint64().Draw(t, "seed"))
	call := g.makeCall()
	if call.ResourcePolicy == nil {
		call.ResourcePolicy = g.document(2, true)
	}
	return g, call
}

func TestPrintingAndParsingAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, call := anyCall(t)
		d := call.ResourcePolicy
		text := d.Bytes()
		parsed, err := policy.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !policy.Equal(d, parsed) {
			t.Fatalf("parsed, it means something else:\n%s\n%s", text, parsed)
		}
		if again := parsed.Bytes(); !bytes.Equal(again, text) {
			t.Fatalf("printed again:\n%s\n%s", text, again)
		}
	})
}

func TestAnyTextIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		s := policy.Statement{Sid: text, Effect: policy.Allow, Resource: values{text, text}, Condition: policy.Condition{text: {text: {text}}}}
		d := &policy.Document{ID: text, Statements: []policy.Statement{s}}
		if !json.Valid(d.Bytes()) {
			t.Fatalf("not valid JSON: %s", d)
		}
		parsed, err := policy.Parse(d.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.Statements[0]; got.Sid != text || got.Resource[1] != text || got.Condition[text][text][0] != text || parsed.ID != text {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

// respell says the same in other words: it changes order, lists, case, forms of
// principals, and whether values were parsed or built.
func respell(g *generator, d *policy.Document) *policy.Document {
	var statements []policy.Statement
	for _, s := range d.Statements {
		s.Principal, s.NotPrincipal = respellPrincipals(g, s.Principal), respellPrincipals(g, s.NotPrincipal)
		s.Action, s.NotAction = respellList(g, s.Action, g.recase), respellList(g, s.NotAction, g.recase)
		s.Resource, s.NotResource = respellList(g, s.Resource, nil), respellList(g, s.NotResource, nil)
		s.Condition = respellCondition(g, s.Condition)
		statements = append(statements, s)
	}
	g.Shuffle(len(statements), func(i, j int) { statements[i], statements[j] = statements[j], statements[i] })
	respelled := d.WithStatements(statements...)
	if g.chance(50) {
		text := respelled.Bytes()
		if len(statements) == 1 {
			text = []byte(strings.NewReplacer(`"Statement":[`, `"Statement": `, `]}`, `}`).Replace(string(text)))
		}
		if parsed, err := policy.Parse(text); err == nil {
			return parsed
		}
	}
	return respelled
}

func respellList(g *generator, list values, how func(string) string) values {
	if list == nil {
		return nil
	}
	list = slices.Clone(list)
	for i := range list {
		if how != nil && g.chance(50) {
			list[i] = how(list[i])
		}
	}
	if g.chance(30) && len(list) > 0 {
		list = append(list, list[0])
	}
	g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func respellPrincipals(g *generator, who *policy.Principals) *policy.Principals {
	switch {
	case who == nil:
		return nil
	case who.Everyone && g.chance(50):
		return &policy.Principals{AWS: values{"*"}}
	case slices.Equal(who.AWS, values{"*"}) && who.Service == nil && g.chance(50):
		return &policy.Principals{Everyone: true}
	}
	again := *who
	again.AWS = respellList(g, who.AWS, func(arn string) string {
		if len(arn) == 12 {
			return "arn:aws:iam::" + arn + ":root"
		}
		if account, ok := strings.CutSuffix(strings.TrimPrefix(arn, "arn:aws:iam::"), ":root"); ok {
			return account
		}
		return arn
	})
	again.Service = respellList(g, who.Service, nil)
	return &again
}

func respellCondition(g *generator, condition policy.Condition) policy.Condition {
	if condition == nil {
		return nil
	}
	again := policy.Condition{}
	for operator, keys := range condition {
		spelled := g.recase(operator)
		for key, list := range keys {
			var how func(string) string
			if spelled := strings.ToLower(operator); spelled == "bool" || spelled == "null" || strings.Contains(spelled, "ignorecase") {
				how = g.recase
			}
			if again[spelled] == nil {
				again[spelled] = map[string][]string{}
			}
			if g.chance(50) && again[spelled][strings.ToUpper(key)] == nil {
				key = strings.ToUpper(key)
			}
			again[spelled][key] = respellList(g, list, how)
		}
	}
	return again
}

// sameEntries reports whether respelling the conditions lost none of them: two
// operators that differ only in case may have collided.
func sameEntries(a, b *policy.Document) bool {
	count := func(d *policy.Document) (n int) {
		for _, s := range d.Statements {
			for keys := range maps.Values(s.Condition) {
				n += len(keys)
			}
		}
		return n
	}
	return count(a) == count(b)
}

func TestEqualSeesThroughSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, call := anyCall(t)
		a := call.ResourcePolicy
		b := respell(g, a)
		c := respell(g, b)
		if !sameEntries(a, b) || !sameEntries(b, c) {
			t.Skip("two spellings of one operator became one")
		}
		for _, pair := range [][2]*policy.Document{{a, a}, {a, b}, {b, a}, {b, c}, {a, c}, {c, a}} {
			if !policy.Equal(pair[0], pair[1]) {
				t.Fatalf("not equal:\n%s\n%s", pair[0], pair[1])
			}
		}
	})
}

func TestEqualIsAnEquivalence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var documents []*policy.Document
		for range 2 { // few enough choices that some are equal by chance
			g, call := anyCall(t)
			s := call.ResourcePolicy.Statements[0]
			s.Sid, s.Condition = "", nil
			s.Resource, s.NotResource = nil, nil
			d := &policy.Document{Statements: []policy.Statement{s}}
			documents = append(documents, d, respell(g, d), nil)
		}
		for _, a := range documents {
			for _, b := range documents {
				if policy.Equal(a, b) != policy.Equal(b, a) {
					t.Fatalf("not symmetric:\n%s\n%s", a, b)
				}
				for _, c := range documents {
					if policy.Equal(a, b) && policy.Equal(b, c) && !policy.Equal(a, c) {
						t.Fatalf("not transitive:\n%s\n%s\n%s", a, b, c)
					}
				}
			}
		}
	})
}

func TestEqualPoliciesDecideAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, call := anyCall(t)
		again := call
		again.ResourcePolicy = respell(g, call.ResourcePolicy)
		if !sameEntries(call.ResourcePolicy, again.ResourcePolicy) {
			t.Skip("two spellings of one operator became one")
		}
		again.Identity = nil
		for _, d := range call.Identity {
			again.Identity = append(again.Identity, respell(g, d))
		}
		for i := range again.Identity {
			if !sameEntries(call.Identity[i], again.Identity[i]) {
				t.Skip("two spellings of one operator became one")
			}
		}
		if a, b := policy.Evaluate(call), policy.Evaluate(again); a.Reason != b.Reason || a.Source != b.Source {
			t.Fatalf("%s\n%s\n%s\n%s", a, b, call.ResourcePolicy, again.ResourcePolicy)
		}
	})
}

func TestDenyNarrowsAndAllowWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, call := anyCall(t)
		before := policy.Evaluate(call)
		more := g.document(1, true).Statements[0]
		call.ResourcePolicy = call.ResourcePolicy.WithStatements(append(slices.Clone(call.ResourcePolicy.Statements), more)...)
		after := policy.Evaluate(call)
		if more.Effect == policy.Deny && after.Allowed && !before.Allowed || more.Effect == policy.Allow && before.Allowed && !after.Allowed {
			t.Fatalf("with %s\n%s\n%s", more, before, after)
		}
	})
}

package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// mutations each make a compiled policy say something else, or make a statement
// of others do so. They return false where the policy offers no place for it.
var mutations = map[string]func(d *policy.Document, owned []int) bool{
	"a statement is lost": func(d *policy.Document, owned []int) bool {
		if len(owned) == 0 {
			return false
		}
		d.Statements = slices.Delete(d.Statements, owned[0], owned[0]+1)
		return true
	},
	"a principal is lost": eachOwned(func(s *policy.Statement) bool {
		s.Principal = &policy.Principals{AWS: s.Principal.AWS[1:]}
		return true
	}),
	"a principal is new": eachOwned(func(s *policy.Statement) bool {
		s.Principal = &policy.Principals{AWS: append(slices.Clone(s.Principal.AWS), "123456789012")}
		return true
	}),
	"everyone is let in": eachOwned(func(s *policy.Statement) bool {
		s.Principal = &policy.Principals{Everyone: true}
		return true
	}),
	"everyone is let in by ARN": eachOwned(func(s *policy.Statement) bool {
		s.Principal = &policy.Principals{AWS: append([]string{"*"}, s.Principal.AWS...)}
		return true
	}),
	"a role becomes its account": eachOwned(func(s *policy.Statement) bool {
		arn, known := policy.ParseIAMARN(s.Principal.AWS[0])
		if !known || arn.IsRoot() {
			return false
		}
		s.Principal = &policy.Principals{AWS: append([]string{arn.Root().String()}, s.Principal.AWS[1:]...)}
		return true
	}),
	"it denies": eachOwned(func(s *policy.Statement) bool { s.Effect = policy.Deny; return true }),
	"another action": eachOwned(func(s *policy.Statement) bool {
		s.Action = []string{"bedrock-agentcore:*"}
		return true
	}),
	"another resource": eachOwned(func(s *policy.Statement) bool { s.Resource = []string{"*"}; return true }),
	"no condition": eachOwned(func(s *policy.Statement) bool {
		if s.Condition == nil {
			return false
		}
		s.Condition = nil
		return true
	}),
	"one condition less": eachOwned(func(s *policy.Statement) bool {
		if len(s.Condition) < 2 {
			return false
		}
		s.Condition = maps.Clone(s.Condition)
		delete(s.Condition, slices.Sorted(maps.Keys(s.Condition))[0])
		return true
	}),
	"one value less": eachOwned(func(s *policy.Statement) bool {
		return eachValues(s, func(values []string) []string {
			if len(values) < 2 {
				return nil
			}
			return values[:len(values)-1]
		})
	}),
	"one value more": eachOwned(func(s *policy.Statement) bool {
		return eachValues(s, func(values []string) []string { return append(slices.Clone(values), "192.0.2.0/24") })
	}),
	"a condition more": eachOwned(func(s *policy.Statement) bool {
		s.Condition = maps.Clone(s.Condition)
		if s.Condition == nil {
			s.Condition = policy.Condition{}
		}
		s.Condition["Bool"] = map[string][]string{"aws:SecureTransport": {"true"}}
		return true
	}),
	"another name": eachOwned(func(s *policy.Statement) bool {
		if s.Condition[opARN] == nil {
			return false
		}
		s.Condition = maps.Clone(s.Condition)
		s.Condition[opARN] = map[string][]string{keyPrincipal: {"arn:aws:iam::*:role/*"}}
		return true
	}),
	"one Sid twice": func(d *policy.Document, owned []int) bool {
		if len(owned) == 0 {
			return false
		}
		d.Statements = append(d.Statements, d.Statements[owned[0]])
		return true
	},
	"more bytes than fit": func(d *policy.Document, owned []int) bool {
		if len(owned) == 0 {
			return false
		}
		s := &d.Statements[owned[0]]
		s.Principal = &policy.Principals{AWS: slices.Clone(s.Principal.AWS)}
		for len(d.String()) <= MaxPolicyBytes {
			for range 100 {
				s.Principal.AWS = append(s.Principal.AWS, s.Principal.AWS[0])
			}
		}
		return true
	},
	"a foreign statement is lost": func(d *policy.Document, owned []int) bool {
		for i := range d.Statements {
			if !slices.Contains(owned, i) {
				d.Statements = slices.Delete(d.Statements, i, i+1)
				return true
			}
		}
		return false
	},
	"a foreign statement is changed": func(d *policy.Document, owned []int) bool {
		for i := range d.Statements {
			if !slices.Contains(owned, i) {
				d.Statements[i].Sid += "x"
				return true
			}
		}
		return false
	},
	"two foreign statements change places": func(d *policy.Document, owned []int) bool {
		for i := 1; i < len(d.Statements) && !slices.Contains(owned, i-1) && !slices.Contains(owned, i); i++ {
			if d.Statements[i].String() != d.Statements[i-1].String() {
				d.Statements[i], d.Statements[i-1] = d.Statements[i-1], d.Statements[i]
				return true
			}
		}
		return false
	},
}

func eachOwned(change func(*policy.Statement) bool) func(*policy.Document, []int) bool {
	return func(d *policy.Document, owned []int) bool {
		return slices.ContainsFunc(owned, func(i int) bool { return change(&d.Statements[i]) })
	}
}

// eachValues changes the first list of places of a condition that can be. A name that
// belongs to no account of the statement is left alone: it means nothing.
func eachValues(s *policy.Statement, change func([]string) []string) bool {
	for _, operator := range slices.Sorted(maps.Keys(s.Condition)) {
		for _, key := range slices.Sorted(maps.Keys(s.Condition[operator])) {
			changed := change(s.Condition[operator][key])
			if changed == nil || operator == opARN {
				continue
			}
			s.Condition = maps.Clone(s.Condition)
			s.Condition[operator] = maps.Clone(s.Condition[operator])
			s.Condition[operator][key] = changed
			return true
		}
	}
	return false
}

// copyOf is a document that can be changed while the original cannot notice.
func copyOf(d *policy.Document, installation string) (changed *policy.Document, owned []int) {
	if d == nil {
		return nil, nil
	}
	changed = d.WithStatements(slices.Clone(d.Statements)...)
	for i, s := range changed.Statements {
		if ours, _ := split(d.WithStatements(s), installation); len(ours) > 0 {
			owned = append(owned, i)
		}
	}
	return changed, owned
}

func TestProofFailsOnChangedPolicy(t *testing.T) {
	placed := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		w, limits := genWorld(t)
		d := made(t, w, limits).draft
		want, err := d.solver.document(slices.Collect(maps.Keys(d.admitted)))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Sorted(maps.Keys(mutations)) {
			changed, owned := copyOf(want, limits.Installation)
			if changed == nil || !mutations[name](changed, owned) {
				continue
			}
			placed[name]++
			if err := prove(d.solver, changed, d.admitted); grant.CodeOf(err) != grant.CodeProofFailed {
				t.Fatalf("%s, and it passes: %v\n%v\n%v", name, err, want, changed)
			}
		}
		if want != nil && prove(d.solver, nil, d.admitted) == nil {
			t.Fatal("its deletion passes")
		}
	})
	for name := range mutations {
		if placed[name] == 0 {
			t.Errorf("%s: no policy offered a place for it", name)
		}
	}
}

// The evaluator's part of the proof must see by itself what reading back sees:
// each is there in case the other is wrong.
func TestProofFindsMissingAndExtraPrincipals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		accesses, gateway, partition := genAccesses(t)
		wanted := make(map[Access]int64)
		for a := range accesses {
			wanted[a.lasting()] = a.Until
		}
		c := compiler{resource: gateway, partition: partition, limits: DefaultLimits(), Encoding: Encoding{Layout: layoutOf(wanted)}}
		document := func(set map[Access]bool) *policy.Document {
			return &policy.Document{Version: policy.Version2012, Statements: c.compile(slices.Collect(maps.Keys(set)))}
		}
		if err := proveDecisions(c, document(accesses), accesses); err != nil {
			t.Fatal(err)
		}
		for a := range accesses {
			fewer := maps.Clone(accesses)
			delete(fewer, a)
			covered := false
			for other := range fewer {
				covered = covered || other.admits(probes(a)[0])
			}
			if !covered && proveDecisions(c, document(fewer), accesses) == nil {
				t.Fatalf("%s is missing, and it passes", fmt.Sprint(a))
			}
		}
	})
}

// Each value of a condition is asked about, not the first only.
func TestProofFindsMissingValue(t *testing.T) {
	missed := 0
	rapid.Check(t, func(t *rapid.T) {
		accesses, gateway, partition := genAccesses(t)
		c := compiler{resource: gateway, partition: partition, limits: DefaultLimits()}
		for a := range accesses {
			values := strings.Split(a.Where.IP, ",")
			if len(values) < 2 {
				continue
			}
			fewer := make(map[Access]bool)
			for other := range accesses {
				if other.Where == a.Where {
					other.Where.IP = strings.Join(values[:len(values)-1], ",")
				}
				fewer[other] = true
			}
			matters := true // whichever access it is asked with
			for other := range accesses {
				matters = matters && (other.Where != a.Where ||
					slices.ContainsFunc(valueProbes(other), func(p probe) bool { return admit(accesses, p) != admit(fewer, p) }))
			}
			document := &policy.Document{Version: policy.Version2012, Statements: c.compile(slices.Collect(maps.Keys(fewer)))}
			if !matters {
				continue
			}
			missed++
			if proveDecisions(c, document, accesses) == nil {
				t.Fatalf("%q is missing from %+v, and it passes", values[len(values)-1], a)
			}
		}
	})
	if missed == 0 {
		t.Error("no access had several values")
	}
}

func admit(accesses map[Access]bool, p probe) bool {
	for a := range accesses {
		if a.admits(p) {
			return true
		}
	}
	return false
}

package plan

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// drafted is a plan with what it was made of.
type drafted struct {
	Plan
	draft draft
}

func made(t *rapid.T, w World, limits Limits) drafted {
	p, d, err := makeWith(prove, w, limits)
	if err != nil {
		t.Fatalf("%v\nobserved %v", err, w.Gateway.Policy)
	}
	return drafted{p, d}
}

func texts(statements []policy.Statement) []string {
	all := []string{}
	for _, s := range statements {
		all = append(all, s.String())
	}
	return all
}

func TestForeignBytesAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, limits := genWorld(t)
		p := made(t, w, limits)
		_, before := split(w.Gateway.Policy, limits.Installation)
		_, after := split(p.Want, limits.Installation)
		if diff := cmp.Diff(texts(before), texts(after)); diff != "" {
			t.Fatalf("foreign statements: -before +after\n%s", diff)
		}
		if p.Want != nil && w.Gateway.Policy != nil {
			frame := w.Gateway.Policy.WithStatements().String()
			if got := p.Want.WithStatements().String(); got != frame {
				t.Fatalf("the document's other elements were %s and are %s", frame, got)
			}
		}
		if p.Want != nil && len(p.Want.Statements) == 0 {
			t.Fatal("an empty list of statements, which AWS refuses")
		}
	})
}

func TestPolicyStaysWithinLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, limits := genWorld(t)
		p := made(t, w, limits)
		if p.Want == nil {
			return
		}
		if written := len(p.Want.Bytes()); written > limits.MaxBytes || len(p.Want.Statements) > limits.MaxStatements {
			t.Fatalf("%d bytes and %d statements, of %+v", written, len(p.Want.Statements), limits)
		}
		if p.Size != p.draft.solver.compiler.meter().measure(p.Want) {
			t.Fatalf("its plan has %+v", p.Size)
		}
		if p.Size.Bytes > limits.MaxBytes && slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Verb == Add }) {
			t.Fatalf("a new principal was let in, to %d bytes as accounted, of %d", p.Size.Bytes, limits.MaxBytes)
		}
	})
}

func TestStandingAccessIsNeverEvicted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, limits := genWorld(t)
		p := made(t, w, limits)
		wanted := ends(p.draft.claims)
		for a := range lasting(p.draft.observed.accesses) {
			refusal, refused := p.Refused[a.principal()]
			_, claimed := wanted[a]
			if claimed && (!refused || !refusal.Holds(w.Now)) && !p.draft.verdict.admitted[a] {
				t.Fatalf("%+v had to go\nfrom %v\nto   %v", a, w.Gateway.Policy, p.Want)
			}
		}
	})
}

func TestNothingIsAddedBesideASibling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, limits := genWorld(t)
		p := made(t, w, limits)
		stood := lasting(p.draft.observed.accesses)
		for a := range lasting(p.draft.admitted) {
			if len(siblings(p.draft.solver.foreign)) > 0 && !stood[a] {
				t.Fatalf("%+v was added to %v", a, w.Gateway.Policy)
			}
		}
	})
}

func TestLeftOutPrincipalsDoNotFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, limits := genWorld(t)
		p := made(t, w, limits)
		admitted := lasting(p.draft.admitted)
		for a := range ends(p.draft.claims) {
			refusal, refused := p.Refused[a.principal()]
			if admitted[a] || refused && refusal.Holds(w.Now) || len(siblings(p.draft.solver.foreign)) > 0 {
				continue
			}
			more := maps.Clone(admitted)
			more[a] = true
			statements := p.draft.solver.compiler.compile(slices.Collect(maps.Keys(more)))
			document := w.Gateway.Policy.WithStatements(append(slices.Clone(p.draft.solver.foreign), statements...)...)
			if size := p.draft.solver.compiler.meter().measure(document); size.Bytes <= limits.MaxBytes && size.Statements <= limits.MaxStatements {
				t.Fatalf("%+v was left out, and with it there would be %+v of %d bytes and %d statements", a, size, limits.MaxBytes, limits.MaxStatements)
			}
		}
	})
}

func TestSameWorldHasSamePlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, limits := genWorld(t)
		first := made(t, w, limits)
		w.Rows = rapid.Permutation(w.Rows).Draw(t, "another order")
		second := made(t, w, limits)
		if first.Want.String() != second.Want.String() || first.Hash != second.Hash {
			t.Fatalf("first  %v\nsecond %v", first.Want, second.Want)
		}
		if diff := cmp.Diff(first.Status, second.Status); diff != "" {
			t.Fatalf("statuses: -first +second\n%s", diff)
		}
	})
}

func TestAppliedPlanIsNotWrittenAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, limits := genWorld(t)
		p := made(t, w, limits)
		w = applied(w, p)
		if w.Accounts.Availability() == directory.Unreadable {
			// An account that one grant has admitted needs no directory for another
			// grant, so that the later expiry counts: that takes a pass of its own.
			p = made(t, w, limits)
			w = applied(w, p)
		}
		again := made(t, w, limits)
		if again.Write || again.Hash != p.Hash {
			t.Fatalf("it differs:\nfirst %v\nthen  %v", p.Want, again.Want)
		}
		for key, status := range again.Status {
			if !status.Same(p.Status[key]) {
				t.Fatalf("the status of %s was %+v and is %+v", key, p.Status[key], status)
			}
		}
		if len(again.Notices) > 0 {
			t.Fatalf("notices again: %+v", again.Notices)
		}
	})
}

// applied is the world after the plan was written and recorded.
func applied(w World, p drafted) World {
	switch {
	case !p.Write:
	case p.Want == nil:
		w.Gateway.Policy = nil
	default:
		w.Gateway.Policy = parsed(p.Want.String())
	}
	w.Gateway.Recorded.Gateway.Open = p.Outside.Open()
	w.Gateway.Recorded.Gateway.Refused, w.Gateway.Recorded.Gateway.Pinned = p.Refused, p.Pinned
	w.Gateway.Recorded.Gateway.WriteAhead = p.WriteAhead
	w.Gateway.Recorded.Grants = p.Status
	return w
}

func TestCompiledStatementsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		accesses, gateway, partition := genAccesses(t)
		limits := DefaultLimits()
		wanted := make(map[Access]int64)
		for a := range accesses {
			wanted[a.lasting()] = a.Until
		}
		c := compiler{resource: gateway, partition: partition, limits: limits, Encoding: Encoding{Layout: layoutOf(wanted), Short: rapid.Bool().Draw(t, "short")}}
		statements := c.compile(slices.Collect(maps.Keys(accesses)))
		owned := decompile(statements, gateway, partition)
		if diff := cmp.Diff(accesses, owned.accesses, cmp.AllowUnexported(Access{}, Narrowing{})); diff != "" || len(owned.strange)+len(owned.leftovers) > 0 {
			t.Fatalf("-written +read\n%s%v", diff, statements)
		}
		document := &policy.Document{Version: policy.Version2012, Statements: statements}
		if again := decompile(parsed(document.String()).Statements, gateway, partition); !maps.Equal(accesses, again.accesses) {
			t.Fatalf("once printed: %v", document)
		}
	})
}

// A grant, read without any of the compiler's terms.
func lets(row grant.Row, w World, caller policy.Caller, context map[string][]string) bool {
	if row.Fault != nil || !row.Grant.Live(w.Now) {
		return false
	}
	g := row.Grant
	in := func(values []string, key string, match func(value, presented string) bool) bool {
		return len(values) == 0 || len(context[key]) == 1 &&
			slices.ContainsFunc(values, func(v string) bool { return match(v, context[key][0]) })
	}
	same := func(value, presented string) bool { return value == presented }
	within := func(value, presented string) bool {
		return value == canonicalSource(presented) || contains(value, presented)
	}
	if !in(g.Conditions.SourceVPCE, keyVPCE, same) || !in(g.Conditions.SourceVPC, keyVPC, same) || !in(g.Conditions.SourceIP, keyIP, within) {
		return false
	}
	arn, partition := caller.PrincipalARN, w.Gateway.Gateway.Partition()
	if !g.Principal.IsSelector() {
		subject := g.Subject()
		return (subject.Partition() == "" || subject.Partition() == partition) && subject.Account() == caller.Account &&
			(subject.Kind() == grant.KindAccount || glob(subject.ARN(partition), arn))
	}
	ids, known := w.Accounts.Select(g.Principal, g.Exclude)
	if !known {
		ids = w.Gateway.Recorded.Gateway.Selected[SelectionKey(g)]
		ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(g.Exclude.Accounts, id) })
	}
	return slices.Contains(ids, caller.Account) && (g.Role == "" || glob("arn:"+partition+":iam::"+caller.Account+":role/"+g.Role, arn))
}

func TestAccessIsExactlyThatOfAdmittedGrants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, limits := genWorld(t)
		p := made(t, w, limits)
		owned, _ := split(p.Want, limits.Installation)
		for range 10 {
			account := pick(t, "caller's account", manyAccounts(12))
			exact := "arn:" + w.Gateway.Gateway.Partition() + ":iam::" + account
			caller := policy.Role(exact+":role/"+pick(t, "caller's role", []string{"Agent", "team/Agent", "Agent2", "Axent", "team/x/y", "Other"}), "s")
			if chance(t, "a user", 5) {
				caller = policy.User(exact + ":user/" + pick(t, "user", []string{"Ann", "Agent"}))
			}
			context := map[string][]string{keyIP: {pick(t, "from", []string{"203.0.113.9", "198.51.100.7", "198.51.100.8", "192.0.2.1", "2001:db8::1", "2001:db8::2", "::ffff:198.51.100.7"})}}
			if rapid.Bool().Draw(t, "from a VPC") {
				context[keyVPC], context[keyVPCE] = []string{"vpc-0123456789abcdef0"}, []string{"vpce-0123456789abcdef0"}
			}
			allowed := p.draft.solver.compiler.decide(&policy.Document{Version: policy.Version2012, Statements: owned}, probe{caller: caller, context: context, now: w.Now.Unix()}).Allowed
			var wholly, partly bool
			for _, row := range w.Rows {
				if lets(row, w, caller, context) {
					status := p.Status[row.Key]
					wholly = wholly || status.Phase == grant.PhaseAdmitted && status.Reason == ""
					partly = partly || status.Phase == grant.PhaseAdmitted
					if status.Phase == grant.PhaseLeftOut && status.Reason == "" {
						t.Fatalf("%s is left out and nothing says why", row.Key)
					}
				}
			}
			if wholly && !allowed || allowed && !partly {
				t.Fatalf("%s from %v: allowed is %t; an admitted grant means it: %t, at least partly: %t\n%v\n%+v", caller, context, allowed, wholly, partly, p.Want, p.Status)
			}
		}
	})
}

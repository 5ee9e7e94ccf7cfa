package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// failing is a prover that finds fault, besides, with every document that admits all
// accesses of one of the sets.
func failing(sets ...[]Access) prover {
	return func(p solver, document *policy.Document, admitted map[Access]bool) error {
		without := lasting(admitted)
		for _, set := range sets {
			if !slices.ContainsFunc(set, func(a Access) bool { return !without[a] }) {
				return disproved("the test says so")
			}
		}
		return prove(p, document, admitted)
	}
}

// genFaults draws sets of accesses that cannot be proved, and says which are in one.
func genFaults(t *rapid.T, admitted []Access) (sets [][]Access, faulty map[Access]bool) {
	faulty = map[Access]bool{}
	for range rapid.IntRange(1, 3).Draw(t, "faults") {
		if len(admitted) == 0 {
			break
		}
		a := pick(t, "faulty", admitted)
		if faulty[a] {
			continue
		}
		faulty[a] = true
		set := []Access{a}
		if b := pick(t, "beside", admitted); !faulty[b] && chance(t, "only together", 2) {
			faulty[b] = true
			set = append(set, b)
		}
		sets = append(sets, set)
	}
	return sets, faulty
}

// Whatever cannot be proved, alone or together, is left out by itself: no failure of
// the product holds up what has nothing to do with it.
func TestUnprovableAccessIsLeftOutAlone(t *testing.T) {
	found := map[int]int{}
	rapid.Check(t, func(t *rapid.T) {
		w, limits := genWorld(t)
		limits.MaxBytes, limits.MaxStatements = MaxPolicyBytes, MaxPolicyStatements
		good := made(t, w, limits)
		admitted := slices.SortedFunc(maps.Keys(good.draft.verdict.admitted), compareAccess)
		sets, faulty := genFaults(t, admitted)
		p, d, err := makeWith(failing(sets...), w, limits)
		if err != nil {
			t.Fatalf("it stops the plan: %v", err)
		}
		left := 0
		for a := range good.draft.verdict.admitted {
			switch {
			case !faulty[a] && !d.verdict.admitted[a]:
				t.Fatalf("%+v went with what cannot be proved, %+v", a, sets)
			case !d.verdict.admitted[a]:
				left++
			}
		}
		found[len(sets)]++
		if left != len(sets) {
			t.Fatalf("%d accesses were left out, of %+v", left, sets)
		}
		for a := range lasting(d.observed.accesses) {
			if _, wanted := ends(d.claims)[a]; !wanted && d.verdict.admitted[a] {
				t.Fatalf("%+v was to go", a)
			}
		}
		for key, status := range p.Status {
			before := good.Status[key]
			if len(status.Admitted) < len(before.Admitted) && before.Reason == "" && status.Reason != grant.CodeProofFailed {
				t.Fatalf("%s was %+v and is %+v", key, before, status)
			}
		}
		part := slices.SortedFunc(maps.Keys(good.draft.admitted), compareAccess)
		if _, err := d.solver.solve(part[:len(part)/2]); err != nil {
			t.Fatalf("it stops a search for what AWS refuses: %v", err)
		}
	})
	if found[1] == 0 || found[2] == 0 {
		t.Errorf("too few faults were placed: %v", found)
	}
}

func TestUnprovableAccessIsReported(t *testing.T) {
	const bad, standing = "arn:aws:iam::444455556666:root", "arn:aws:iam::777788889999:root"
	from := map[string]any{"sourceIp": []any{"203.0.113.0/24"}}
	row := func(id, principal string, conditions map[string]any) grant.Row {
		attributes := grant.Attributes{"gateway": aGateway, "grant": id, "principal": principal}
		if conditions != nil {
			attributes["conditions"] = conditions
		}
		return grant.Parse(attributes)
	}
	gateway, err := grant.ParseGateway(aGateway)
	if err != nil {
		t.Fatal(err)
	}
	w := World{Now: moment, Gateway: Observed{Gateway: gateway, Exists: true, Authorizer: "AWS_IAM", Status: "READY", Managed: true}}
	w.Rows = []grant.Row{row("revoked", standing, nil), row("stays", "888899990000", nil)}
	before, err := Make(w, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	w.Gateway.Policy = before.Want
	w.Rows = []grant.Row{row("bad", bad, from), row("new", "999900001111", nil), row("stays", "888899990000", nil)}

	p, _, err := makeWith(failing([]Access{{Who: policy.AccountRoot("aws", "444455556666"), Where: narrow(w.Rows[0].Grant.Conditions)}}), w, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	var verbs []string
	for _, c := range p.Changes {
		verbs = append(verbs, strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Verb, c.Principal, c.Reason)))
	}
	want := []string{"LeaveOut " + bad + " ProofFailed", "Remove " + standing, "Keep arn:aws:iam::888899990000:root", "Add arn:aws:iam::999900001111:root"}
	if diff := cmp.Diff(want, verbs); diff != "" {
		t.Errorf("changes: -want +got\n%s", diff)
	}
	status := p.Status[w.Rows[0].Key]
	if status.Phase != grant.PhaseLeftOut || status.Reason != grant.CodeProofFailed || !strings.Contains(status.Message, bad+" (from 203.0.113.0/24)") {
		t.Errorf("%+v", status)
	}
	if len(p.Notices) != 1 || p.Notices[0].Type != GrantQuarantined || p.Notices[0].Detail.(GrantDetail).Reason != grant.CodeProofFailed {
		t.Errorf("notices: %+v", p.Notices)
	}
}

// An end that cannot be proved is left to the sweep; the access stays.
func TestUnprovableExpiryCostsNoAccess(t *testing.T) {
	gateway, err := grant.ParseGateway(aGateway)
	if err != nil {
		t.Fatal(err)
	}
	w := World{Now: moment, Gateway: Observed{Gateway: gateway, Exists: true, Authorizer: "AWS_IAM", Status: "READY", Managed: true}}
	w.Rows = []grant.Row{grant.Parse(grant.Attributes{"gateway": aGateway, "grant": "ends", "principal": "444455556666", "expires": moment.Add(time.Hour).Format(time.RFC3339)})}
	noEnds := func(p solver, document *policy.Document, admitted map[Access]bool) error {
		for a := range admitted {
			if a.Until != 0 {
				return disproved("the test says so")
			}
		}
		return prove(p, document, admitted)
	}
	p, _, err := makeWith(noEnds, w, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Status[w.Rows[0].Key]; got.Phase != grant.PhaseAdmitted || got.Reason != "" || p.Due.IsZero() {
		t.Errorf("%+v, due %s", got, p.Due)
	}
}

// However many causes there are, the search ends, and removals go ahead.
func TestSearchForUnprovableIsBounded(t *testing.T) {
	for _, test := range []struct {
		reason  string
		proves  prover
		removed int
		left    int
		most    int // accesses proved altogether
	}{
		{"nothing can be proved", func(p solver, document *policy.Document, admitted map[Access]bool) error {
			if len(admitted) > 0 {
				return disproved("the test says so")
			}
			return prove(p, document, admitted)
		}, 600, 600, 10_000},
		{"every access alone, no two together", func(p solver, document *policy.Document, admitted map[Access]bool) error {
			if len(admitted) > 1 {
				return disproved("the test says so")
			}
			return prove(p, document, admitted)
		}, 599, 599, 20_000},
	} {
		t.Run(test.reason, func(t *testing.T) {
			w, limits := benchWorld(t, 600)
			asked := 0
			p, d, err := makeWith(func(p solver, document *policy.Document, admitted map[Access]bool) error {
				asked += len(admitted)
				return test.proves(p, document, admitted)
			}, w, limits)
			if err != nil {
				t.Fatal(err)
			}
			removed := 0
			for _, c := range p.Changes {
				if c.Verb == Remove {
					removed++
				}
			}
			if removed != test.removed || len(d.verdict.unproved) != test.left {
				t.Errorf("%d removed, %d left out", removed, len(d.verdict.unproved))
			}
			if asked > test.most {
				t.Errorf("%d accesses were proved", asked)
			}
		})
	}
}

func TestOnlyForeignStatementsBlockPlans(t *testing.T) {
	w, limits := benchWorld(t, 10)
	_, _, err := makeWith(func(solver, *policy.Document, map[Access]bool) error { return disproved("the test says so") }, w, limits)
	if grant.CodeOf(err) != grant.CodeProofFailed {
		t.Errorf("%v", err)
	}
}

package plan

import (
	"cmp"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// solver compiles and proves: any set of accesses is written behind the same foreign
// statements, in the same encoding, and proved in the same way.
type solver struct {
	compiler compiler
	base     *policy.Document // as observed
	foreign  []policy.Statement
	prove    prover
}

// prover checks a document against what was admitted.
type prover func(p solver, document *policy.Document, admitted map[Access]bool) error

// document compiles and proves a set of accesses, behind the foreign statements.
// With neither there is no policy: an empty Statement is invalid.
func (p solver) document(accesses []Access) (*policy.Document, error) {
	var document *policy.Document
	if owned := p.compiler.compile(accesses); len(p.foreign)+len(owned) > 0 {
		document = p.base.WithStatements(append(slices.Clone(p.foreign), owned...)...)
	}
	return document, p.prove(p, document, setOf(accesses))
}

func setOf(accesses []Access) map[Access]bool {
	set := make(map[Access]bool, len(accesses))
	for _, a := range accesses {
		set[a] = true
	}
	return set
}

// solution is the document of as many accesses as can be proved.
type solution struct {
	document *policy.Document
	admitted []Access
	unproved map[Access]error // why the others are left out; keys without ends
}

// solve compiles as many of the accesses as can be proved, those first in the order
// before those behind them. A proof fails only where the product is at fault, and a
// fault must not hold up what has nothing to do with it, least of all a removal. The
// cause is therefore looked for as that of a refusal by AWS is. It fails, with
// CodeProofFailed, only if not even the document without accesses can be proved.
func (p solver) solve(ordered []Access) (solution, error) {
	document, err := p.document(ordered)
	if err == nil {
		return solution{document: document, admitted: ordered}, nil
	}
	if document, err = p.document(nil); err != nil {
		return solution{}, err
	}
	s := &search{solver: p, budget: searchBudget, found: solution{document: document, unproved: make(map[Access]error)}}
	var provable []Access
	for _, account := range byAccount(ordered) {
		s.found.admitted = nil
		s.addEach(account)
		provable = append(provable, s.found.admitted...)
	}
	s.found.admitted, s.found.document = nil, document
	s.add(inOrder(ordered, provable))
	return s.found, nil
}

// searchBudget bounds the work of a search for what cannot be proved: how many
// accesses are compiled and proved altogether, which takes some seconds. What is not
// proved by then is left out.
const searchBudget = 200_000

// search looks for the accesses that can be proved together.
type search struct {
	solver solver
	budget int
	found  solution
}

// addEach adds the accesses of one account that can be proved alone, and then as
// many of them together as can be.
func (s *search) addEach(account []Access) {
	var alone []Access
	for _, a := range account {
		if _, err := s.try([]Access{a}); err == nil {
			alone = append(alone, a)
			continue
		} else if a.Until == 0 {
			s.found.unproved[a] = err
			continue
		}
		// The sweep can end the access instead of the policy.
		if _, err := s.try([]Access{a.lasting()}); err == nil {
			alone = append(alone, a.lasting())
		} else {
			s.found.unproved[a.lasting()] = err
		}
	}
	s.add(alone)
}

// add adds the group to what can be proved, and splits it where that fails.
func (s *search) add(group []Access) {
	if len(group) == 0 {
		return
	}
	together := append(slices.Clone(s.found.admitted), group...)
	document, err := s.try(together)
	switch {
	case err == nil:
		s.found.admitted, s.found.document = together, document
	case len(group) == 1:
		s.found.unproved[group[0].lasting()] = err
	default:
		s.add(group[:len(group)/2])
		s.add(group[len(group)/2:])
	}
}

// try compiles and proves the accesses while the budget lasts.
func (s *search) try(accesses []Access) (*policy.Document, error) {
	if s.budget -= len(accesses); s.budget < 0 {
		return nil, disproved("there are more causes than one run can find")
	}
	return s.solver.document(accesses)
}

// byAccount parts the accesses by account, each in its order: accesses of different
// accounts never concern the same callers.
func byAccount(ordered []Access) [][]Access {
	of := make(map[string]int)
	var parts [][]Access
	for _, a := range ordered {
		if _, known := of[a.Who.Account]; !known {
			of[a.Who.Account] = len(parts)
			parts = append(parts, nil)
		}
		parts[of[a.Who.Account]] = append(parts[of[a.Who.Account]], a)
	}
	return parts
}

// inOrder sorts the accesses as they stand in the order, their ends aside.
func inOrder(ordered, accesses []Access) []Access {
	place := make(map[Access]int, len(ordered))
	for i, a := range ordered {
		place[a.lasting()] = i
	}
	slices.SortStableFunc(accesses, func(a, b Access) int { return cmp.Compare(place[a.lasting()], place[b.lasting()]) })
	return accesses
}

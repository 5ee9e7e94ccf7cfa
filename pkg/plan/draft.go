package plan

import (
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// draft is what a plan was compiled from, so that parts of it can be compiled.
type draft struct {
	world    World
	compiler compiler
	base     *policy.Document
	foreign  []policy.Statement
	admitted map[access]bool
	claims   []claim
	verdict  verdict
	said     reading // what our statements say now
}

// document compiles and proves some of the accesses, behind the foreign
// statements. With neither there is no policy: an empty Statement is invalid.
func (d draft) document(accesses map[access]bool) (*policy.Document, error) {
	list := make([]access, 0, len(accesses))
	for a := range accesses {
		list = append(list, a)
	}
	var document *policy.Document
	if owned := d.compiler.compile(list); len(d.foreign)+len(owned) > 0 {
		document = d.base.WithStatements(append(slices.Clone(d.foreign), owned...)...)
	}
	return document, prove(d.compiler, d.base, document, d.foreign, accesses)
}

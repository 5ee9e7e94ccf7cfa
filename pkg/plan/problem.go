package plan

import (
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Problem is what the document of a plan was compiled from. It is data: the same
// problem always has the same documents.
type Problem struct {
	Gateway  grant.Gateway
	Limits   Limits           // under the accounting in force
	Base     *policy.Document // as observed; its foreign statements stay as they are
	Encoding Encoding
	Accesses []Access // that were admitted, in the order in which they have precedence
}

// Encoding is how accesses are written as statements.
type Encoding struct {
	Layout Layout
	Short  bool               // accounts are written as 12-digit ids, which means the same
	Kept   []policy.Statement // not nil: no layout has room, and these stay as they stand
	// Single gives each principal a statement of its own, for an AWS that refuses a
	// list of principals, but for the accesses that are Listed: what stands in a list
	// was accepted once, and stays there. Listed accesses are without ends.
	Single bool
	Listed map[Access]bool
}

// Solution is a document that was proved to do what it was compiled for.
type Solution struct {
	Document *policy.Document // nil for no policy
	Hash     string           // of our statements in it
}

// Compile writes the accesses of some of the principals, which are ARNs, behind the
// foreign statements, and proves the document as the whole is proved. Accesses that
// cannot be proved without those of the other principals are left out of it. It fails,
// with CodeProofFailed, only if not even the foreign statements alone can be proved.
func (p Problem) Compile(principals []string) (Solution, error) {
	var part []Access
	for _, a := range p.Accesses {
		if slices.Contains(principals, a.principal()) {
			part = append(part, a)
		}
	}
	solved, err := p.solver(prove).solve(part)
	if err != nil {
		return Solution{}, err
	}
	return Solution{Document: solved.document, Hash: hash(setOf(solved.admitted), nil)}, nil
}

// CompileSingles is Compile, and the same with a statement for each principal.
func (p Problem) CompileSingles(principals []string) (lists, singles Solution, err error) {
	if lists, err = p.Compile(principals); err != nil {
		return Solution{}, Solution{}, err
	}
	p.Encoding = Encoding{Layout: p.Encoding.Layout, Short: p.Encoding.Short, Single: true}
	singles, err = p.Compile(principals)
	return lists, singles, err
}

func (p Problem) solver(prove prover) solver {
	_, foreign := split(p.Base, p.Limits.Installation)
	return solver{compiler: p.compiler(), base: p.Base, foreign: foreign, prove: prove}
}

func (p Problem) compiler() compiler {
	return compiler{resource: p.Gateway.ARN(), partition: p.Gateway.Partition(), limits: p.Limits, Encoding: p.Encoding}
}

// owned is what our statements in a document say.
func (p Problem) owned(document *policy.Document) observation {
	owned, _ := split(document, p.Limits.Installation)
	return decompile(owned, p.Gateway.ARN(), p.Gateway.Partition())
}

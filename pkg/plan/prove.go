package plan

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// prove checks a compiled document, as AWS would read it, against what was
// admitted: it says exactly that, within the limits, foreign statements are
// untouched, and the evaluator lets in those admitted and no caller near them.
// Only our own statements are judged: what foreign ones allow or deny is theirs.
// What stands may be beyond the limits already, and must be allowed to shrink.
func prove(p solver, want *policy.Document, admitted map[Access]bool) error {
	if want == nil {
		if len(p.foreign) > 0 || len(admitted) > 0 {
			return disproved("the policy would be deleted although it has something to say")
		}
		return nil
	}
	read, err := policy.Parse(want.Bytes())
	if err != nil {
		return disproved("it cannot be parsed: " + err.Error())
	}
	if err := proveSize(p, read); err != nil {
		return err
	}
	owned, kept := split(read, p.compiler.limits.Installation)
	if err := proveForeign(p.foreign, kept); err != nil {
		return err
	}
	if err := proveOwned(p.compiler, owned, admitted); err != nil {
		return err
	}
	return proveDecisions(p.compiler, &policy.Document{Version: read.Version, Statements: owned}, admitted)
}

func proveSize(p solver, want *policy.Document) error {
	size, written, room := p.compiler.meter().measure(want), len(want.Bytes()), p.compiler.room(p.base)
	switch {
	case size.Statements == 0:
		return disproved("it has no statement")
	case size.Bytes > room.size.Bytes:
		return disproved(fmt.Sprintf("it would have %d bytes", size.Bytes))
	case written > room.written:
		return disproved(fmt.Sprintf("it would be written in %d bytes", written))
	case size.Statements > room.size.Statements:
		return disproved(fmt.Sprintf("it would have %d statements", size.Statements))
	}
	return nil
}

// disproved is the failure of a proof: of one access where that is left out, or of
// the whole document.
func disproved(why string) error {
	return &grant.Error{Code: grant.CodeProofFailed, Op: "prove the compiled policy", Hint: why + "; please report this"}
}

func proveForeign(before, after []policy.Statement) error {
	if len(before) != len(after) {
		return disproved("a foreign statement would come or go")
	}
	for i := range before {
		if !bytes.Equal(before[i].Bytes(), after[i].Bytes()) {
			return disproved("foreign statement " + before[i].Sid + " would change")
		}
	}
	return nil
}

func proveOwned(c compiler, owned []policy.Statement, admitted map[Access]bool) error {
	sids := make(map[string]bool, len(owned))
	for _, s := range owned {
		if sids[s.Sid] {
			return disproved("two statements would be named " + s.Sid)
		}
		sids[s.Sid] = true
		for _, principal := range s.Principal.AWS {
			if strings.ContainsAny(principal, "*?") {
				return disproved("statement " + s.Sid + " would have a wildcard principal")
			}
		}
	}
	read := decompile(owned, c.resource, c.partition)
	if len(read.strange)+len(read.leftovers) > 0 {
		return disproved("its statements cannot be read back")
	}
	for a := range admitted {
		if !read.accesses[a] {
			return disproved(a.Who.String() + " would be missing")
		}
	}
	for a := range read.accesses {
		if !admitted[a] {
			return disproved(a.Who.String() + " would be let in by no grant")
		}
	}
	return nil
}

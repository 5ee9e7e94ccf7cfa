package plan

import (
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Entry is one principal that an Allow of a gateway's policy names.
type Entry struct {
	Statement

	Owned     bool   // the statement is this installation's
	Principal string // as an ARN, "*" for everyone, or as the policy writes it
	Access    Access // what it lets in; of a foreign statement who alone. Zero where that is no account, role or user
}

// Everyone is the Principal of an Entry that names everyone.
const Everyone = "*"

// Entries lists the principals that the Allows of a gateway's policy name, in its
// order. Statements that are not about calls of the gateway are among them.
func Entries(gateway grant.Gateway, document *policy.Document, installation string) []Entry {
	if document == nil {
		return nil
	}
	var all []Entry
	for i, s := range document.Statements {
		if s.Effect != policy.Allow {
			continue
		}
		base := Entry{Statement: Statement{Number: i + 1, Sid: s.Sid}, Owned: strings.HasPrefix(s.Sid, sidPrefix(installation))}
		if base.Owned {
			meaning := decompile([]policy.Statement{s}, gateway.ARN(), gateway.Partition())
			if len(meaning.strange) == 0 {
				all = append(all, base.understood(meaning)...)
				continue
			}
		}
		all = append(all, base.written(s, gateway.Partition())...)
	}
	return all
}

// understood are the entries of a statement of ours.
func (e Entry) understood(meaning observation) []Entry {
	var all []Entry
	for _, statement := range meaning.statements {
		for _, entry := range statement.entries {
			for _, a := range entry.accesses {
				e.Principal, e.Access = a.Who.String(), a
				all = append(all, e)
			}
		}
	}
	return all
}

// written are the entries of a statement as it names them.
func (e Entry) written(s policy.Statement, partition string) []Entry {
	switch {
	case s.NotPrincipal != nil:
		e.Principal = "all but " + strings.Join(s.NotPrincipal.AWS, ", ")
		return []Entry{e}
	case s.Principal == nil:
		return nil
	case s.Principal.Everyone:
		e.Principal = Everyone
		return []Entry{e}
	}
	var all []Entry
	for _, text := range s.Principal.AWS {
		e.Principal, e.Access = text, Access{}
		if who, known := policy.ParseAWSPrincipal(text, partition); known && who.UniqueID == "" {
			e.Principal, e.Access.Who = who.ARN.String(), who.ARN
		}
		all = append(all, e)
	}
	e.Access = Access{}
	for _, others := range [][]string{s.Principal.Service, s.Principal.Federated} {
		for _, text := range others {
			e.Principal = text
			all = append(all, e)
		}
	}
	return all
}

// Reach is how far the statement at an index of a gateway's policy applies to the
// calls of an access; one without a principal stands for a caller that no statement
// names.
func Reach(gateway grant.Gateway, document *policy.Document, index int, a Access) policy.Reach {
	c := compiler{resource: gateway.ARN(), partition: gateway.Partition()}
	if a.Who == (policy.IAMARN{}) {
		return document.Reach(index, c.call(stranger(c)), callersOwn...)
	}
	return c.reach(document, index, a)
}

// Means reports whether the caller is one that the access lets in, from anywhere.
func (a Access) Means(who policy.Caller) bool {
	named, ok := policy.ParseIAMARN(who.PrincipalARN)
	if !ok || named.Account != a.Who.Account {
		return false
	}
	return a.Who.IsRoot() || glob(a.Who.Resource, named.Resource)
}

// Describe says in words how far the access goes; "" for any call.
func (a Access) Describe() string { return a.describe() }

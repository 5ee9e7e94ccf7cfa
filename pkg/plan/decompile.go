package plan

import (
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// observation is what statements of ours were found to say.
type observation struct {
	accesses   map[Access]bool
	principals map[string]bool // ARNs in Principal, accounts as their roots
	shared     Layout          // roles that many accounts share a statement for
	leftovers  []string        // unique ids that deleted roles and users left behind
	statements []ownStatement
	strange    []policy.Statement
}

// ownStatement is a statement of ours, understood.
type ownStatement struct {
	statement policy.Statement
	template  Access   // from where, until when
	names     []string // what it compares the caller's ARN with; nil for nothing
	entries   []entry
}

// entry is a principal as the statement writes it, and what it lets in. The unique
// id of a deleted role or user lets in no one.
type entry struct {
	written  string
	accesses []Access
}

// decompile reads statements of ours back into the accesses they mean. What it
// cannot read, others have put under our name: those statements are
// strange.
func decompile(statements []policy.Statement, gateway, partition string) observation {
	r := observation{accesses: make(map[Access]bool), principals: make(map[string]bool), shared: make(Layout)}
	for _, s := range statements {
		own, ok := r.readStatement(s, gateway, partition)
		if !ok {
			r.strange = append(r.strange, s)
			continue
		}
		r.statements = append(r.statements, own)
		for _, e := range own.entries {
			for _, a := range e.accesses {
				r.accesses[a] = true
			}
		}
	}
	return r
}

// formed reports whether a statement has the form of ours, conditions aside.
func formed(s policy.Statement, gateway string) bool {
	return s.Effect == policy.Allow && s.NotPrincipal == nil && s.NotAction == nil && s.NotResource == nil &&
		onlyAWS(s.Principal) &&
		len(s.Action) == 1 && strings.EqualFold(s.Action[0], Action) &&
		len(s.Resource) == 1 && s.Resource[0] == gateway
}

func onlyAWS(who *policy.Principals) bool {
	return who != nil && !who.Everyone && len(who.AWS) > 0 &&
		len(who.Service)+len(who.Federated)+len(who.CanonicalUser)+len(who.Other) == 0
}

func (r *observation) readStatement(s policy.Statement, gateway, partition string) (ownStatement, bool) {
	if !formed(s, gateway) {
		return ownStatement{}, false
	}
	template, names, ok := readConditions(s.Condition)
	if !ok {
		return ownStatement{}, false
	}
	for _, name := range names {
		if arn, _ := policy.ParseIAMARN(name); arn.Account == "*" {
			r.shared[SharedRole{template.Where, arn.Resource}] = true
		}
	}
	own := ownStatement{statement: s, template: template, names: names}
	for _, written := range s.Principal.AWS {
		who, known := policy.ParseAWSPrincipal(written, partition)
		if !known {
			return ownStatement{}, false
		}
		if who.UniqueID != "" {
			r.leftovers = append(r.leftovers, who.UniqueID)
			own.entries = append(own.entries, entry{written: written})
			continue
		}
		r.principals[who.ARN.String()] = true
		accesses := own.letIn(who.ARN)
		if len(accesses) == 0 {
			return ownStatement{}, false
		}
		own.entries = append(own.entries, entry{written: written, accesses: accesses})
	}
	return own, true
}

// letIn is what the statement means for one of its principals.
func (s ownStatement) letIn(who policy.IAMARN) []Access {
	a := s.template
	if s.names == nil {
		a.Who = who
		return []Access{a}
	}
	var accesses []Access
	for _, name := range namesWithin(who, s.names) {
		a.Who, a.ByName = name, true
		accesses = append(accesses, a)
	}
	return accesses
}

// namesWithin lists the ARNs among names that callers from the root's account can
// have: a condition on aws:PrincipalArn lets in no caller by itself.
func namesWithin(root policy.IAMARN, names []string) []policy.IAMARN {
	if !root.IsRoot() {
		return nil
	}
	var within []policy.IAMARN
	for _, name := range names {
		arn, ok := policy.ParseIAMARN(name)
		if ok && arn.Account == "*" {
			arn.Account = root.Account
		}
		if ok && arn.Account == root.Account {
			within = append(within, arn)
		}
	}
	return within
}

// readConditions reads what a statement of ours asks of a call. Names is nil
// where the caller's ARN is not compared. IAM's operators and keys have no case.
func readConditions(c policy.Condition) (template Access, names []string, ok bool) {
	seen := make(map[string]bool)
	for operator, keys := range c {
		for key, values := range keys {
			test := strings.ToLower(operator + " " + key)
			if seen[test] || len(values) == 0 {
				return Access{}, nil, false
			}
			seen[test] = true
			switch test {
			case testVPCE:
				template.Where.VPCE = joined(values)
			case testVPC:
				template.Where.VPC = joined(values)
			case testIP:
				template.Where.IP = joined(canonicalSources(values))
			case testPrincipal:
				names = values
			case testTime:
				if template.Until, ok = readInstant(values); !ok {
					return Access{}, nil, false
				}
			default:
				return Access{}, nil, false
			}
		}
	}
	return template, names, true
}

// The tests that a condition of ours may hold, each an operator and its key.
var (
	testVPCE      = strings.ToLower(opString + " " + keyVPCE)
	testVPC       = strings.ToLower(opString + " " + keyVPC)
	testIP        = strings.ToLower(opIP + " " + keyIP)
	testPrincipal = strings.ToLower(opARN + " " + keyPrincipal)
	testTime      = strings.ToLower(opBefore + " " + keyTime)
)

func joined(values []string) string {
	return strings.Join(sortedSet(slices.Clone(values)), ",")
}

// readInstant reads the one moment of a condition on the time; the epoch is none,
// because 0 stands for never.
func readInstant(values []string) (unix int64, ok bool) {
	if len(values) != 1 {
		return 0, false
	}
	moment, err := time.Parse(time.RFC3339, values[0])
	return moment.Unix(), err == nil && moment.Unix() != 0
}

package plan

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// reading is what statements of ours were found to say.
type reading struct {
	accesses   map[access]bool
	principals map[string]bool // ARNs in Principal, accounts as their roots
	shared     layout          // roles that many accounts share a statement for
	leftovers  []string        // unique ids that deleted roles and users left behind
	statements []ownStatement
	strange    []policy.Statement
}

// ownStatement is a statement of ours, understood.
type ownStatement struct {
	statement policy.Statement
	template  access   // from where, until when
	names     []string // what it compares the caller's ARN with; nil for nothing
	entries   []entry
}

// entry is a principal as the statement writes it, and what it lets in. The unique
// id of a deleted role or user lets in no one.
type entry struct {
	written  string
	accesses []access
}

// decompile reads statements of ours back into the accesses they mean. What it
// cannot read, somebody else has put under our name: those statements are
// strange.
func decompile(statements []policy.Statement, gateway, partition string) reading {
	r := reading{accesses: make(map[access]bool), principals: make(map[string]bool), shared: make(layout)}
	for _, s := range statements {
		own, ok := r.statement(s, gateway, partition)
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

// AWS shows the unique id of a principal that was deleted since.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
var uniqueID = regexp.MustCompile(`^A[A-Z0-9]{3}[A-Z0-9]{12,124}$`)

// IsUniqueID tells whether a principal is written as what a deleted role or user
// left behind.
func IsUniqueID(principal string) bool { return uniqueID.MatchString(principal) }

// formed tells whether a statement has the form of ours, conditions aside.
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

func (r *reading) statement(s policy.Statement, gateway, partition string) (ownStatement, bool) {
	if !formed(s, gateway) {
		return ownStatement{}, false
	}
	template, names, ok := readConditions(s.Condition)
	if !ok {
		return ownStatement{}, false
	}
	for _, name := range names {
		if parsed, _ := splitARN(name); parsed.account == "*" {
			r.shared[sharing{template.where, parsed.resource}] = true
		}
	}
	own := ownStatement{statement: s, template: template, names: names}
	for _, written := range s.Principal.AWS {
		if IsUniqueID(written) {
			r.leftovers = append(r.leftovers, written)
			own.entries = append(own.entries, entry{written: written})
			continue
		}
		who, known := fullARN(written, partition)
		if !known {
			return ownStatement{}, false
		}
		r.principals[who.String()] = true
		accesses := own.letIn(who)
		if len(accesses) == 0 {
			return ownStatement{}, false
		}
		own.entries = append(own.entries, entry{written: written, accesses: accesses})
	}
	return own, true
}

// letIn is what the statement means for one of its principals.
func (s ownStatement) letIn(who arn) []access {
	a := s.template
	if s.names == nil {
		a.who = who.String()
		return []access{a}
	}
	var accesses []access
	for _, name := range named(who, s.names) {
		a.who, a.named = name, true
		accesses = append(accesses, a)
	}
	return accesses
}

// fullARN reads a principal as it may stand in a policy.
func fullARN(written, partition string) (arn, bool) {
	if isAccountID(written) {
		return arn{partition, written, "root"}, true
	}
	return splitARN(written)
}

func isAccountID(text string) bool {
	return len(text) == 12 && strings.Trim(text, "0123456789") == ""
}

// named lists the ARNs among names that callers from the root's account can
// have: a condition on aws:PrincipalArn lets nobody in by itself.
func named(root arn, names []string) []string {
	if root.resource != "root" {
		return nil
	}
	var within []string
	for _, name := range names {
		parsed, ok := splitARN(name)
		if ok && parsed.account == "*" {
			parsed.account = root.account
		}
		if ok && parsed.account == root.account {
			within = append(within, parsed.String())
		}
	}
	return within
}

// readConditions reads what a statement of ours asks of a call. Names is nil
// where the caller's ARN is not compared. IAM's operators and keys have no case.
func readConditions(c policy.Condition) (template access, names []string, ok bool) {
	seen := make(map[string]bool)
	for operator, keys := range c {
		for key, values := range keys {
			test := strings.ToLower(operator + " " + key)
			if seen[test] || len(values) == 0 {
				return access{}, nil, false
			}
			seen[test] = true
			switch test {
			case testVPCE:
				template.where.vpce = joined(values)
			case testVPC:
				template.where.vpc = joined(values)
			case testIP:
				template.where.ip = joined(canonicalSources(values))
			case testPrincipal:
				names = values
			case testTime:
				if template.until, ok = readInstant(values); !ok {
					return access{}, nil, false
				}
			default:
				return access{}, nil, false
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

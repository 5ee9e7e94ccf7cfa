package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// claim is what one live grant asks for on this gateway.
type claim struct {
	row      grant.Row
	accesses []Access   // without an end
	barred   []Access   // what would be asked for but for the reason
	reason   grant.Code // why nothing, or not everything, is asked for
	message  string

	undecided bool         // the reason says nothing about what the row means
	fault     *grant.Error // of the row; the grant is then that of its last valid revision
	given     []string     // with a fault: the principals that the row had admitted
	unread    bool         // with a fault: the last valid revision cannot be read from the record
	revision  string       // with a fault: the revision by which a write gave access that is not recorded
}

// resolver turns live grants into claims.
type resolver struct {
	world    World
	limits   Limits
	stated   map[Access]bool     // what our statements say now
	standing map[Access]bool     // the same without ends
	selected map[string][]string // accounts that each selection admits, by SelectionKey
	// unrecorded: our statements are those of a write whose end was not recorded. The
	// rows may have been edited after what is recorded of them.
	unrecorded bool
}

func newResolver(world World, limits Limits, owned observation) *resolver {
	return &resolver{
		world: world, limits: limits, stated: owned.accesses, standing: lasting(owned.accesses), selected: map[string][]string{},
		unrecorded: unrecorded(hash(owned.accesses, owned.strange), world.Gateway.Recorded.Gateway),
	}
}

// SelectionKey names a selector and the units that it leaves out: the part of a
// grant that only the directory can answer.
func SelectionKey(g *grant.Grant) string {
	key := g.Principal.String()
	if len(g.Exclude.Units) > 0 {
		key += " except " + strings.Join(g.Exclude.Units, " ")
	}
	return key
}

// live lists a claim that asks for nothing yet for each grant that holds now, in the
// order of their keys.
func (r *resolver) live() []claim {
	var all []claim
	newer := r.world.Gateway.Recorded.Newer != (ledger.Newer{})
	for _, row := range r.world.Rows {
		last, kept := claimInFlight(row, r.world.Gateway.Recorded.Gateway, r.world.Now)
		if kept && (r.unrecorded || newer) {
			all = append(all, last)
		}
		if kept && r.unrecorded && !newer {
			continue // the status is older than that write
		}
		if last, kept := standIn(row, r.world.Gateway.Recorded.Grants[row.Key], r.world.Now); kept {
			all = append(all, last)
		} else if row.Fault == nil && row.Grant.Live(r.world.Now) {
			all = append(all, claim{row: row})
		}
	}
	slices.SortFunc(all, func(a, b claim) int {
		return cmp.Or(cmp.Compare(a.row.Gateway, b.row.Gateway), cmp.Compare(a.row.ID, b.row.ID))
	})
	return all
}

func (r *resolver) claims() []claim {
	var claims []claim
	for _, c := range r.live() {
		switch {
		case c.revision != "":
			c = r.claimWritten(c)
		case c.unread:
			var kept bool
			if c, kept = r.claimStanding(c); !kept {
				continue
			}
		case c.fault != nil:
			means := r.claim(c.row).within(c.given)
			if r.unrecorded {
				means = means.onlyStanding(r.standing)
			}
			means.fault, means.given = c.fault, c.given
			c = means
		default:
			c = r.claim(c.row)
		}
		claims = append(claims, c)
	}
	r.forgetUnused(claims)
	return claims
}

// forgetUnused drops the selections that only rows with a fault name of which nothing
// is kept: the next run has no record of their last valid revisions.
func (r *resolver) forgetUnused(claims []claim) {
	used := make(map[string]bool)
	for _, c := range claims {
		if c.fault == nil || c.undecided || len(c.accesses)+len(c.barred) > 0 {
			used[SelectionKey(c.row.Grant)] = true
		}
	}
	maps.DeleteFunc(r.selected, func(key string, _ []string) bool { return !used[key] })
}

func (r *resolver) claim(row grant.Row) claim {
	g := row.Grant
	partition := r.world.Gateway.Gateway.Partition()
	if p := g.Principal.Partition(); p != "" && p != partition {
		return claim{row: row, reason: grant.CodeOtherPartition,
			message: "the principal is in partition " + p + " and the gateway in " + partition + "; IAM does not cross partitions"}
	}
	if g.Principal.IsSelector() {
		return r.claimSelected(row, partition)
	}
	return r.claimExplicit(row, partition)
}

func (r *resolver) claimExplicit(row grant.Row, partition string) claim {
	g := row.Grant
	subject := g.Subject()
	who, _ := policy.ParseIAMARN(subject.ARN(partition))
	wanted := Access{
		Who:    who,
		ByName: subject.Kind() == grant.KindRolePattern || subject.IsExact() && g.Follow == grant.FollowName,
		Where:  narrow(g.Conditions),
	}
	if why := r.bar(subject.Account()); why.reason != "" {
		why.row, why.barred = row, []Access{wanted}
		return why
	}
	return claim{row: row, accesses: []Access{wanted}}
}

// bar is the reason why an account cannot be let in as far as the organization is
// concerned; a claim without a reason where it can.
func (r *resolver) bar(account string) claim {
	if account == r.world.Gateway.Gateway.Account() || slices.Contains(r.limits.Trusted, account) {
		return claim{}
	}
	switch r.world.Accounts.Availability() {
	case directory.Known:
		return r.barOutside(account)
	case directory.Unreadable:
		if !r.knows(account) {
			return claim{undecided: true, reason: grant.CodeDirectoryFailed,
				message: "whether account " + account + " is in the organization cannot be read now; it is tried again"}
		}
	case directory.Absent:
	}
	return claim{}
}

// barOutside is the reason why an account cannot be let in for its being outside the
// organization.
func (r *resolver) barOutside(account string) claim {
	if r.world.Accounts.IsMember(account) {
		return claim{}
	}
	switch trusted, known := r.world.Accounts.Trusts(account); {
	case trusted, !known && r.knows(account):
		return claim{}
	case !known:
		return claim{undecided: true, reason: grant.CodeDirectoryFailed,
			message: "account " + account + " is not in the organization, and whether it is trusted cannot be read now; it is tried again"}
	default:
		return claim{reason: grant.CodeOutsideOrg,
			message: "account " + account + " is not in the organization; to let it in, add it to the trusted accounts with gateway-grants account add --trusted " + account}
	}
}

// knows reports whether a principal of the account is let in now, or was when the
// gateway was last recorded: then the account was a member, or trusted. With the
// directory unreadable this is all there is to go by, and an edited grant must not
// cost its account the access that it had.
func (r *resolver) knows(account string) bool {
	for a := range r.standing {
		if a.Who.Account == account {
			return true
		}
	}
	return slices.Contains(r.world.Gateway.Recorded.Gateway.Accounts, account)
}

func (r *resolver) claimSelected(row grant.Row, partition string) claim {
	g := row.Grant
	c := claim{row: row}
	accounts, ok := r.meaning(g)
	if !ok {
		c.undecided = true
		c.reason, c.message = r.unresolvedReason()
		return c
	}
	for _, account := range accounts {
		if slices.Contains(g.Exclude.Accounts, account) {
			continue
		}
		wanted := Access{Who: policy.AccountRoot(partition, account), Where: narrow(g.Conditions)}
		if g.Role != "" {
			wanted.Who.Resource, wanted.ByName = "role/"+g.Role, true
		}
		c.accesses = append(c.accesses, wanted)
	}
	if len(c.accesses) == 0 {
		c.reason = grant.CodeSelectsNobody
		c.message = g.Principal.String() + " means no active account now"
	}
	return c
}

// meaning lists the accounts that the grant's selector means, as far as the directory
// decides: as it says now or, where it cannot be asked, those that were admitted when
// it last could. Additions wait until it can.
func (r *resolver) meaning(g *grant.Grant) ([]string, bool) {
	key := SelectionKey(g)
	if accounts, ok := r.world.Accounts.Select(g.Principal, grant.Exclusion{Units: g.Exclude.Units}); ok {
		r.selected[key] = nil
		return accounts, true
	}
	accounts, ok := r.world.Gateway.Recorded.Gateway.Selected[key]
	if ok {
		r.selected[key] = accounts
	}
	return accounts, ok
}

// admittedBy lists the accounts that each selection admits, or admitted when the
// directory could last be asked.
func (r *resolver) admittedBy(claims []claim, admitted map[Access]bool) map[string][]string {
	for _, c := range claims {
		key := SelectionKey(c.row.Grant)
		accounts, used := r.selected[key]
		if !used {
			continue
		}
		accounts = slices.Clone(accounts)
		for _, a := range c.accesses {
			if admitted[a] {
				accounts = append(accounts, a.Who.Account)
			}
		}
		r.selected[key] = sortedSet(accounts)
	}
	return r.selected
}

// unresolvedReason says why a selector has no meaning, now or earlier.
func (r *resolver) unresolvedReason() (grant.Code, string) {
	if r.world.Accounts.Availability() == directory.Absent {
		return grant.CodeNoDirectory, "no complete listing of the organization has ended yet; selectors match no account until one has"
	}
	return grant.CodeDirectoryFailed, "the directory cannot be read now; it is tried again"
}

// ends is the latest expiry of each access over all grants that ask for it:
// access is the union of live grants. Zero is never.
func ends(claims []claim) map[Access]int64 {
	latest := make(map[Access]int64)
	for _, c := range claims {
		until := unixOrNever(c.row.Grant.Expires)
		for _, a := range c.accesses {
			known, seen := latest[a]
			switch {
			case !seen:
				latest[a] = until
			case until == 0 || known == 0:
				latest[a] = 0
			default:
				latest[a] = max(known, until)
			}
		}
	}
	return latest
}

func unixOrNever(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// blockedReason is the reason why no grant can be applied to the gateway as it is, or
// nil.
func blockedReason(o Observed, limits Limits) *grant.Error {
	refuse := func(code grant.Code, hint string) *grant.Error {
		return &grant.Error{Code: code, Op: "manage " + o.Gateway.ARN(), Hint: hint}
	}
	switch account := o.Gateway.Account(); {
	case len(limits.Owners) == 0 || o.Listed || slices.Contains(limits.Owners, account):
	case o.ListFault == nil:
		return refuse(grant.CodeNotListed, "account "+account+" is not among the owner accounts of the deployment; gateway-grants account add --owner "+account+" adds it")
	case !o.wasWritten():
		return o.ListFault
	}
	switch {
	case len(limits.Regions) > 0 && !slices.Contains(limits.Regions, o.Gateway.Region()):
		return refuse(grant.CodeNotListed, o.Gateway.Region()+" is not among the regions of the deployment")
	case !o.Exists:
		return refuse(grant.CodeGatewayGone, "there is no such gateway; correct the ARN or remove its grants")
	case !o.Managed:
		return refuse(grant.CodeNotManaged, fmt.Sprintf("the gateway lacks the tag %s=%s; tag it to have it managed", ManagedTag, ManagedValue))
	case o.Authorizer != "AWS_IAM":
		return refuse(grant.CodeWrongAuthorizer, "the gateway authorizes callers by "+o.Authorizer+", which no grant of an IAM principal can open")
	case o.Status == "CREATING" || o.Status == "DELETING":
		return refuse(grant.CodeGatewayNotReady, "the gateway is "+o.Status+"; it is looked at again")
	default:
		return nil
	}
}

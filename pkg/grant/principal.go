package grant

import (
	"strings"
)

// Kind is what a principal names.
type Kind uint8

// The kinds of principal. An organizational unit, an organization and an
// account tag are selectors: the directory says which accounts they mean.
const (
	_ Kind = iota
	KindAccount
	KindRole
	KindRolePattern
	KindUser
	KindUnit
	KindUnitDirect
	KindOrganization
	KindTag
)

// Principal is who a grant lets in. ParsePrincipal makes the valid ones and
// nothing else can; the zero Principal is none. Two Principals are equal
// (==) exactly if they name the same.
type Principal struct {
	kind      Kind
	partition string // of an ARN; empty where the gateway's own partition is meant
	account   string // 12 digits, of account, role and user
	name      string // "role/path/Name", "user/Name", a unit's or organization's id, a TagName
}

var (
	accountID      = lazy(`^\d{12}$`)
	unitID         = lazy(`^ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}$`) // https://docs.aws.amazon.com/organizations/latest/APIReference/API_OrganizationalUnit.html
	organizationID = lazy(`^o-[a-z0-9]{10,32}$`)                // https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html
	iamARN         = lazy(`^arn:(aws(?:-[a-z]+)*):(iam|sts)::([^:]*):(.*)$`)
	// IAM names and paths: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
	// A path may hold more than a name, "$" among it; only what a name may hold
	// is taken, so that no ARN can smuggle a policy variable into a condition.
	iamName    = lazy(`^(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,64}$`)
	iamPattern = lazy(`^(?:[\w+=,.@*?-]+/)*[\w+=,.@*?-]{1,64}$`)
)

// ParsePrincipal reads the principal attribute of a grant. It fails with
// CodeInvalidPrincipal or, for an assumed-role session, CodeSessionPrincipal.
func ParsePrincipal(text string) (Principal, error) {
	switch {
	case accountID().MatchString(text):
		return Principal{kind: KindAccount, account: text}, nil
	case strings.HasPrefix(text, "arn:"):
		return parseARN(text)
	case strings.HasPrefix(text, "ou-"):
		unit, direct := strings.CutSuffix(text, "/direct")
		if !unitID().MatchString(unit) {
			return Principal{}, badPrincipal(text, "an organizational unit is written ou-abcd-11112222, or ou-abcd-11112222/direct without the units below it")
		}
		if direct {
			return Principal{kind: KindUnitDirect, name: unit}, nil
		}
		return Principal{kind: KindUnit, name: unit}, nil
	case strings.HasPrefix(text, "o-"):
		if !organizationID().MatchString(text) {
			return Principal{}, badPrincipal(text, "an organization is written o-exampleorgid")
		}
		return Principal{kind: KindOrganization, name: text}, nil
	case strings.HasPrefix(text, "tag:"):
		return parseTag(text)
	default:
		return Principal{}, badPrincipal(text, principalHint(text))
	}
}

func parseARN(text string) (Principal, error) {
	part := iamARN().FindStringSubmatch(text)
	if part == nil {
		return Principal{}, badPrincipal(text, "write an account, role or user as arn:aws:iam::ACCOUNT:root, :role/NAME or :user/NAME")
	}
	partition, service, account, resource := part[1], part[2], part[3], part[4]
	if service == "sts" {
		return Principal{}, sessionPrincipal(text, partition, account, resource)
	}
	if !accountID().MatchString(account) {
		return Principal{}, badPrincipal(text, "the account must be 12 digits, without a wildcard; to admit a role in many accounts grant an OU with the role attribute")
	}
	kind, name, _ := strings.Cut(resource, "/")
	switch {
	case resource == "root":
		return Principal{kind: KindAccount, partition: partition, account: account}, nil
	case kind == "role" && isPattern(name) && iamPattern().MatchString(name):
		return Principal{kind: KindRolePattern, partition: partition, account: account, name: plainPattern(resource)}, nil
	case kind == "role" && !isPattern(name) && iamName().MatchString(name):
		return Principal{kind: KindRole, partition: partition, account: account, name: resource}, nil
	case kind == "user" && !isPattern(name) && iamName().MatchString(name):
		return Principal{kind: KindUser, partition: partition, account: account, name: resource}, nil
	case kind == "user":
		return Principal{}, badPrincipal(text, "a user is named exactly, without a wildcard")
	default:
		return Principal{}, badPrincipal(text, "only :root, :role/NAME and :user/NAME can be let in")
	}
}

func badPrincipal(text, hint string) error {
	return &Error{Code: CodeInvalidPrincipal, Op: "read principal " + quote(text), Hint: hint}
}

func isPattern(s string) bool { return strings.ContainsAny(s, "*?") }

var wildcards = lazy(`[*?]{2,}`)

// plainPattern is the one spelling of a pattern: in a row of wildcards neither
// their order counts nor more than one star.
func plainPattern(pattern string) string {
	return wildcards().ReplaceAllStringFunc(pattern, func(run string) string {
		plain := strings.Repeat("?", strings.Count(run, "?"))
		if strings.Contains(run, "*") {
			plain += "*"
		}
		return plain
	})
}

// Kind is what the principal names.
func (p Principal) Kind() Kind { return p.kind }

// IsSelector reports whether the directory must say which accounts are meant.
func (p Principal) IsSelector() bool { return p.kind >= KindUnit }

// IsExact reports whether one role or user is named, which can be followed by
// identity or by name.
func (p Principal) IsExact() bool { return p.kind == KindRole || p.kind == KindUser }

// Account is the 12-digit id of an account, role, role pattern or user, and
// "" for a selector.
func (p Principal) Account() string { return p.account }

// Partition is the partition that an ARN was written with, or "" where the
// gateway's own is meant.
func (p Principal) Partition() string { return p.partition }

// Name is the id of a unit or organization, and the TagName of a tag.
func (p Principal) Name() string { return p.name }

// ARN is the full name of an account (its root), role, role pattern or user,
// in the given partition unless it was written with one of its own.
func (p Principal) ARN(partition string) string {
	if p.partition != "" {
		partition = p.partition
	}
	resource := p.name
	if p.kind == KindAccount {
		resource = "root"
	}
	return "arn:" + partition + ":iam::" + p.account + ":" + resource
}

// String is the principal as an admin would write it.
func (p Principal) String() string {
	switch p.kind {
	case KindAccount:
		if p.partition == "" {
			return p.account
		}
		return p.ARN("")
	case KindRole, KindRolePattern, KindUser:
		return p.ARN("aws")
	case KindUnitDirect:
		return p.name + "/direct"
	case KindTag:
		return "tag:" + p.name
	default:
		return p.name
	}
}

// narrowedTo is the role, or the pattern of roles, named name in an account.
func (p Principal) narrowedTo(name string) Principal {
	kind := KindRole
	if isPattern(name) {
		kind = KindRolePattern
	}
	return Principal{kind: kind, partition: p.partition, account: p.account, name: "role/" + name}
}

package policy

import (
	"regexp"
	"strings"
)

// IAMARN is the ARN of an account's root, of a role or of a user, or a pattern of
// such ARNs: arn:PARTITION:iam::ACCOUNT:RESOURCE. It is comparable; the zero value is
// none.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
type IAMARN struct {
	Partition string
	Account   string // 12 digits, or a pattern
	Resource  string // "root", "role/PATH/NAME", "user/PATH/NAME", or a pattern
}

// ParseIAMARN takes an ARN of IAM apart, and reports whether the text is one. It does
// not judge the parts.
func ParseIAMARN(text string) (IAMARN, bool) {
	rest, isARN := strings.CutPrefix(text, "arn:")
	partition, rest, _ := strings.Cut(rest, ":")
	rest, isIAM := strings.CutPrefix(rest, "iam::")
	account, resource, whole := strings.Cut(rest, ":")
	if !isARN || !isIAM || !whole {
		return IAMARN{}, false
	}
	return IAMARN{Partition: partition, Account: account, Resource: resource}, true
}

// AccountRoot is the ARN that stands for all of an account.
func AccountRoot(partition, account string) IAMARN {
	return IAMARN{Partition: partition, Account: account, Resource: "root"}
}

// String is the ARN as it is written.
func (a IAMARN) String() string {
	return "arn:" + a.Partition + ":iam::" + a.Account + ":" + a.Resource
}

// IsRoot reports whether the ARN stands for all of an account.
func (a IAMARN) IsRoot() bool { return a.Resource == "root" }

// Root is the root of the account that the principal lives in.
func (a IAMARN) Root() IAMARN { return AccountRoot(a.Partition, a.Account) }

// AWSPrincipal is an entry of the element Principal, under AWS. It is either an ARN or
// the unique id that a deleted role or user left behind; the other field is zero.
type AWSPrincipal struct {
	ARN      IAMARN
	UniqueID string
}

// ParseAWSPrincipal reads an entry as it may stand in a policy of the partition: an
// account id means the account's root. It reports false for what is none of these.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func ParseAWSPrincipal(text, partition string) (AWSPrincipal, bool) {
	switch {
	case IsAccountID(text):
		return AWSPrincipal{ARN: AccountRoot(partition, text)}, true
	case IsUniqueID(text):
		return AWSPrincipal{UniqueID: text}, true
	}
	arn, ok := ParseIAMARN(text)
	return AWSPrincipal{ARN: arn}, ok
}

// IsAccountID reports whether the text is twelve digits.
func IsAccountID(text string) bool { return isAccountID(text) }

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
var uniqueID = regexp.MustCompile(`^A[A-Z0-9]{3}[A-Z0-9]{12,124}$`)

// IsUniqueID reports whether a principal is written as AWS shows a role or user that
// was deleted.
func IsUniqueID(principal string) bool { return uniqueID.MatchString(principal) }

// SessionARN is the ARN of a session of a role: arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/NAME.
// It has no path of the role.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
type SessionARN struct{ Partition, Account, Role, Name string }

// ParseSessionARN takes the ARN of a session apart, and reports whether the text is one.
// It does not judge the parts; Name is "" where the text ends after the role.
func ParseSessionARN(text string) (SessionARN, bool) {
	rest, isARN := strings.CutPrefix(text, "arn:")
	partition, rest, _ := strings.Cut(rest, ":")
	rest, isSTS := strings.CutPrefix(rest, "sts::")
	account, rest, _ := strings.Cut(rest, ":")
	session, isSession := strings.CutPrefix(rest, "assumed-role/")
	if !isARN || !isSTS || !isSession {
		return SessionARN{}, false
	}
	role, name, _ := strings.Cut(session, "/")
	return SessionARN{Partition: partition, Account: account, Role: role, Name: name}, true
}

// String is the ARN as it is written.
func (s SessionARN) String() string {
	return "arn:" + s.Partition + ":sts::" + s.Account + ":assumed-role/" + s.Role + "/" + s.Name
}

package grant

import (
	"strconv"
	"strings"
)

var (
	digitsOnly = lazy(`^\d+$`)
	rootID     = lazy(`^r-[0-9a-z]{4,32}$`) // https://docs.aws.amazon.com/organizations/latest/APIReference/API_Root.html
)

// principalHint says what to write instead of a text that names no principal.
func principalHint(text string) string {
	switch {
	case strings.Contains(text, "*"):
		return "a gateway is never opened to everyone; name an account, a role, a role pattern within one account, an OU or the organization"
	case strings.HasPrefix(text, "AROA"), strings.HasPrefix(text, "AIDA"):
		return "this is the unique id of a role or user; write its ARN"
	case digitsOnly().MatchString(text):
		return digitsHint(text)
	case strings.HasPrefix(text, "r-"), strings.EqualFold(text, "root"):
		return rootHint
	case strings.HasPrefix(text, "Tag:"), strings.HasPrefix(text, "TAG:"):
		return tagHint
	case !strings.ContainsAny(text, ":="):
		return "write a 12-digit account id, a role or user ARN, ou-…, o-… or tag:Key=Value; names of OUs and accounts are not unique, " + findUnit
	default:
		return "write a 12-digit account id, a role or user ARN, ou-…, o-… or tag:Key=Value"
	}
}

const (
	rootHint = "a root is not named in grants: write the organization's id, o-…, as `aws organizations describe-organization` shows it, and exclude what must stay out"
	findUnit = "so write the id: `aws organizations list-organizational-units-for-parent --parent-id ID` shows those below a root (r-…, from `aws organizations list-roots`) or an OU"
)

// digitsHint says how many digits there are. Spreadsheets, YAML and JSON numbers
// drop the zeros that an account id may begin with.
func digitsHint(digits string) string {
	const length = 12
	hint := "an account id has 12 digits and this has " + strconv.Itoa(len(digits))
	if lost := length - len(digits); lost > 0 && lost <= 3 {
		hint += "; where a number was made of it a zero in front is lost: check whether " + strings.Repeat("0", lost) + digits + " is meant, and keep it as text"
	}
	return hint
}

func excludeHint(id string) string {
	hint := "write 12-digit account ids and OU ids such as ou-abcd-11112222"
	switch {
	case digitsOnly().MatchString(id):
		return digitsHint(id)
	case rootID().MatchString(id):
		return hint + "; a root holds every account; to admit no account, delete the row"
	default:
		return hint
	}
}

// The roles of IAM Identity Center have a path that a session's ARN leaves out,
// and it holds the Region of Identity Center, except where that is us-east-1.
// https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
const (
	ssoPath = "aws-reserved/sso.amazonaws.com/"
	ssoName = "AWSReservedSSO_"
)

// sessionPrincipal refuses the ARN of a session and offers the role behind it.
func sessionPrincipal(text, partition, account, resource string) error {
	hint := "this names one session; name the role or user behind it"
	if rest, ok := strings.CutPrefix(resource, "assumed-role/"); ok {
		role, _, _ := strings.Cut(rest, "/")
		roles := "arn:" + partition + ":iam::" + account + ":role/"
		hint = "this names one session; write its role instead: " + roles + role + " (with the role's path, if it has one)"
		if strings.HasPrefix(role, ssoName) {
			hint = "this names one session of a permission set; write a pattern of its role, which works in every home Region of Identity Center: " + roles + ssoPath + "*" + role
		}
	}
	return &Error{Code: CodeSessionPrincipal, Op: "read principal " + quote(text), Hint: hint}
}

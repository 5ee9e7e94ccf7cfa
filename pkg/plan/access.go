package plan

import (
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// access is the smallest thing that our statements can say: who may call, from
// where, until when. A policy of ours is a set of accesses; compile prints one
// and decompile reads it back.
type access struct {
	who   string    // ARN of an account's root, a role, a user or a pattern of roles
	named bool      // a role or user recognised by its ARN, not by its unique id
	where narrowing // from where
	until int64     // Unix seconds from which AWS itself refuses; 0 for never
}

// lasting is the access without its end.
func (a access) lasting() access {
	a.until = 0
	return a
}

// principal is the ARN that Principal names for the access: the role or user
// itself, or its account's root where it is told by name.
func (a access) principal() string {
	if !a.named {
		return a.who
	}
	parsed, _ := splitARN(a.who)
	return parsed.root()
}

// pinned tells whether IAM keeps the principal by its unique id, so that one of
// the same name made later is another one.
func (a access) pinned() bool {
	parsed, _ := splitARN(a.who)
	return !a.named && parsed.resource != "root"
}

// Condition elements of our statements.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
const (
	keyVPCE      = "aws:SourceVpce"
	keyVPC       = "aws:SourceVpc"
	keyIP        = "aws:SourceIp"
	keyPrincipal = "aws:PrincipalArn"
	keyTime      = "aws:CurrentTime"

	opString = "StringEquals"
	opIP     = "IpAddress"
	opARN    = "ArnLike"
	// The key is expected in every signed request, but AWS does not document it
	// for gateways: where it is missing, the sweep alone ends the grant.
	opBefore = "DateLessThanIfExists"
)

// conditions are the elements that the narrowing and the end ask for.
func (a access) conditions() policy.Condition {
	c := policy.Condition{}
	add := func(operator, key string, values ...string) {
		if c[operator] == nil {
			c[operator] = map[string][]string{}
		}
		c[operator][key] = values
	}
	if a.where.vpce != "" {
		add(opString, keyVPCE, strings.Split(a.where.vpce, ",")...)
	}
	if a.where.vpc != "" {
		add(opString, keyVPC, strings.Split(a.where.vpc, ",")...)
	}
	if a.where.ip != "" {
		add(opIP, keyIP, strings.Split(a.where.ip, ",")...)
	}
	if a.until != 0 {
		add(opBefore, keyTime, instant(a.until))
	}
	return c
}

// describe says in words how far the access goes.
func (a access) describe() string {
	var words []string
	if a.named {
		words = append(words, "by name")
	}
	if a.where.vpce != "" {
		words = append(words, "through "+a.where.vpce)
	}
	if a.where.vpc != "" {
		words = append(words, "from "+a.where.vpc)
	}
	if a.where.ip != "" {
		words = append(words, "from "+a.where.ip)
	}
	return strings.Join(words, ", ")
}

func instant(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// arn is the part of an IAM ARN that decisions look at.
type arn struct{ partition, account, resource string }

// splitARN takes arn:PARTITION:iam::ACCOUNT:RESOURCE apart.
func splitARN(text string) (arn, bool) {
	rest, isARN := strings.CutPrefix(text, "arn:")
	partition, rest, _ := strings.Cut(rest, ":")
	rest, isIAM := strings.CutPrefix(rest, "iam::")
	account, resource, whole := strings.Cut(rest, ":")
	if !isARN || !isIAM || !whole {
		return arn{}, false
	}
	return arn{partition: partition, account: account, resource: resource}, true
}

func (a arn) String() string { return "arn:" + a.partition + ":iam::" + a.account + ":" + a.resource }

// root is the ARN of the account that the principal lives in.
func (a arn) root() string { return arn{a.partition, a.account, "root"}.String() }

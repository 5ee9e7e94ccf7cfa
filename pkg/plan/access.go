package plan

import (
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Access is the smallest thing that our statements can say: who may call, from
// where, until when. A policy of ours is a set of accesses; compile prints one
// and decompile reads it back.
type Access struct {
	Who    policy.IAMARN // an account's root, a role, a user or a pattern of roles
	ByName bool          // a role or user recognised by its ARN, not by its unique id
	Where  Narrowing     // from where
	Until  int64         // Unix seconds from which AWS itself refuses; 0 for never
}

// lasting is the access without its end.
func (a Access) lasting() Access {
	a.Until = 0
	return a
}

// principal is the ARN that Principal names for the access: the role or user
// itself, or its account's root where a condition names it.
func (a Access) principal() string {
	if a.ByName {
		return a.Who.Root().String()
	}
	return a.Who.String()
}

// pinned reports whether IAM keeps the principal by its unique id, so that one of
// the same name made later is another one.
func (a Access) pinned() bool {
	return !a.ByName && !a.Who.IsRoot()
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
func (a Access) conditions() policy.Condition {
	c := policy.Condition{}
	add := func(operator, key string, values ...string) {
		if c[operator] == nil {
			c[operator] = map[string][]string{}
		}
		c[operator][key] = values
	}
	if a.Where.VPCE != "" {
		add(opString, keyVPCE, strings.Split(a.Where.VPCE, ",")...)
	}
	if a.Where.VPC != "" {
		add(opString, keyVPC, strings.Split(a.Where.VPC, ",")...)
	}
	if a.Where.IP != "" {
		add(opIP, keyIP, strings.Split(a.Where.IP, ",")...)
	}
	if a.Until != 0 {
		add(opBefore, keyTime, instant(a.Until))
	}
	return c
}

// describe says in words how far the access goes.
func (a Access) describe() string {
	var words []string
	if a.ByName {
		words = append(words, "by name")
	}
	if a.Where.VPCE != "" {
		words = append(words, "through "+a.Where.VPCE)
	}
	if a.Where.VPC != "" {
		words = append(words, "from "+a.Where.VPC)
	}
	if a.Where.IP != "" {
		words = append(words, "from "+a.Where.IP)
	}
	return strings.Join(words, ", ")
}

func instant(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

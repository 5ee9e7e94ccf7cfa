package policy_test

import (
	"net/netip"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/policy/simulate"
)

func (g *generator) condition(n int) policy.Condition {
	condition := policy.Condition{}
	for range n {
		key := pick(g, contextKeys...)
		operator, values := g.test(key.name, key.kind, key.values)
		if g.chance(10) {
			operator = g.recase(operator)
		}
		name := key.name
		if g.chance(10) {
			name = g.recase(name)
		}
		if condition[operator] == nil {
			condition[operator] = map[string][]string{}
		}
		condition[operator][name] = values
	}
	return condition
}

// held is a value that the call has for the key, mostly; else one it could have.
func (g *generator) held(name string, choices values) string {
	if g.chance(65) {
		for key, held := range simulate.Context(g.call) {
			if strings.EqualFold(key, name) && len(held) > 0 {
				return pick(g, held...)
			}
		}
	}
	return pick(g, choices...)
}

// test makes an operator and values for a key.
func (g *generator) test(name, kind string, choices values) (string, values) {
	if g.chance(8) {
		return "Null", values{pick(g, "true", "false")}
	}
	var operator string
	wanted := values{g.held(name, choices)}
	if g.chance(30) {
		wanted = append(wanted, pick(g, choices...))
	}
	switch kind {
	case "string", "strings":
		operator, wanted = g.textTest(wanted)
	case "arn":
		operator, wanted = g.arnTest(wanted)
	case "address":
		operator, wanted = g.addressTest(wanted)
	case "date":
		operator, wanted = g.dateTest(wanted)
	case "number":
		operator = pick(g, "NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals",
			"NumericGreaterThan", "NumericGreaterThanEquals")
		if g.chance(20) {
			wanted[0] += ".0"
		}
		if g.chance(3) && g.odd("exponent") {
			wanted[0] = pick(g.aside, "1e1", "3E2", "36e+2")
		}
		if g.chance(2) && g.odd("long number") {
			wanted[0] = pick(g.aside, choices...) + ".00000000000000001"
		}
		if g.chance(3) && g.odd("wrong type") {
			wanted = values{"many"}
		}
	case "binary":
		operator = "BinaryEquals"
	case "boolean":
		operator = "Bool"
		if g.chance(30) {
			wanted[0] = g.recase(wanted[0])
		}
	}
	if kind == "strings" {
		set := pick(g, "ForAnyValue:", "ForAllValues:")
		if !g.chance(3) || !g.odd("several values") {
			operator = set + operator
		}
	}
	if g.chance(20) && (!strings.HasPrefix(operator, "ForAnyValue:") || g.odd("any value if exists")) {
		operator += "IfExists"
	}
	return operator, wanted
}

func (g *generator) textTest(wanted values) (string, values) {
	operator := pick(g, "StringEquals", "StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase",
		"StringLike", "StringLike", "StringNotLike")
	value := wanted[0]
	like := strings.HasSuffix(operator, "Like")
	switch {
	case strings.HasSuffix(operator, "Case"):
		wanted[0] = g.recase(value)
	case like && len(value) > 2 && g.chance(70):
		at := 1 + g.IntN(len(value)-1)
		wanted[0] = pick(g, value[:at]+"*", "*"+value[at:], value[:at-1]+"?"+value[at:], value[:at]+"*"+value[at:], "*")
	case g.chance(10):
		key := pick(g, "aws:SourceVpc", "aws:SourceVpce", "aws:PrincipalTag/Team", "aws:PrincipalAccount", "AWS:username")
		variable := pick(g, "${"+key+"}", "${"+key+", 'blue'}", "v${"+key+"}")
		if !strings.Contains(operator, "Not") || g.odd("variable in a negated test") {
			wanted[0] = variable
		}
	case g.chance(2) && g.odd("escaped character"):
		wanted[0] = value + "${" + pick(g.aside, "*", "?", "$") + "}"
	}
	return operator, wanted
}

func (g *generator) arnTest(wanted values) (string, values) {
	operator := pick(g, "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "StringEquals", "StringLike", "StringNotLike")
	fields := strings.SplitN(wanted[0], ":", 6)
	if strings.HasPrefix(operator, "Arn") || strings.HasSuffix(operator, "Like") {
		switch g.IntN(6) {
		case 0:
			fields[5] = "*"
		case 1:
			fields[4] = "*"
		case 2:
			fields[5] = fields[5][:1] + "*"
		case 3:
			fields[4] = pick(g, "1111*", "4444*", "??????????33", fields[4])
			fields[5] = "*" + fields[5][len(fields[5])-1:]
		}
	}
	wanted[0] = strings.Join(fields, ":")
	if g.chance(2) && g.odd("wrong type") {
		wanted[0] = pick(g.aside, "*", "arn:aws:*", "role/Agent")
	}
	if g.chance(2) && g.odd("variable in an ARN") {
		fields[4] = "${aws:PrincipalAccount}"
		wanted[0] = strings.Join(fields, ":")
	}
	return operator, wanted
}

func (g *generator) addressTest(wanted values) (string, values) {
	if g.chance(60) {
		wanted[0] = pick(g, "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/31", "192.0.2.0/24", "2001:db8::/32", "2001:DB8:1::/48", "2001:db8:2::/48")
	}
	if g.chance(3) && g.odd("every address") {
		wanted[0] = pick(g.aside, "0.0.0.0/0", "::/0")
	}
	if g.chance(4) && g.odd("mapped address") {
		wanted[0] = pick(g.aside, "::ffff:10.1.2.3", "::ffff:10.0.0.0/104", "::FFFF:c000:207/128")
	}
	if g.chance(2) && g.odd("wrong type") {
		wanted = values{"10.0.0"}
	}
	operator := pick(g, "IpAddress", "IpAddress", "NotIpAddress")
	for i, address := range wanted {
		if operator == "NotIpAddress" && !strings.Contains(address, "/") && !g.odd("bare address") {
			wanted[i] = wholePrefix(address)
		}
	}
	return operator, wanted
}

func (g *generator) dateTest(wanted values) (string, values) {
	if g.chance(50) {
		wanted[0] = pick(g, "2026-06-01", "2026-11-23T01:00:00+01:00", "2027-01-01T00:00:00Z", "2026-12", "2026-11-23T00:00Z")
	}
	if g.chance(5) && g.odd("short date") {
		wanted[0] = pick(g.aside, "2026", "1795392000")
	}
	if g.chance(2) && g.odd("wrong type") {
		wanted = values{"soon"}
	}
	return pick(g, "DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"), wanted
}

// wholePrefix is an address as a range of one.
func wholePrefix(address string) string {
	parsed := netip.MustParseAddr(address)
	return netip.PrefixFrom(parsed, parsed.BitLen()).String()
}

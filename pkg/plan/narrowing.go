package plan

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// narrowing is grant.Conditions in a form that can be compared: each list is
// joined by commas, which none of its values holds.
type narrowing struct{ vpce, vpc, ip string }

func narrow(c grant.Conditions) narrowing {
	return narrowing{
		vpce: strings.Join(c.SourceVPCE, ","),
		vpc:  strings.Join(c.SourceVPC, ","),
		ip:   strings.Join(c.SourceIP, ","),
	}
}

func (n narrowing) lists() map[string]string {
	return map[string]string{keyVPCE: n.vpce, keyVPC: n.vpc, keyIP: n.ip}
}

// example is the context of a call that meets the narrowing.
func (n narrowing) example() map[string][]string {
	context := make(map[string][]string)
	for key, list := range n.lists() {
		if list != "" {
			first, _, _ := strings.Cut(list, ",")
			address, _, _ := strings.Cut(first, "/")
			context[key] = []string{address}
		}
	}
	return context
}

// holds tells whether a call with this context meets the narrowing.
func (n narrowing) holds(context map[string][]string) bool {
	for key, list := range n.lists() {
		if list == "" {
			continue
		}
		presented := context[key]
		if len(presented) != 1 || !slices.ContainsFunc(strings.Split(list, ","), func(value string) bool {
			return value == presented[0] || contains(value, presented[0])
		}) {
			return false
		}
	}
	return true
}

// contains tells whether an address range contains an address.
func contains(prefix, address string) bool {
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(address)
	return err == nil && p.Contains(a)
}

// glob matches IAM's wildcards: "*" any text, "?" one character.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func glob(pattern, text string) bool {
	star, resume := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			resume++
			p, t = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

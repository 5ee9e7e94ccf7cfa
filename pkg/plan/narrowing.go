package plan

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Narrowing is grant.Conditions in a form that can be compared: each list is
// joined by commas, which none of its values holds.
type Narrowing struct{ VPCE, VPC, IP string }

func narrow(c grant.Conditions) Narrowing {
	return Narrowing{
		VPCE: strings.Join(c.SourceVPCE, ","),
		VPC:  strings.Join(c.SourceVPC, ","),
		IP:   strings.Join(c.SourceIP, ","),
	}
}

func (n Narrowing) lists() map[string]string {
	return map[string]string{keyVPCE: n.VPCE, keyVPC: n.VPC, keyIP: n.IP}
}

// canonicalSources spells addresses and ranges in the one way that grant.Parse does
// so that a policy written in another spelling says the same.
func canonicalSources(values []string) []string {
	canonical := make([]string, len(values))
	for i, value := range values {
		canonical[i] = canonicalSource(value)
	}
	return canonical
}

// canonicalSource spells one address or range. An IPv4 address that is written as
// an IPv6 one is the IPv4 address, and a range of one address is the address. What
// is neither stays as it is.
// https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2
func canonicalSource(value string) string {
	if address, err := netip.ParseAddr(value); err == nil {
		return address.Unmap().String()
	}
	prefix, err := netip.ParsePrefix(value)
	if err != nil {
		return value
	}
	if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	if prefix.IsSingleIP() {
		return prefix.Addr().String()
	}
	return prefix.Masked().String()
}

// example is the context of a call that meets the narrowing.
func (n Narrowing) example() map[string][]string {
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

// places are values of each element that meet the narrowing, all that it lists, and
// some just beside them that do not unless another of its values says so.
func (n Narrowing) places() map[string][]string {
	all := make(map[string][]string)
	for key, list := range n.lists() {
		if list == "" {
			continue
		}
		for value := range strings.SplitSeq(list, ",") {
			all[key] = append(all[key], Around(value)...)
		}
	}
	return all
}

// Around is the first and the last address of a range and the two beside it; what is
// no range stands for itself, and has its longer neighbour beside it.
func Around(value string) []string {
	prefix, err := netip.ParsePrefix(value)
	if err != nil {
		if address, err := netip.ParseAddr(value); err == nil {
			return valid(address, address.Prev(), address.Next())
		}
		return []string{value, value + "0"}
	}
	first, last := prefix.Masked().Addr(), lastOf(prefix)
	return valid(first, last, first.Prev(), last.Next())
}

// valid spells the addresses, but for those beyond the first or the last there is.
func valid(addresses ...netip.Addr) []string {
	var spelled []string
	for _, address := range addresses {
		if address.IsValid() {
			spelled = append(spelled, address.String())
		}
	}
	return spelled
}

// lastOf is the last address of a range: all bits behind its prefix are set.
func lastOf(prefix netip.Prefix) netip.Addr {
	bits := prefix.Masked().Addr().AsSlice()
	for i := prefix.Bits(); i < 8*len(bits); i++ {
		bits[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(bits)
	return last
}

// holds reports whether a call with this context meets the narrowing.
func (n Narrowing) holds(context map[string][]string) bool {
	for key, list := range n.lists() {
		if list == "" {
			continue
		}
		presented := context[key]
		if len(presented) != 1 || !slices.ContainsFunc(strings.Split(list, ","), func(value string) bool {
			return value == canonicalSource(presented[0]) || contains(value, presented[0])
		}) {
			return false
		}
	}
	return true
}

// contains reports whether an address range contains an address.
func contains(prefix, address string) bool {
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(address)
	return err == nil && p.Contains(a.Unmap())
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

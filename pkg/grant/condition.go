package grant

import (
	"net/netip"
	"regexp"
	"slices"
)

var (
	vpceID = lazy(`^vpce-[0-9a-f]{8,17}$`)
	vpcID  = lazy(`^vpc-[0-9a-f]{8,17}$`)
)

func (r *reader) conditions() Conditions {
	value, ok := r.attributes[AttrConditions]
	if !ok {
		return Conditions{}
	}
	kinds, ok := value.(map[string]any)
	if !ok || len(kinds) == 0 {
		r.fail(CodeInvalidCondition, "read conditions", "conditions is a map of sourceVpce, sourceVpc and sourceIp to lists of strings; leave it out for none")
		return Conditions{}
	}
	var c Conditions
	for _, name := range sortedKeys(kinds) {
		switch name {
		case conditionVPCE:
			c.SourceVPCE = r.conditionValues(name, kinds[name], idOf(vpceID()), "vpce-0123456789abcdef0")
		case conditionVPC:
			c.SourceVPC = r.conditionValues(name, kinds[name], idOf(vpcID()), "vpc-0123456789abcdef0")
		case conditionIP:
			c.SourceIP = r.conditionValues(name, kinds[name], canonicalRange, "198.51.100.7 or 203.0.113.0/24")
		default:
			r.fail(CodeInvalidCondition, "read conditions "+quote(name), "the conditions are sourceVpce, sourceVpc and sourceIp")
		}
	}
	return c
}

// conditionValues reads one kind of condition: its values in their canonical
// spelling, sorted, each once. Of a value that is none, canonical returns "" and
// what is wrong with it, or nothing where the example says it all.
func (r *reader) conditionValues(name string, value any, canonical func(string) (string, string), example string) []string {
	values, ok := textList(value)
	if !ok || len(values) == 0 {
		r.fail(CodeInvalidCondition, "read conditions "+name, "write a list of one or more strings, such as "+example)
		return nil
	}
	for i, v := range values {
		var wrong string
		if values[i], wrong = canonical(v); values[i] == "" {
			r.fail(CodeInvalidCondition, "read conditions "+name+" "+quote(v), wrong+"write values such as "+example)
			return nil
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

func idOf(form *regexp.Regexp) func(string) (string, string) {
	return func(s string) (string, string) { return form.FindString(s), "" }
}

// mapped holds every IPv4-mapped address:
// https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2
var mapped = netip.MustParsePrefix("::ffff:0:0/96")

// canonicalRange is the one spelling of an address or a range, or "" and why it
// is none. A caller's address has one form, so all spellings of a range let in the
// same callers: a mapped address is the IPv4 address, case and zeros do not
// count, and a range of one address is the address. AWS does not document whether
// an IPv6 range that holds all mapped addresses lets in callers by IPv4, so that
// such a range is refused.
func canonicalRange(s string) (canonical, wrong string) {
	if address, err := netip.ParseAddr(s); err == nil {
		if address.Zone() != "" {
			return "", "an address with a zone is known on one machine only: "
		}
		return address.Unmap().String(), ""
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return "", ""
	}
	if prefix.Addr().Is6() && prefix.Overlaps(mapped) {
		bits := prefix.Bits() - mapped.Bits()
		if bits < 0 {
			return "", "the range holds every IPv4-mapped address, and one of those has a length of 97 to 128: "
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), bits)
	}
	switch {
	case prefix.Bits() == 0:
		return "", "every address narrows nothing: "
	case prefix != prefix.Masked():
		return "", "bits are set behind the range's length, the range is " + prefix.Masked().String() + ": "
	case prefix.IsSingleIP():
		return prefix.Addr().String(), ""
	default:
		return prefix.String(), ""
	}
}

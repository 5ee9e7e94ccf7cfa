package policy

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// normalValues is the values as a sorted set of their normal spellings; never
// nil.
func (o operator) normalValues(values []string) []string {
	if values == nil {
		return []string{}
	}
	return normalSet(values, func(value string) string { return normalValue(o.compare, value) })
}

// normalValue gives the same text to values that an operator treats alike.
// What is no valid value of the operator's type stays as it is.
func normalValue(compare comparison, value string) string {
	switch compare {
	case stringEqualsIgnoreCase, boolean, null:
		return fold(value)
	case number:
		if n, ok := parseNumber(value); ok {
			return n.String()
		}
	case date:
		if t, ok := parseDate(value); ok {
			return t.Format(time.RFC3339Nano)
		}
	case binaryEquals:
		if data, err := base64.StdEncoding.DecodeString(value); err == nil {
			return base64.StdEncoding.EncodeToString(data)
		}
	case ipAddress:
		if prefix, ok := parsePrefix(value); ok {
			return prefix.String()
		}
	default:
	}
	return value
}

// fold gives texts that differ only in case the same form.
func fold(text string) string { return strings.ToLower(text) }

// dateLayouts are the forms of ISO 8601 that W3C's note on dates allows, which
// is what IAM refers to. Without a zone a time is in UTC.
// https://www.w3.org/TR/NOTE-datetime
var dateLayouts = [...]string{
	time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04",
	"2006-01-02", "2006-01", "2006",
}

// parseDate reads a date as ISO 8601 or as seconds since 1970.
func parseDate(text string) (time.Time, bool) {
	if len(text) != len("2006") {
		if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
			return time.Unix(seconds, 0).UTC(), seconds > -1<<36 && seconds < 1<<36
		}
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// parsePrefix reads an address range; an address alone is the range of itself.
//
// AWS documents that values are in CIDR notation and that aws:SourceIp holds the
// caller's IPv4 or IPv6 address. It says nothing of IPv4-mapped addresses
// (::ffff:198.51.100.7, RFC 4291 section 2.5.5.2). It is assumed that such an
// address, wherever it stands, is the IPv4 address, so that a Deny for it is not
// lost, and that a range of IPv6 holds no IPv4 address.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_IPAddress
func parsePrefix(text string) (netip.Prefix, bool) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		const mapped = 96 // bits that all mapped addresses share
		if prefix.Addr().Is4In6() && prefix.Bits() >= mapped {
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped)
		}
		return prefix.Masked(), true
	}
	address, ok := parseAddress(text)
	if !ok {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(address, address.BitLen()), true
}

func parseAddress(text string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(text)
	return address.Unmap().WithZone(""), err == nil && address.Zone() == ""
}

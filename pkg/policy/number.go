package policy

import (
	"cmp"
	"strconv"
	"strings"
)

// decimal is a number digit for digit: 0.DIGITS times ten to the power of point.
// Neither end of digits is a zero, so that a number has one form only; zero is
// the zero value. An exponent is never written out, so that a huge one costs no
// more than a small one.
type decimal struct {
	negative bool
	digits   string
	point    int64
}

// maxPoint bounds point. A number that is larger or smaller is none here: it
// matches nothing, and equals nothing but the same text.
const maxPoint = 1_000_000_000

// parseNumber reads an integer or a decimal number, with or without an exponent
// as JSON has it.
func parseNumber(text string) (decimal, bool) {
	mantissa, exponent := text, int64(0)
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		var err error
		if exponent, err = strconv.ParseInt(text[i+1:], 10, 32); err != nil {
			return decimal{}, false
		}
		mantissa = text[:i]
	}
	n := decimal{negative: strings.HasPrefix(mantissa, "-")}
	if n.negative || strings.HasPrefix(mantissa, "+") {
		mantissa = mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	n.digits = whole + fraction
	if n.digits == "" || strings.Trim(n.digits, "0123456789") != "" {
		return decimal{}, false
	}
	significant := strings.TrimLeft(n.digits, "0")
	n.point = exponent + int64(len(whole)) - int64(len(n.digits)-len(significant))
	if n.digits = strings.TrimRight(significant, "0"); n.digits == "" {
		return decimal{}, true
	}
	return n, -maxPoint <= n.point && n.point <= maxPoint
}

// String is the same text for the same number; parseNumber reads it.
func (n decimal) String() string {
	if n.digits == "" {
		return "0"
	}
	sign := ""
	if n.negative {
		sign = "-"
	}
	return sign + "0." + n.digits + "e" + strconv.FormatInt(n.point, 10)
}

// compare is negative when n is less than other, positive when it is more.
func (n decimal) compare(other decimal) int {
	if n.sign() != other.sign() {
		return cmp.Compare(n.sign(), other.sign())
	}
	larger := cmp.Compare(n.point, other.point)
	if larger == 0 {
		larger = strings.Compare(n.digits, other.digits)
	}
	return n.sign() * larger
}

func (n decimal) sign() int {
	switch {
	case n.digits == "":
		return 0
	case n.negative:
		return -1
	default:
		return 1
	}
}

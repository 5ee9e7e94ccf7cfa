package policy_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

func TestLargeNumbersAreComparedAsNumbers(t *testing.T) {
	document, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s:A","Resource":"*",
		"Condition":{"NumericLessThan":{"aws:EpochTime":"1767355200"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for epoch, want := range map[string]bool{"1767355199": true, "1767355200": false, "31767355200": false} {
		call := policy.Call{
			Caller: policy.User("arn:aws:iam::111122223333:user/alice"), Action: "s:A", Resource: "arn:aws:s:::r", ResourceAccount: "111122223333",
			Identity: []*policy.Document{document}, Context: map[string][]string{"aws:EpochTime": {epoch}},
		}
		if got := policy.Evaluate(call); got.Allowed != want {
			t.Errorf("at %s: %s", epoch, got)
		}
	}
}

// limit is a document with a condition on one number.
func limit(t testing.TB, operator, number string) *policy.Document {
	t.Helper()
	return mustParse(t, statement(`,"Condition":{"`+operator+`":{"k":`+number+`}}`))
}

func TestNumbersAreComparedDigitForDigit(t *testing.T) {
	const long = "0.1000000000000000055"
	for _, tc := range []struct {
		reason          string
		operator        string
		written, actual string
		want            bool
	}{
		{"a float64 is the same for both", "NumericEquals", "9007199254740993", "9007199254740992", false},
		{"nor these", "NumericEquals", long, "0.1", false},
		{"nor which is less", "NumericLessThan", "9007199254740993", "9007199254740992", true},
		{"nor which is more", "NumericGreaterThan", "0.1", long, true},
		{"nor which is less, below zero", "NumericLessThan", "-0.1", "-" + long, true},
		{"the same digits", "NumericEquals", long, "+00" + long + "00", true},
		{"as JSON may have it", "NumericEquals", "1e2", "100", true},
		{"as JSON may have it", "NumericEquals", "1.25E+2", "125", true},
		{"as JSON may have it", "NumericEquals", "125e-2", "1.25", true},
		{"in the call too", "NumericLessThan", "101", "1e2", true},
		{"a zero in front", "NumericEquals", ".5", "0.50", true},
		{"a point at the end", "NumericEquals", "5.", "5", true},
		{"nothing but zeros", "NumericEquals", "-0.0e7", "0", true},
		{"zero is between", "NumericGreaterThan", "-1e-300", "0", true},
		{"zero is between", "NumericLessThan", "1e-300", "0", true},
		{"more digits are no larger number", "NumericLessThan", "2", "1.99999", true},
		{"a longer number is larger", "NumericGreaterThan", "99", "100", true},
		{"larger than any float64", "NumericGreaterThan", "1e999", "1.1e999", true},
		{"smaller than any float64", "NumericEquals", "1e-999", "0", false},
		{"huge, at no cost", "NumericLessThan", "1e999999999", "9e999999998", true},
		{"tiny, at no cost", "NumericGreaterThan", "1e-999999999", "1e999999999", true},
		{"too large to be a number", "NumericGreaterThan", "1", "1e1000000000", false},
		{"too large to be a number", "NumericEquals", "1e99999999999999999999", "1e99999999999999999999", false},
		{"too small to be a number", "NumericLessThan", "1", "1e-1000000002", false},
		{"too small to be a number, which is what is asked for", "NumericNotEquals", "1", "1e-1000000002", true},
		{"no number", "NumericEquals", "-+1", "-1", false},
		{"no number", "NumericEquals", "1.2.3", "1.2.3", false},
		{"no number", "NumericEquals", ".", "0", false},
		{"no number", "NumericEquals", "", "0", false},
		{"no number", "NumericEquals", "e2", "0", false},
		{"no number", "NumericEquals", "1e", "1", false},
		{"no number", "NumericEquals", "1e1.5", "10", false},
		{"no number", "NumericEquals", "1_000", "1000", false},
		{"no number", "NumericEquals", " 1", "1", false},
	} {
		condition := policy.Condition{tc.operator: {"k": {tc.written}}}
		if got := holds(t, policy.Version2012, condition, map[string][]string{"k": {tc.actual}}); got != tc.want {
			t.Errorf("%s: %s is %s %s: %t, want %t", tc.reason, tc.actual, tc.operator, tc.written, got, tc.want)
		}
	}
}

func TestNumbersAreEqualInWhateverSpelling(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{`1e2`, `"100"`, true},
		{`[100,"1E+2","0.1e3"]`, `100.0`, true},
		{`-0`, `0e999999999`, true},
		{`1e999999999`, `10e999999998`, true},
		{`1e-999999999`, `0.1e-999999998`, true},
		{`9007199254740993`, `9007199254740992`, false},
		{`0.1000000000000000055`, `0.1`, false},
		{`1e999999999`, `2e999999999`, false},
		{`100`, `-100`, false},
		{`1e1000000000`, `10e999999999`, false}, // beyond the bound, by their text
		{`1e1000000000`, `"1e1000000000"`, true},
	} {
		a, b := limit(t, "NumericLessThan", tc.a), limit(t, "NumericLessThan", tc.b)
		if got := policy.Equal(a, b); got != tc.want {
			t.Errorf("%s and %s are equal: %t, want %t", tc.a, tc.b, got, tc.want)
		}
	}
}

func TestMillionDigitNumber(t *testing.T) {
	digits := strings.Repeat("7", 1_000_000)
	condition := policy.Condition{"NumericGreaterThan": {"k": {digits + "." + digits}}}
	if !holds(t, policy.Version2012, condition, map[string][]string{"k": {digits + "." + digits + "1"}}) {
		t.Error("one digit more is not more")
	}
}

func TestNumbersCompareAsRationalsDo(t *testing.T) {
	spelling := rapid.StringMatching(`[+-]?(0{0,2}[0-9]{1,3}\.?|[01]{0,2}\.[0-9]{1,3}|900719925474099[0-9])([eE][+-]?0?[0-3])?`)
	rapid.Check(t, func(rt *rapid.T) {
		written, actual := spelling.Draw(rt, "written"), spelling.Draw(rt, "actual")
		limitOf, ok := new(big.Rat).SetString(written)
		value, fine := new(big.Rat).SetString(actual)
		if !ok || !fine {
			rt.Fatalf("%q or %q is no number", written, actual)
		}
		order := value.Cmp(limitOf)
		for operator, want := range map[string]bool{
			"NumericEquals": order == 0, "NumericNotEquals": order != 0,
			"NumericLessThan": order < 0, "NumericLessThanEquals": order <= 0,
			"NumericGreaterThan": order > 0, "NumericGreaterThanEquals": order >= 0,
		} {
			condition := policy.Condition{operator: {"k": {written}}}
			if got := holds(t, policy.Version2012, condition, map[string][]string{"k": {actual}}); got != want {
				rt.Fatalf("%s is %s %s: %t", actual, operator, written, got)
			}
		}
		quoted := func(text string) *policy.Document { return limit(t, "NumericEquals", fmt.Sprintf("%q", text)) }
		if policy.Equal(quoted(written), quoted(actual)) != (order == 0) {
			rt.Fatalf("%s and %s are equal: %t", written, actual, order != 0)
		}
	})
}

package policy

import "strings"

// operator is a condition operator taken apart.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type operator struct {
	name     string // in lower case, as written
	set      setOperator
	compare  comparison
	negated  bool
	ifExists bool
}

// setOperator says how the several values of one context key are combined.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
type setOperator uint8

const (
	oneValue setOperator = iota
	forAnyValue
	forAllValues
)

// comparison is what an operator does to one value of the context and one of
// the policy. Negated operators compare as their positive twins do.
type comparison uint8

const (
	unknownComparison comparison = iota
	stringEquals
	stringEqualsIgnoreCase
	stringLike
	numberEquals
	numberLess
	numberLessEquals
	numberGreater
	numberGreaterEquals
	dateEquals
	dateLess
	dateLessEquals
	dateGreater
	dateGreaterEquals
	boolean
	binaryEquals
	ipAddress
	arnLike
	null
)

var comparisons = map[string]struct {
	compare comparison
	negated bool
}{
	"stringequals":              {stringEquals, false},
	"stringnotequals":           {stringEquals, true},
	"stringequalsignorecase":    {stringEqualsIgnoreCase, false},
	"stringnotequalsignorecase": {stringEqualsIgnoreCase, true},
	"stringlike":                {stringLike, false},
	"stringnotlike":             {stringLike, true},
	"numericequals":             {numberEquals, false},
	"numericnotequals":          {numberEquals, true},
	"numericlessthan":           {numberLess, false},
	"numericlessthanequals":     {numberLessEquals, false},
	"numericgreaterthan":        {numberGreater, false},
	"numericgreaterthanequals":  {numberGreaterEquals, false},
	"dateequals":                {dateEquals, false},
	"datenotequals":             {dateEquals, true},
	"datelessthan":              {dateLess, false},
	"datelessthanequals":        {dateLessEquals, false},
	"dategreaterthan":           {dateGreater, false},
	"dategreaterthanequals":     {dateGreaterEquals, false},
	"bool":                      {boolean, false},
	"binaryequals":              {binaryEquals, false},
	"ipaddress":                 {ipAddress, false},
	"notipaddress":              {ipAddress, true},
	// The Arn…Equals and Arn…Like operators behave identically.
	"arnequals":    {arnLike, false},
	"arnlike":      {arnLike, false},
	"arnnotequals": {arnLike, true},
	"arnnotlike":   {arnLike, true},
	"null":         {null, false},
}

// parseOperator takes an operator apart; of one that IAM does not have, compare
// is unknownComparison.
func parseOperator(written string) operator {
	op := operator{name: strings.ToLower(written)}
	name := op.name
	if rest, ok := strings.CutPrefix(name, "foranyvalue:"); ok {
		op.set, name = forAnyValue, rest
	} else if rest, ok := strings.CutPrefix(name, "forallvalues:"); ok {
		op.set, name = forAllValues, rest
	}
	name, op.ifExists = strings.CutSuffix(name, "ifexists")
	known := comparisons[name]
	if known.compare == null && (op.ifExists || op.set != oneValue) {
		return op
	}
	op.compare, op.negated = known.compare, known.negated
	return op
}

package policy

import "strings"

// operator is a condition operator taken apart.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type operator struct {
	name     string // in lower case, as written
	set      setOperator
	compare  comparison
	relation relation
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
	number
	date
	boolean
	binaryEquals
	ipAddress
	arnLike
	null
)

// relation is how numbers and dates must relate.
type relation uint8

const (
	equal relation = iota
	less
	lessOrEqual
	greater
	greaterOrEqual
)

// holds reports whether the relation holds for values that compare as order
// says, which is negative when the context's value is less than the policy's.
func (r relation) holds(order int) bool {
	switch r {
	case less:
		return order < 0
	case lessOrEqual:
		return order <= 0
	case greater:
		return order > 0
	case greaterOrEqual:
		return order >= 0
	default:
		return order == 0
	}
}

// operators are the operators without what may stand around them, in lower
// case.
var operators = map[string]operator{
	"stringequals":              {compare: stringEquals},
	"stringnotequals":           {compare: stringEquals, negated: true},
	"stringequalsignorecase":    {compare: stringEqualsIgnoreCase},
	"stringnotequalsignorecase": {compare: stringEqualsIgnoreCase, negated: true},
	"stringlike":                {compare: stringLike},
	"stringnotlike":             {compare: stringLike, negated: true},
	"numericequals":             {compare: number},
	"numericnotequals":          {compare: number, negated: true},
	"numericlessthan":           {compare: number, relation: less},
	"numericlessthanequals":     {compare: number, relation: lessOrEqual},
	"numericgreaterthan":        {compare: number, relation: greater},
	"numericgreaterthanequals":  {compare: number, relation: greaterOrEqual},
	"dateequals":                {compare: date},
	"datenotequals":             {compare: date, negated: true},
	"datelessthan":              {compare: date, relation: less},
	"datelessthanequals":        {compare: date, relation: lessOrEqual},
	"dategreaterthan":           {compare: date, relation: greater},
	"dategreaterthanequals":     {compare: date, relation: greaterOrEqual},
	"bool":                      {compare: boolean},
	"binaryequals":              {compare: binaryEquals},
	"ipaddress":                 {compare: ipAddress},
	"notipaddress":              {compare: ipAddress, negated: true},
	// The Arn…Equals and Arn…Like operators behave identically.
	"arnequals":    {compare: arnLike},
	"arnlike":      {compare: arnLike},
	"arnnotequals": {compare: arnLike, negated: true},
	"arnnotlike":   {compare: arnLike, negated: true},
	"null":         {compare: null},
}

// parseOperator takes an operator apart; of one that IAM does not have, compare
// is unknownComparison.
func parseOperator(written string) operator {
	name := strings.ToLower(written)
	bare, ifExists := strings.CutSuffix(name, "ifexists")
	set := oneValue
	if rest, ok := strings.CutPrefix(bare, "foranyvalue:"); ok {
		set, bare = forAnyValue, rest
	} else if rest, ok := strings.CutPrefix(bare, "forallvalues:"); ok {
		set, bare = forAllValues, rest
	}
	op := operators[bare]
	if op.compare == null && (ifExists || set != oneValue) {
		op = operator{}
	}
	op.name, op.set, op.ifExists = name, set, ifExists
	return op
}

package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxSize is the longest text that Parse reads, in bytes. AWS's largest policy
// is a fiftieth of it.
const MaxSize = 1 << 20

// ParseError says what is wrong with a policy document, and where.
type ParseError struct {
	Line, Column int    // of the text, both from 1; the column in characters
	Where        string // the element, such as Statement[1].Principal.AWS
	Problem      string
}

func (e *ParseError) Error() string {
	at := ""
	if e.Where != "" {
		at = " at " + e.Where
	}
	return fmt.Sprintf("policy document: line %d, column %d%s: %s", e.Line, e.Column, at, e.Problem)
}

// in puts where, the enclosing element, in front of what the error names.
func (e *ParseError) in(where string) *ParseError {
	switch {
	case e == nil:
		return nil
	case e.Where == "" || e.Where[0] == '[':
		e.Where = where + e.Where
	default:
		e.Where = where + "." + e.Where
	}
	return e
}

// Parse reads a policy document. The error, if any, is a *ParseError.
//
// Whatever IAM's grammar allows is kept, and so are elements that it does not
// know. Refused are text that is not exactly one JSON object, values of the wrong
// type, an unknown Version or Effect, an element together with its Not… twin,
// known elements in the wrong case, and documents of absurd size or depth. That
// required elements are there is not checked: it depends on what the policy is
// for.
//
// Of a name that comes twice in an object the last value counts, and a statement
// with such a name keeps its bytes; Repeated says where. Refused is Statement
// twice: to write the document again would be to drop the statements of the
// first, on an assumption about which of the two counts.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func Parse(text []byte) (*Document, error) {
	if len(text) > MaxSize {
		return nil, &ParseError{Line: 1, Column: 1, Problem: fmt.Sprintf(
			"the document has %d bytes, more than the %d that are read", len(text), MaxSize)}
	}
	p := parser{scanner{text: string(text)}}
	document, err := p.document()
	if err != nil {
		return nil, err
	}
	document.repeated = p.repeated
	return document, nil
}

// Repeated is an error, a *ParseError, that says where a name came twice in one
// object of the text that the document was parsed from, or nil. Some readers of
// JSON refuse such a text.
func (d *Document) Repeated() error {
	if d == nil || d.repeated == nil {
		return nil
	}
	return d.repeated
}

type parser struct{ scanner }

func (p *parser) document() (*Document, *ParseError) {
	d := &Document{}
	err := p.object(func(name string) *ParseError {
		return p.documentMember(d, name).in(name)
	})
	if err != nil {
		return nil, err
	}
	p.next()
	if p.pos < len(p.text) {
		return nil, p.fail("something follows the end of the document")
	}
	return d, nil
}

func (p *parser) documentMember(d *Document, name string) (err *ParseError) {
	switch name {
	case "Version":
		d.Version, err = p.oneOf(Version2012, Version2008)
	case "Id":
		d.ID, err = p.string()
		d.emptyID = d.ID == ""
	case "Statement":
		if d.Statements != nil {
			return p.fail(repeats(name))
		}
		d.Statements, err = p.statements()
	default:
		err = p.unknown(&d.unknown, name, "Version", "Id", "Statement")
	}
	return err
}

// oneOf reads a string that must be one of two.
func (p *parser) oneOf(a, b string) (string, *ParseError) {
	p.next()
	start := p.pos
	value, err := p.string()
	if err == nil && value != a && value != b {
		err = p.failAt(start, fmt.Sprintf("%q is neither %q nor %q", value, a, b))
	}
	return value, err
}

// unknown keeps a member that is not one of the known ones. One that differs
// from a known one only in case is refused: taking it for unknown could turn,
// say, a condition into none.
func (p *parser) unknown(members *[]member, name string, known ...string) *ParseError {
	for _, k := range known {
		if strings.EqualFold(name, k) {
			return p.fail("the element is spelled " + k)
		}
	}
	p.next()
	start, spaces := p.pos, p.spaces
	if err := p.skip(1); err != nil {
		return err
	}
	value := p.since(start, spaces)
	for i := range *members {
		if (*members)[i].name == name {
			(*members)[i].value = value
			return nil
		}
	}
	*members = append(*members, member{name, value})
	return nil
}

func (p *parser) statements() ([]Statement, *ParseError) {
	if p.next() == '{' {
		statement, err := p.statement()
		return []Statement{statement}, err
	}
	statements := []Statement{}
	err := p.list(func() *ParseError {
		statement, err := p.statement()
		statements = append(statements, statement)
		return err.in("[" + strconv.Itoa(len(statements)-1) + "]")
	})
	return statements, err
}

func (p *parser) statement() (Statement, *ParseError) {
	var s Statement
	p.next()
	start, spaces := p.pos, p.spaces
	err := p.object(func(name string) *ParseError {
		return p.statementMember(&s, name).in(name)
	})
	if err == nil {
		err = p.exclusive(&s)
	}
	if err == nil {
		s.source = p.since(start, spaces)
	}
	return s, err
}

func (p *parser) statementMember(s *Statement, name string) (err *ParseError) {
	switch name {
	case "Sid":
		s.Sid, err = p.string()
	case "Effect":
		var effect string
		effect, err = p.oneOf(string(Allow), string(Deny))
		s.Effect = Effect(effect)
	case "Principal":
		s.Principal, err = p.principals()
	case "NotPrincipal":
		s.NotPrincipal, err = p.principals()
	case "Action":
		s.Action, err = p.strings()
	case "NotAction":
		s.NotAction, err = p.strings()
	case "Resource":
		s.Resource, err = p.strings()
	case "NotResource":
		s.NotResource, err = p.strings()
	case "Condition":
		s.Condition, err = p.condition()
	default:
		err = p.unknown(&s.unknown, name, "Sid", "Effect", "Principal", "NotPrincipal", "Action",
			"NotAction", "Resource", "NotResource", "Condition")
	}
	return err
}

// exclusive refuses a statement with both an element and its negation, as AWS
// does.
func (p *parser) exclusive(s *Statement) *ParseError {
	switch {
	case s.Principal != nil && s.NotPrincipal != nil:
		return p.fail("the statement has both Principal and NotPrincipal")
	case s.Action != nil && s.NotAction != nil:
		return p.fail("the statement has both Action and NotAction")
	case s.Resource != nil && s.NotResource != nil:
		return p.fail("the statement has both Resource and NotResource")
	}
	return nil
}

func (p *parser) principals() (*Principals, *ParseError) {
	who := &Principals{}
	if p.next() == '"' {
		start := p.pos
		value, err := p.string()
		if err == nil && value != "*" {
			err = p.failAt(start, fmt.Sprintf(`%q must be "*" or an object such as {"AWS": %q}`, value, value))
		}
		who.Everyone = true
		return who, err
	}
	err := p.object(func(kind string) *ParseError {
		values, err := p.strings()
		who.set(kind, values)
		return err.in(kind)
	})
	return who, err
}

func (w *Principals) set(kind string, values []string) {
	switch kind {
	case "AWS":
		w.AWS = values
	case "Service":
		w.Service = values
	case "Federated":
		w.Federated = values
	case "CanonicalUser":
		w.CanonicalUser = values
	default:
		if w.Other == nil {
			w.Other = make(map[string][]string)
		}
		w.Other[kind] = values
	}
}

func (p *parser) condition() (Condition, *ParseError) {
	condition := Condition{}
	err := p.object(func(operator string) *ParseError {
		keys := map[string][]string{}
		condition[operator] = keys
		return p.object(func(key string) *ParseError {
			values, err := p.oneOrMore("a string, number or boolean, or a list of them", p.scalar)
			keys[key] = values
			return err.in(key)
		}).in(operator)
	})
	return condition, err
}

func (p *parser) strings() ([]string, *ParseError) {
	return p.oneOrMore("a string or a list of strings", p.string)
}

// scalar reads what may be a condition's value, as text.
func (p *parser) scalar() (string, *ParseError) {
	if p.next() == '"' {
		return p.string()
	}
	return p.numberOrBoolean()
}

// oneOrMore reads one value or a list of values; never nil without an error.
func (p *parser) oneOrMore(wanted string, read func() (string, *ParseError)) ([]string, *ParseError) {
	switch p.next() {
	case '{', 'n', 0:
		return nil, p.expected(wanted)
	case '[':
		values := []string{}
		err := p.list(func() *ParseError {
			value, err := read()
			values = append(values, value)
			if err != nil { // names are only made for errors
				return err.in("[" + strconv.Itoa(len(values)-1) + "]")
			}
			return nil
		})
		return values, err
	}
	value, err := read()
	return []string{value}, err
}

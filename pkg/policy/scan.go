package policy

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep the values of unknown elements may nest. Nothing that
// IAM defines goes deeper than five.
const maxDepth = 32

// scanner reads JSON, strictly, from a text that it shares its strings with:
// a string without escapes costs no copy.
type scanner struct {
	text   string
	pos    int
	spaces int // insignificant whitespace passed so far

	repeated *ParseError // the first name that came twice in one object
}

// next passes whitespace and returns the byte that follows, 0 at the end.
func (s *scanner) next() byte {
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
		s.pos++
		s.spaces++
	}
	return 0
}

// accept passes c if it comes next.
func (s *scanner) accept(c byte) bool {
	if s.next() != c || s.pos == len(s.text) {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) fail(problem string) *ParseError { return s.failAt(s.pos, problem) }

func (s *scanner) failAt(pos int, problem string) *ParseError {
	before := s.text[:pos]
	return &ParseError{
		Line:    strings.Count(before, "\n") + 1,
		Column:  utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1,
		Problem: problem,
	}
}

// expected reports what is there instead of what was wanted.
func (s *scanner) expected(wanted string) *ParseError {
	return s.fail("expected " + wanted + ", found " + s.found())
}

func (s *scanner) found() string {
	switch c := s.next(); {
	case s.pos == len(s.text):
		return "the end of the document"
	case c == '"':
		return "a string"
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == '-' || c >= '0' && c <= '9':
		return "a number"
	case strings.HasPrefix(s.text[s.pos:], "true"), strings.HasPrefix(s.text[s.pos:], "false"):
		return "a boolean"
	case strings.HasPrefix(s.text[s.pos:], "null"):
		return "null"
	default:
		r, _ := utf8.DecodeRuneInString(s.text[s.pos:])
		return strconv.QuoteRune(r)
	}
}

// object reads an object and hands each member's name to member, which reads
// the value. Of a name that comes twice the last value counts, as in the readers
// that AWS is built with; member must let it replace the first.
func (s *scanner) object(member func(name string) *ParseError) *ParseError {
	if !s.accept('{') {
		return s.expected("an object")
	}
	if s.accept('}') {
		return nil
	}
	var seen names
	for {
		s.next()
		start := s.pos
		name, err := s.string()
		if err != nil {
			return err
		}
		if !seen.add(name) && s.repeated == nil {
			s.repeated = s.failAt(start, repeats(name))
		}
		if !s.accept(':') {
			return s.expected("':'")
		}
		if err := member(name); err != nil {
			return err
		}
		if s.accept('}') {
			return nil
		}
		if !s.accept(',') {
			return s.expected("',' or '}'")
		}
	}
}

func repeats(name string) string {
	return "the name " + strconv.Quote(name) + " comes twice in one object"
}

// list reads a list and calls item for each of its values.
func (s *scanner) list(item func() *ParseError) *ParseError {
	if !s.accept('[') {
		return s.expected("a list")
	}
	if s.accept(']') {
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if s.accept(']') {
			return nil
		}
		if !s.accept(',') {
			return s.expected("',' or ']'")
		}
	}
}

func (s *scanner) string() (string, *ParseError) {
	if s.next() != '"' {
		return "", s.expected("a string")
	}
	start := s.pos + 1
	ascii := true
	for i := start; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.pos = i + 1
			if !ascii && !utf8.ValidString(s.text[start:i]) {
				return "", s.failAt(start, "the string is not valid UTF-8")
			}
			return s.text[start:i], nil
		case c == '\\':
			return s.escapedString(start)
		case c < ' ':
			return "", s.failAt(i, "a control character in a string must be escaped")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", s.failAt(len(s.text), "the string does not end")
}

// escapedString reads the string that starts at start and has an escape in it.
func (s *scanner) escapedString(start int) (string, *ParseError) {
	var out []byte
	for i := start; i < len(s.text); {
		switch c := s.text[i]; {
		case c == '"':
			s.pos = i + 1
			if !utf8.Valid(out) {
				return "", s.failAt(start, "the string is not valid UTF-8")
			}
			return string(out), nil
		case c < ' ':
			return "", s.failAt(i, "a control character in a string must be escaped")
		case c == '\\':
			r, size := unescape(s.text[i:])
			if size == 0 {
				return "", s.failAt(i, "not a valid escape")
			}
			out = utf8.AppendRune(out, r)
			i += size
		default:
			out = append(out, c)
			i++
		}
	}
	return "", s.failAt(len(s.text), "the string does not end")
}

// unescape reads the escape at the start of text and says how long it is; 0 if
// it is none. Half a surrogate pair is none: no Unicode text contains it.
func unescape(text string) (rune, int) {
	if len(text) < 2 {
		return 0, 0
	}
	if i := strings.IndexByte(`"\/bfnrt`, text[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2
	}
	r, ok := codeUnit(text)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	low, ok := codeUnit(text[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

// codeUnit reads \u and four hexadecimal digits.
func codeUnit(text string) (rune, bool) {
	if len(text) < 6 || text[:2] != `\u` {
		return 0, false
	}
	unit, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(unit), err == nil
}

// skip passes one value of any kind.
func (s *scanner) skip(depth int) *ParseError {
	if depth > maxDepth {
		return s.fail("nested more than " + strconv.Itoa(maxDepth) + " deep")
	}
	switch c := s.next(); c {
	case '{':
		return s.object(func(string) *ParseError { return s.skip(depth + 1) })
	case '[':
		return s.list(func() *ParseError { return s.skip(depth + 1) })
	case '"':
		_, err := s.string()
		return err
	case 'n':
		if s.literal("null") {
			return nil
		}
		return s.expected("a value")
	default:
		_, err := s.numberOrBoolean()
		return err
	}
}

func (s *scanner) literal(word string) bool {
	if !strings.HasPrefix(s.text[s.pos:], word) {
		return false
	}
	s.pos += len(word)
	return true
}

// numberOrBoolean returns the value as it is spelled.
func (s *scanner) numberOrBoolean() (string, *ParseError) {
	s.next()
	for _, word := range [...]string{"true", "false"} {
		if s.literal(word) {
			return word, nil
		}
	}
	size := numberLength(s.text[s.pos:])
	if size == 0 {
		return "", s.expected("a value")
	}
	s.pos += size
	return s.text[s.pos-size : s.pos], nil
}

// numberLength is how much of the start of text is a JSON number.
func numberLength(text string) int {
	i := 0
	digits := func() bool {
		start := i
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
		}
		return i > start
	}
	oneOf := func(set string) bool {
		if i < len(text) && strings.IndexByte(set, text[i]) >= 0 {
			i++
			return true
		}
		return false
	}
	oneOf("-")
	if !oneOf("0") && !digits() {
		return 0
	}
	if oneOf(".") && !digits() {
		return 0
	}
	if oneOf("eE") {
		oneOf("+-")
		if !digits() {
			return 0
		}
	}
	return i
}

// since returns the text from start to here without insignificant whitespace;
// spaces is what s.spaces was at start.
func (s *scanner) since(start, spaces int) string {
	span := s.text[start:s.pos]
	if s.spaces == spaces {
		return span
	}
	out := make([]byte, 0, len(span))
	quoted := false
	for i := 0; i < len(span); i++ {
		switch c := span[i]; {
		case quoted && c == '\\':
			out = append(out, c)
			i++
			out = append(out, span[i])
			continue
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\n' || c == '\t' || c == '\r'):
			continue
		}
		out = append(out, span[i])
	}
	return string(out)
}

// names is a set that is cheap while it is small.
type names struct {
	few  []string
	many map[string]bool
}

// add reports whether name is new.
func (n *names) add(name string) bool {
	if n.many == nil {
		if slices.Contains(n.few, name) {
			return false
		}
		if n.few = append(n.few, name); len(n.few) > 16 {
			n.many = make(map[string]bool, 2*len(n.few))
			for _, have := range n.few {
				n.many[have] = true
			}
		}
		return true
	}
	if n.many[name] {
		return false
	}
	n.many[name] = true
	return true
}

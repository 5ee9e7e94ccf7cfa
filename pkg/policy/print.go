package policy

import (
	"maps"
	"slices"
	"unicode/utf8"
)

// Bytes prints the document, minified. The same document always gives the same
// bytes. The elements that it has come in the order Version, Id, Statement (always
// a list), and then those that are not known here. A nil document prints as null.
//
// Nothing is escaped that JSON does not require to be: the length of what is
// returned is what a policy's size limit is about.
func (d *Document) Bytes() []byte {
	if d == nil {
		return []byte("null")
	}
	size := 64
	for i := range d.Statements {
		size += d.Statements[i].sizeHint()
	}
	return d.append(make([]byte, 0, size))
}

// MarshalJSON is Bytes. Note that json.Marshal then escapes <, > and & in what
// it is given: use Bytes where bytes count.
func (d *Document) MarshalJSON() ([]byte, error) { return d.Bytes(), nil }

// String is Bytes as text.
func (d *Document) String() string { return string(d.Bytes()) }

func (d *Document) append(out []byte) []byte {
	out = append(out, '{')
	if d.Version != "" {
		out = appendString(appendName(out, "Version"), d.Version)
	}
	if d.ID != "" || d.emptyID {
		out = appendString(appendName(out, "Id"), d.ID)
	}
	if d.Statements != nil {
		out = appendStatements(appendName(out, "Statement"), d.Statements)
	}
	for _, m := range d.unknown {
		out = append(appendName(out, m.name), m.value...)
	}
	return append(out, '}')
}

func appendStatements(out []byte, statements []Statement) []byte {
	out = append(out, '[')
	for i := range statements {
		if i > 0 {
			out = append(out, ',')
		}
		out = statements[i].append(out)
	}
	return append(out, ']')
}

// Bytes prints the statement as it stands in its document.
func (s Statement) Bytes() []byte { return s.append(make([]byte, 0, s.sizeHint())) }

// String is Bytes as text.
func (s Statement) String() string { return string(s.Bytes()) }

func (s Statement) sizeHint() int {
	if s.source != "" {
		return len(s.source) + 1
	}
	size := 256
	if s.Principal != nil {
		for _, who := range s.Principal.AWS {
			size += len(who) + 3
		}
	}
	return size
}

func (s Statement) append(out []byte) []byte {
	if s.source != "" && s.unchanged() {
		return append(out, s.source...)
	}
	out = append(out, '{')
	if s.Sid != "" {
		out = appendString(appendName(out, "Sid"), s.Sid)
	}
	if s.Effect != "" {
		out = appendString(appendName(out, "Effect"), string(s.Effect))
	}
	out = appendPrincipals(out, "Principal", s.Principal)
	out = appendPrincipals(out, "NotPrincipal", s.NotPrincipal)
	out = appendElement(out, "Action", s.Action)
	out = appendElement(out, "NotAction", s.NotAction)
	out = appendElement(out, "Resource", s.Resource)
	out = appendElement(out, "NotResource", s.NotResource)
	if s.Condition != nil {
		out = appendCondition(appendName(out, "Condition"), s.Condition)
	}
	for _, m := range s.unknown {
		out = append(appendName(out, m.name), m.value...)
	}
	return append(out, '}')
}

// unchanged reports whether the fields still say what the source says.
func (s Statement) unchanged() bool {
	p := parser{scanner{text: s.source}}
	parsed, err := p.statement()
	return err == nil && parsed.Sid == s.Sid && parsed.Effect == s.Effect &&
		samePrincipals(parsed.Principal, s.Principal) && samePrincipals(parsed.NotPrincipal, s.NotPrincipal) &&
		sameList(parsed.Action, s.Action) && sameList(parsed.NotAction, s.NotAction) &&
		sameList(parsed.Resource, s.Resource) && sameList(parsed.NotResource, s.NotResource) &&
		(parsed.Condition == nil) == (s.Condition == nil) &&
		maps.EqualFunc(parsed.Condition, s.Condition, func(a, b map[string][]string) bool {
			return maps.EqualFunc(a, b, sameList)
		})
}

func samePrincipals(a, b *Principals) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Everyone == b.Everyone && sameList(a.AWS, b.AWS) && sameList(a.Service, b.Service) &&
		sameList(a.Federated, b.Federated) && sameList(a.CanonicalUser, b.CanonicalUser) &&
		maps.EqualFunc(a.Other, b.Other, sameList)
}

func sameList(a, b []string) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

func appendPrincipals(out []byte, name string, who *Principals) []byte {
	if who == nil {
		return out
	}
	out = appendName(out, name)
	if who.Everyone && who.AWS == nil && who.Service == nil && who.Federated == nil &&
		who.CanonicalUser == nil && who.Other == nil {
		return append(out, `"*"`...)
	}
	aws := who.AWS
	if who.Everyone {
		aws = append([]string{"*"}, aws...)
	}
	out = append(out, '{')
	out = appendElement(out, "AWS", aws)
	out = appendElement(out, "Service", who.Service)
	out = appendElement(out, "Federated", who.Federated)
	out = appendElement(out, "CanonicalUser", who.CanonicalUser)
	for _, kind := range slices.Sorted(maps.Keys(who.Other)) {
		out = appendElement(out, kind, who.Other[kind])
	}
	return append(out, '}')
}

func appendCondition(out []byte, condition Condition) []byte {
	out = append(out, '{')
	for _, operator := range slices.Sorted(maps.Keys(condition)) {
		out = append(appendName(out, operator), '{')
		keys := condition[operator]
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			out = appendValues(appendName(out, key), keys[key])
		}
		out = append(out, '}')
	}
	return append(out, '}')
}

// appendElement prints a member unless it is absent.
func appendElement(out []byte, name string, values []string) []byte {
	if values == nil {
		return out
	}
	return appendValues(appendName(out, name), values)
}

// appendValues prints one value alone, any other number as a list.
func appendValues(out []byte, values []string) []byte {
	if len(values) == 1 {
		return appendString(out, values[0])
	}
	out = append(out, '[')
	for i, value := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendString(out, value)
	}
	return append(out, ']')
}

// appendName starts a member of the object that out ends in.
func appendName(out []byte, name string) []byte {
	if out[len(out)-1] != '{' {
		out = append(out, ',')
	}
	return append(appendString(out, name), ':')
}

// appendString prints a JSON string that escapes no more than it must. Bytes
// that are not UTF-8 become U+FFFD.
func appendString(out []byte, text string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && size == 1 {
				out = append(append(out, text[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			out = append(out, text[start:i]...)
			if c < ' ' {
				out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				out = append(out, '\\', c)
			}
			start = i + 1
		}
		i++
	}
	return append(append(out, text[start:]...), '"')
}

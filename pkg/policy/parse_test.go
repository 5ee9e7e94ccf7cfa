package policy_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

func mustParse(t testing.TB, text string) *policy.Document {
	t.Helper()
	d, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatalf("Parse(%s): %v", text, err)
	}
	return d
}

func TestParsedPolicyPrintsWithoutLoss(t *testing.T) {
	for name, tc := range map[string]struct{ reason, text, want string }{
		"SingleStatement": {
			reason: "A statement may stand without a list around it; it prints in one.",
			text:   `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:b","Resource":"*"}}`,
			want:   `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*"}]}`,
		},
		"Whitespace": {
			reason: "Whitespace between tokens means nothing, whitespace in strings does.",
			text:   " {\n\t\"Version\" : \"2012-10-17\" ,\r\n\"Statement\":[ {\"Sid\": \"a \\\" b\", \"Effect\":\"Deny\"} ] } \n",
			want:   `{"Version":"2012-10-17","Statement":[{"Sid":"a \" b","Effect":"Deny"}]}`,
		},
		"OrderOfElements": {
			reason: "The bytes of a statement are its author's, their order too.",
			text:   `{"Statement":[{"Resource":["*"],"Action":["a:b"],"Effect":"Allow","Sid":"x"}],"Id":"p","Version":"2008-10-17"}`,
			want:   `{"Version":"2008-10-17","Id":"p","Statement":[{"Resource":["*"],"Action":["a:b"],"Effect":"Allow","Sid":"x"}]}`,
		},
		"Escapes": {
			reason: "Escapes stay as they were written, < and / are left alone.",
			text:   `{"Statement":[{"Sid":"\u0041\/<&>\u00e9é","Effect":"Allow"}]}`,
			want:   `{"Statement":[{"Sid":"\u0041\/<&>\u00e9é","Effect":"Allow"}]}`,
		},
		"NumbersAndBooleans": {
			reason: "A condition's values may be numbers and booleans, and keep their spelling.",
			text:   `{"Statement":[{"Effect":"Allow","Condition":{"Bool":{"aws:x":true},"NumericLessThan":{"s3:max-keys":[10.0,"20",-3e2]}}}]}`,
			want:   `{"Statement":[{"Effect":"Allow","Condition":{"Bool":{"aws:x":true},"NumericLessThan":{"s3:max-keys":[10.0,"20",-3e2]}}}]}`,
		},
		"Negations": {
			reason: "NotPrincipal, NotAction and NotResource are elements like others.",
			text:   `{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":["1"],"Service":"s"},"NotAction":"a:*","NotResource":[]}]}`,
			want:   `{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":["1"],"Service":"s"},"NotAction":"a:*","NotResource":[]}]}`,
		},
		"Principals": {
			reason: "Both forms of everyone, and kinds that are not known, stay what they were.",
			text:   `{"Statement":[{"Effect":"Allow","Principal":"*"},{"Effect":"Allow","Principal":{"AWS":"*","Federated":"f","CanonicalUser":"c","New":["n"]}}]}`,
			want:   `{"Statement":[{"Effect":"Allow","Principal":"*"},{"Effect":"Allow","Principal":{"AWS":"*","Federated":"f","CanonicalUser":"c","New":["n"]}}]}`,
		},
		"UnknownElements": {
			reason: "What AWS may add one day is kept.",
			text:   `{"Statement":[{"Effect":"Allow","New":{"a":[1,null,{"b":false}]}}],"Other": [ "a \" b", 1 ]}`,
			want:   `{"Statement":[{"Effect":"Allow","New":{"a":[1,null,{"b":false}]}}],"Other":["a \" b",1]}`,
		},
		"SameSidTwice": {
			reason: "Some services accept it, so some policies have it.",
			text:   `{"Statement":[{"Sid":"x","Effect":"Allow"},{"Sid":"x","Effect":"Deny"}]}`,
			want:   `{"Statement":[{"Sid":"x","Effect":"Allow"},{"Sid":"x","Effect":"Deny"}]}`,
		},
		"NoStatement": {
			reason: "Whether there must be one is for the service that takes the policy to say.",
			text:   `{"Version":"2012-10-17"}`,
			want:   `{"Version":"2012-10-17"}`,
		},
		"EmptyStatement": {
			reason: "A list of none is not the same text as none.",
			text:   `{"Statement":[]}`,
			want:   `{"Statement":[]}`,
		},
		"EmptyID": {
			reason: "Nor is an Id that says nothing, or a Sid.",
			text:   `{"Id":"","Statement":[{"Sid":"","Effect":"Allow"}]}`,
			want:   `{"Id":"","Statement":[{"Sid":"","Effect":"Allow"}]}`,
		},
		"Nothing": {
			reason: "A document may be empty.",
			text:   `{}`,
			want:   `{}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustParse(t, tc.text)
			if diff := cmp.Diff(tc.want, string(d.Bytes())); diff != "" {
				t.Errorf("%s\nBytes(): -want, +got:\n%s", tc.reason, diff)
			}
			if !json.Valid(d.Bytes()) {
				t.Errorf("%s\nBytes() is not valid JSON: %s", tc.reason, d)
			}
		})
	}
}

func TestParseFillsTheFields(t *testing.T) {
	d := mustParse(t, `{"Version":"2012-10-17","Id":"i","Statement":[{"Sid":"s\u00e9","Effect":"Allow",
		"Principal":{"AWS":["111122223333","*"],"Service":"x.amazonaws.com"},"Action":"a:b","NotResource":["r",""],
		"Condition":{"Bool":{"aws:x":[true,"false"],"aws:y":1.50},"StringLike":{}}}]}`)
	if d.Version != policy.Version2012 || d.ID != "i" || len(d.Statements) != 1 {
		t.Fatalf("Version %q, ID %q, %d statements", d.Version, d.ID, len(d.Statements))
	}
	s := d.Statements[0]
	got := []any{s.Sid, s.Effect, s.Principal, s.NotPrincipal, s.Action, s.NotAction, s.Resource, s.NotResource, s.Condition}
	want := []any{
		"sé", policy.Allow,
		&policy.Principals{AWS: []string{"111122223333", "*"}, Service: []string{"x.amazonaws.com"}},
		(*policy.Principals)(nil), []string{"a:b"}, []string(nil), []string(nil), []string{"r", ""},
		policy.Condition{"Bool": {"aws:x": {"true", "false"}, "aws:y": {"1.50"}}, "StringLike": {}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	for name, tc := range map[string]struct{ reason, text, want string }{
		"Empty":           {"Nothing is not a document.", ``, `line 1, column 1: expected an object, found the end of the document`},
		"Null":            {"Neither is null.", `null`, `line 1, column 1: expected an object, found null`},
		"Trailing":        {"One document, and nothing else.", `{} {}`, `line 1, column 4: something follows the end of the document`},
		"Cut":             {"A document that was cut off.", `{"Statement":[{"Effect":"All`, `line 1, column 29 at Statement[0].Effect: the string does not end`},
		"CutObject":       {"The same, between tokens.", `{"Statement":[`, `line 1, column 15 at Statement[0]: expected an object, found the end of the document`},
		"Comma":           {"Strict JSON.", `{"Id":"a",}`, `line 1, column 11: expected a string, found '}'`},
		"Colon":           {"Strict JSON.", `{"Id" "a"}`, `line 1, column 7: expected ':', found a string`},
		"Separator":       {"Strict JSON.", `{"Id":"a" "Version":""}`, `line 1, column 11: expected ',' or '}', found a string`},
		"ListSeparator":   {"Strict JSON.", `{"Statement":[{} {}]}`, `line 1, column 18 at Statement: expected ',' or ']', found an object`},
		"Control":         {"A raw newline in a string is not JSON.", "{\"Id\":\"a\nb\"}", `line 1, column 9 at Id: a control character in a string must be escaped`},
		"ControlEscaped":  {"Nor after an escape.", "{\"Id\":\"\\n\n\"}", `line 1, column 10 at Id: a control character in a string must be escaped`},
		"Escape":          {"Not an escape of JSON.", `{"Id":"\x"}`, `line 1, column 8 at Id: not a valid escape`},
		"EscapeCut":       {"Not an escape of JSON.", `{"Id":"\u00`, `line 1, column 8 at Id: not a valid escape`},
		"EscapeEnd":       {"Not an escape of JSON.", `{"Id":"\`, `line 1, column 8 at Id: not a valid escape`},
		"Surrogate":       {"Half a character.", `{"Id":"\ud83d\u0041"}`, `line 1, column 8 at Id: not a valid escape`},
		"UTF8":            {"Not text.", "{\"Id\":\"\xff\"}", `line 1, column 8 at Id: the string is not valid UTF-8`},
		"UTF8Escaped":     {"Nor with an escape in it.", "{\"Id\":\"\\n\xff\"}", `line 1, column 8 at Id: the string is not valid UTF-8`},
		"TwoStatements":   {"Writing the document again would drop the statements of the first.", `{"Statement":[],"Statement":[]}`, `line 1, column 29 at Statement: the name "Statement" comes twice in one object`},
		"Version":         {"An unknown version could mean anything.", `{"Version":"2020-01-01"}`, `line 1, column 12 at Version: "2020-01-01" is neither "2012-10-17" nor "2008-10-17"`},
		"VersionType":     {"Wrong type.", `{"Version":2012}`, `line 1, column 12 at Version: expected a string, found a number`},
		"Effect":          {"The effect is case-sensitive.", "{\"Statement\":[{},\n {\"Effect\":\"allow\"}]}", `line 2, column 12 at Statement[1].Effect: "allow" is neither "Allow" nor "Deny"`},
		"ElementCase":     {"A condition must not be overlooked.", `{"Statement":{"condition":{}}}`, `line 1, column 27 at Statement.condition: the element is spelled Condition`},
		"DocumentCase":    {"Nor a statement.", `{"statement":[]}`, `line 1, column 14 at statement: the element is spelled Statement`},
		"StatementType":   {"Wrong type.", `{"Statement":"x"}`, `line 1, column 14 at Statement: expected a list, found a string`},
		"Principal":       {"A principal needs its kind.", `{"Statement":{"Principal":"111122223333"}}`, `line 1, column 27 at Statement.Principal: "111122223333" must be "*" or an object such as {"AWS": "111122223333"}`},
		"PrincipalItem":   {"Wrong type, in a list.", `{"Statement":[{"Principal":{"AWS":["a",7]}}]}`, `line 1, column 40 at Statement[0].Principal.AWS[1]: expected a string, found a number`},
		"PrincipalList":   {"Wrong type.", `{"Statement":{"Principal":["*"]}}`, `line 1, column 27 at Statement.Principal: expected an object, found a list`},
		"ActionType":      {"Wrong type.", `{"Statement":{"Action":{"a":1}}}`, `line 1, column 24 at Statement.Action: expected a string or a list of strings, found an object`},
		"ActionNull":      {"Wrong type.", `{"Statement":{"Action":null}}`, `line 1, column 24 at Statement.Action: expected a string or a list of strings, found null`},
		"ActionBoolean":   {"Wrong type.", `{"Statement":{"Action":true}}`, `line 1, column 24 at Statement.Action: expected a string, found a boolean`},
		"ConditionNull":   {"A condition cannot be null.", `{"Statement":{"Condition":{"Null":{"k":null}}}}`, `line 1, column 40 at Statement.Condition.Null.k: expected a string, number or boolean, or a list of them, found null`},
		"ConditionNested": {"Nor a list of lists.", `{"Statement":{"Condition":{"Null":{"k":[["a"]]}}}}`, `line 1, column 41 at Statement.Condition.Null.k[0]: expected a value, found a list`},
		"Number":          {"Not a number of JSON.", `{"New":01}`, `line 1, column 9: expected ',' or '}', found a number`},
		"NumberCut":       {"Not a number of JSON.", `{"New":-}`, `line 1, column 8 at New: expected a value, found a number`},
		"NumberFraction":  {"Not a number of JSON.", `{"New":1.}`, `line 1, column 8 at New: expected a value, found a number`},
		"NumberExponent":  {"Not a number of JSON.", `{"New":1e}`, `line 1, column 8 at New: expected a value, found a number`},
		"Word":            {"Not a word of JSON.", `{"New":nil}`, `line 1, column 8 at New: expected a value, found 'n'`},
		"Depth":           {"Deeper than anything sensible.", `{"New":` + deep + `}`, `line 1, column 40 at New: nested more than 32 deep`},
		"BothActions":     {"AWS refuses it too.", `{"Statement":{"Action":"a","NotAction":"b"}}`, `line 1, column 44 at Statement: the statement has both Action and NotAction`},
		"BothResources":   {"AWS refuses it too.", `{"Statement":{"Resource":"a","NotResource":"b"}}`, `line 1, column 48 at Statement: the statement has both Resource and NotResource`},
		"BothPrincipals":  {"AWS refuses it too.", `{"Statement":{"Principal":"*","NotPrincipal":"*"}}`, `line 1, column 50 at Statement: the statement has both Principal and NotPrincipal`},
		"Characters":      {"Columns count characters.", `{"Id":"éé",x}`, `line 1, column 12: expected a string, found 'x'`},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := policy.Parse([]byte(tc.text))
			if err == nil {
				t.Fatalf("%s\nParse(%q) = %s", tc.reason, tc.text, d)
			}
			if diff := cmp.Diff("policy document: "+tc.want, err.Error()); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			if parseError := (*policy.ParseError)(nil); !errors.As(err, &parseError) {
				t.Errorf("the error is a %T", err)
			}
		})
	}
}

func TestTooLargeDocumentIsRefused(t *testing.T) {
	text := []byte(`{"Id":"` + strings.Repeat("a", policy.MaxSize) + `"}`)
	if _, err := policy.Parse(text); err == nil {
		t.Error("it was parsed")
	}
	if _, err := policy.Parse(text[:0:0]); err == nil {
		t.Error("an empty one was parsed")
	}
}

func TestDuplicateNameLastValueCounts(t *testing.T) {
	for name, tc := range map[string]struct{ reason, text, means, where string }{
		"Name":      {"An element of the document.", `{"Id":"a","Id":"b"}`, `{"Id":"b"}`, `line 1, column 11: the name "Id" comes twice in one object`},
		"Emptied":   {"Also if the last says nothing.", `{"Id":"a","Id":""}`, `{"Id":""}`, `line 1, column 11: the name "Id" comes twice in one object`},
		"Escape":    {"Also when spelled differently.", `{"Statement":{"Effect":"Allow","\u0045ffect":"Deny"}}`, `{"Statement":{"Effect":"Deny"}}`, `line 1, column 32: the name "Effect" comes twice in one object`},
		"Principal": {"A kind of principal.", `{"Statement":{"Principal":{"AWS":"*","AWS":"111122223333"}}}`, `{"Statement":{"Principal":{"AWS":"111122223333"}}}`, `line 1, column 38: the name "AWS" comes twice in one object`},
		"Operator":  {"An operator, with all of its keys.", `{"Statement":{"Condition":{"Bool":{"a":true},"Bool":{"b":true}}}}`, `{"Statement":{"Condition":{"Bool":{"b":true}}}}`, `line 1, column 46: the name "Bool" comes twice in one object`},
		"Key":       {"A key of a condition.", `{"Statement":{"Condition":{"Bool":{"a":true,"a":false}}}}`, `{"Statement":{"Condition":{"Bool":{"a":"false"}}}}`, `line 1, column 45: the name "a" comes twice in one object`},
		"Unknown":   {"An element that is not known.", `{"New":1,"New":2}`, `{"New":2}`, `line 1, column 10: the name "New" comes twice in one object`},
		"Deep":      {"And within one.", `{"New":[{"a":1,"a":2}]}`, `{"New":[{"a":2}]}`, `line 1, column 16: the name "a" comes twice in one object`},
	} {
		t.Run(name, func(t *testing.T) {
			d, means := mustParse(t, tc.text), mustParse(t, tc.means)
			if !policy.Equal(d, means) {
				t.Errorf("%s\n%s\nis not read as\n%s", tc.reason, d, means)
			}
			if err := d.Repeated(); err == nil || err.Error() != "policy document: "+tc.where {
				t.Errorf("%s\nRepeated: %v", tc.reason, err)
			}
			if err := means.Repeated(); err != nil {
				t.Errorf("%s has each name once: %v", means, err)
			}
			if len(d.Statements) > 0 && !strings.Contains(tc.text, d.Statements[0].String()) {
				t.Errorf("%s\nthe statement lost its bytes: %s", tc.reason, d.Statements[0])
			}
		})
	}
}

func TestManyNamesInOneObjectAreAllChecked(t *testing.T) {
	var text strings.Builder
	for i := range 40 {
		text.WriteString(`"k` + strings.Repeat("x", i) + `":1,`)
	}
	if err := mustParse(t, `{`+text.String()+`"last":1}`).Repeated(); err != nil {
		t.Error(err)
	}
	if mustParse(t, `{`+text.String()+`"kxxx":1}`).Repeated() == nil {
		t.Error("a name that comes twice went unnoticed")
	}
}

package eventpattern_test

import (
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/eventpattern"
)

func TestAPatternMatchesWhatItAsksFor(t *testing.T) {
	const record = `{"eventName": "INSERT", "n": 300, "none": null, "yes": true, "empty": "",
		"tags": ["red", "green"], "dynamodb": {"Keys": {"pk": {"S": "ACCOUNT#1"}}, "SizeBytes": 26, "many": [{"a": 1}, {"a": 2}]}}`
	cases := map[string]struct {
		reason  string
		pattern string
		want    bool
	}{
		"the template's own":           {"accounts, not memberships", `{"dynamodb": {"Keys": {"pk": {"S": [{"prefix": "ACCOUNT#"}]}}}}`, true},
		"another prefix":               {"it begins otherwise", `{"dynamodb": {"Keys": {"pk": {"S": [{"prefix": "OU#"}]}}}}`, false},
		"one of several":               {"values of a field are alternatives", `{"eventName": ["REMOVE", "INSERT"]}`, true},
		"none of several":              {"no alternative holds", `{"eventName": ["REMOVE", "MODIFY"]}`, false},
		"every field":                  {"fields have to hold together", `{"eventName": ["INSERT"], "yes": [false]}`, false},
		"a number":                     {"as it is spelt", `{"n": [300]}`, true},
		"a number spelt otherwise":     {"EventBridge compares numbers as they are spelt", `{"n": [300.0]}`, false},
		"null":                         {"null is a value", `{"none": [null]}`, true},
		"null of what is absent":       {"absence is not null", `{"absent": [null]}`, false},
		"true":                         {"booleans are values", `{"yes": [true]}`, true},
		"an empty text":                {"so is an empty text", `{"empty": [""]}`, true},
		"an element of an array":       {"one element is enough", `{"tags": ["green"]}`, true},
		"no element of an array":       {"none of them is", `{"tags": ["blue"]}`, false},
		"objects in an array":          {"one of them is enough", `{"dynamodb": {"many": {"a": [2]}}}`, true},
		"suffix":                       {"it ends so", `{"dynamodb": {"Keys": {"pk": {"S": [{"suffix": "#1"}]}}}}`, true},
		"whatever case":                {"case does not matter", `{"eventName": [{"equals-ignore-case": "insert"}]}`, true},
		"exists":                       {"it is there", `{"dynamodb": {"Keys": {"pk": {"S": [{"exists": true}]}}}}`, true},
		"exists, though null":          {"null is there", `{"none": [{"exists": true}]}`, true},
		"does not exist":               {"it is there", `{"eventName": [{"exists": false}]}`, false},
		"absent":                       {"it is not there", `{"detail": {"errorCode": [{"exists": false}]}}`, true},
		"absent, but asked for":        {"it is not there", `{"errorCode": [{"exists": true}]}`, false},
		"an object is no leaf":         {"exists asks for leaves", `{"dynamodb": [{"exists": true}]}`, false},
		"anything but":                 {"it is something else", `{"eventName": [{"anything-but": "REMOVE"}]}`, true},
		"anything but itself":          {"it is just that", `{"eventName": [{"anything-but": ["REMOVE", "INSERT"]}]}`, false},
		"anything but a prefix":        {"it begins otherwise", `{"eventName": [{"anything-but": {"prefix": "REM"}}]}`, true},
		"anything but its prefix":      {"it begins so", `{"eventName": [{"anything-but": {"prefix": "INS"}}]}`, false},
		"anything but, of what is not": {"what is absent is not anything", `{"absent": [{"anything-but": "x"}]}`, false},
		"in range":                     {"0 < 300 <= 300", `{"n": [{"numeric": [">", 0, "<=", 300]}]}`, true},
		"out of range":                 {"300 is not below itself", `{"n": [{"numeric": [">", 0, "<", 300]}]}`, false},
		"numeric equality":             {"by value", `{"n": [{"numeric": ["=", 3.0e2]}]}`, true},
		"numeric of a text":            {"a text is no number", `{"eventName": [{"numeric": [">", 0]}]}`, false},
		"either":                       {"one pattern of $or is enough", `{"$or": [{"eventName": ["REMOVE"]}, {"n": [300]}]}`, true},
		"neither":                      {"no pattern of $or holds", `{"$or": [{"eventName": ["REMOVE"]}, {"n": [1]}], "yes": [true]}`, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			pattern, err := eventpattern.Parse(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if got := pattern.Matches([]byte(record)); got != c.want {
				t.Errorf("%s: %s matches: %t, want %t", c.reason, c.pattern, got, c.want)
			}
		})
	}
}

func TestAPatternThatIsNotUnderstoodIsRefused(t *testing.T) {
	cases := map[string]struct{ pattern, want string }{
		"an unknown operator":        {`{"a": [{"cidr": "10.0.0.0/8"}]}`, `operator "cidr" is not one`},
		"a misspelt operator":        {`{"a": [{"prefx": "x"}]}`, `operator "prefx"`},
		"a plain value":              {`{"a": "x"}`, "a is neither an object nor an array"},
		"no value":                   {`{"a": []}`, "its array is empty"},
		"nothing":                    {`{}`, "at least one field"},
		"no JSON":                    {`{"a": ["x"]`, "unexpected EOF"},
		"two values":                 {`{"a": ["x"]} {}`, "more after the first value"},
		"a comparison with a text":   {`{"a": [{"numeric": [">", "0"]}]}`, "numeric compares with 0"},
		"an unknown comparison":      {`{"a": [{"numeric": ["!", 0]}]}`, "no comparison !"},
		"exists as a text":           {`{"a": [{"exists": "true"}]}`, "exists is true or false"},
		"anything but exists":        {`{"a": [{"anything-but": {"exists": true}}]}`, `no operator "exists"`},
		"an operator with two names": {`{"a": [{"prefix": "a", "suffix": "b"}]}`, "2 names"},
		"one alternative":            {`{"$or": [{"a": ["x"]}]}`, "two patterns or more"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := eventpattern.Parse(c.pattern); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: want an error with %q, got %v", c.pattern, c.want, err)
			}
		})
	}
}

func TestWhatIsNoJSONMatchesNothing(t *testing.T) {
	pattern, err := eventpattern.Parse(`{"a": [{"exists": false}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if !pattern.Matches([]byte(`{}`)) || pattern.Matches([]byte(`{`)) {
		t.Error("want a match of {} and none of {")
	}
}

package policy_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

func TestBuiltStatementPrintsInOrderOfAWS(t *testing.T) {
	for name, tc := range map[string]struct {
		reason    string
		statement policy.Statement
		want      string
	}{
		"Everything": {
			reason: "Elements in AWS's order, operators and keys sorted, one value alone, lists as given.",
			statement: policy.Statement{
				Condition: policy.Condition{"StringEquals": {"b": {"2"}, "a": {"1"}}, "IpAddress": {"aws:SourceIp": {"10.0.0.0/8", "::/0"}}},
				Resource:  []string{"r"}, Action: []string{"b:b", "a:a"},
				Principal: &policy.Principals{Service: []string{"s"}, AWS: []string{"2", "1"}},
				Effect:    policy.Allow, Sid: "S",
			},
			want: `{"Sid":"S","Effect":"Allow","Principal":{"AWS":["2","1"],"Service":"s"},"Action":["b:b","a:a"],"Resource":"r",` +
				`"Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","::/0"]},"StringEquals":{"a":"1","b":"2"}}}`,
		},
		"Negations": {
			reason: "The negated elements stand where the others would.",
			statement: policy.Statement{
				Effect: policy.Deny, NotPrincipal: &policy.Principals{Everyone: true}, NotAction: []string{"a"}, NotResource: []string{},
			},
			want: `{"Effect":"Deny","NotPrincipal":"*","NotAction":"a","NotResource":[]}`,
		},
		"Everyone": {
			reason:    "Everyone beside an ARN needs the other form.",
			statement: policy.Statement{Effect: policy.Allow, Principal: &policy.Principals{Everyone: true, AWS: []string{"1"}, Other: map[string][]string{"Z": {"z"}, "N": {}}}},
			want:      `{"Effect":"Allow","Principal":{"AWS":["*","1"],"N":[],"Z":"z"}}`,
		},
		"Text": {
			reason:    "Only what JSON demands is escaped.",
			statement: policy.Statement{Sid: "a\"\\\n\x01<>&/é\u2028😀\xff.", Effect: policy.Allow},
			want:      `{"Sid":"a\"\\\u000a\u0001<>&/é` + "\u2028" + `😀` + "\ufffd" + `.","Effect":"Allow"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.statement.String()); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			if !json.Valid(tc.statement.Bytes()) {
				t.Errorf("not valid JSON: %s", tc.statement)
			}
		})
	}
}

func TestChangedStatementPrintsItsFields(t *testing.T) {
	const text = `{"Statement":[{"Resource":["r"],"New":1,"Effect":"Allow","Principal":{"AWS":["1","2"]},"Condition":{"Bool":{"k":true}}}]}`
	for name, tc := range map[string]struct {
		reason string
		change func(*policy.Statement)
		want   string
	}{
		"Nothing": {
			"Untouched, it keeps its bytes.", func(*policy.Statement) {},
			`{"Resource":["r"],"New":1,"Effect":"Allow","Principal":{"AWS":["1","2"]},"Condition":{"Bool":{"k":true}}}`,
		},
		"Field": {
			"A new value prints, and what is not known stays.", func(s *policy.Statement) { s.Sid = "x" },
			`{"Sid":"x","Effect":"Allow","Principal":{"AWS":["1","2"]},"Resource":"r","Condition":{"Bool":{"k":"true"}},"New":1}`,
		},
		"InPlace": {
			"Also one that was changed inside of a list.", func(s *policy.Statement) { s.Principal.AWS[1] = "3" },
			`{"Effect":"Allow","Principal":{"AWS":["1","3"]},"Resource":"r","Condition":{"Bool":{"k":"true"}},"New":1}`,
		},
		"Condition": {
			"Or inside of the condition.", func(s *policy.Statement) { s.Condition["Bool"]["k"] = []string{"false"} },
			`{"Effect":"Allow","Principal":{"AWS":["1","2"]},"Resource":"r","Condition":{"Bool":{"k":"false"}},"New":1}`,
		},
		"Removed": {
			"What was taken away is gone.", func(s *policy.Statement) { s.Principal, s.Condition = nil, nil },
			`{"Effect":"Allow","Resource":"r","New":1}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustParse(t, text).Statements[0]
			tc.change(&s)
			if diff := cmp.Diff(tc.want, s.String()); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestWithStatementsKeepsTheRest(t *testing.T) {
	d := mustParse(t, `{"Id":"i","New":{"a":1},"Version":"2008-10-17","Statement":[{"Effect":"Allow"},{"Effect":"Deny", "Sid":"b"}]}`)
	got := d.WithStatements(d.Statements[1], policy.Statement{Sid: "c", Effect: policy.Allow})
	want := `{"Version":"2008-10-17","Id":"i","Statement":[{"Effect":"Deny","Sid":"b"},{"Sid":"c","Effect":"Allow"}],"New":{"a":1}}`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	got = mustParse(t, `{"Id":""}`).WithStatements()
	if diff := cmp.Diff(`{"Id":"","Statement":[]}`, got.String()); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	got.ID = "i"
	if diff := cmp.Diff(`{"Id":"i","Statement":[]}`, got.String()); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if got := (*policy.Document)(nil).WithStatements().String(); got != `{"Version":"2012-10-17","Statement":[]}` {
		t.Errorf("from no policy: %s", got)
	}
}

func TestDocumentIsJSONValue(t *testing.T) {
	d := mustParse(t, `{"Statement":[{"Effect":"Allow","Resource":"a<b"}]}`)
	out, err := json.Marshal(map[string]any{"policy": d, "none": (*policy.Document)(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"none":null,"policy":{"Statement":[{"Effect":"Allow","Resource":"a\u003cb"}]}}`; string(out) != want {
		t.Errorf("got %s, want %s", out, want)
	}
	if got := (*policy.Document)(nil).String(); got != "null" {
		t.Errorf("no policy prints as %s", got)
	}
}

package policy_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// FuzzParse holds Parse to encoding/json, which must accept whatever it accepts,
// and what it parsed to what it prints. The corpus is in testdata/fuzz/FuzzParse.
func FuzzParse(f *testing.F) {
	f.Add(fullPolicy(3).Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := policy.Parse(text)
		if err != nil {
			if d != nil || err.Error() == "" {
				t.Fatalf("%v, %v", d, err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatal("it is not valid JSON")
		}
		printed := d.Bytes()
		if !json.Valid(printed) {
			t.Fatalf("printed, it is not valid JSON: %s", printed)
		}
		again, err := policy.Parse(printed)
		if err != nil {
			t.Fatalf("printed, it cannot be parsed: %v: %s", err, printed)
		}
		if !bytes.Equal(again.Bytes(), printed) {
			t.Fatalf("printed again, it differs:\n%s\n%s", printed, again)
		}
		if !policy.Equal(d, again) || !policy.Equal(again, d) {
			t.Fatalf("printed, it means something else:\n%s\n%s", d, again)
		}
		rebuilt := rebuild(d)
		if !policy.Equal(d, rebuilt) {
			t.Fatalf("built from its fields, it means something else:\n%s\n%s", d, rebuilt)
		}
		call := policy.Call{
			Caller: policy.Role(roleARN(other), "s1"), Action: invoke, Resource: gatewayARN, ResourcePolicy: d,
			Identity: []*policy.Document{d, allowAll()}, Context: map[string][]string{"aws:SourceIp": {"10.1.2.3"}, "aws:TagKeys": {"a", "b"}},
		}
		first := policy.Evaluate(call)
		if first.String() == "" {
			t.Fatal("a decision without an explanation")
		}
		call.ResourcePolicy = rebuilt
		if second := policy.Evaluate(call); second.Reason != first.Reason {
			t.Fatalf("built from its fields, it decides otherwise:\n%s\n%s", first, second)
		}
	})
}

// rebuild makes the document again from exported fields, except that elements
// which are not known come along by changing a field there and back.
func rebuild(d *policy.Document) *policy.Document {
	statements := make([]policy.Statement, len(d.Statements))
	for i, s := range d.Statements {
		sid := s.Sid
		s.Sid += "x"
		changed, err := policy.Parse(d.WithStatements(s).Bytes())
		if err != nil {
			panic(err)
		}
		statements[i] = changed.Statements[0]
		statements[i].Sid = sid
	}
	return d.WithStatements(statements...)
}

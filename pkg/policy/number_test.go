package policy_test

import (
	"testing"

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

package main

import (
	"strings"
	"testing"
	"time"
)

// hostileRows are what an admin, or a tool with an admin's rights, may write by
// mistake, each for every gateway or for the one given.
func hostileRows(gateway string) map[string]map[string]any {
	fromAddresses := func(scope, id, principal string, addresses ...string) map[string]any {
		var list []any
		for _, address := range addresses {
			list = append(list, map[string]string{"S": address})
		}
		return with(row(scope, id, principal), "conditions", map[string]any{"M": map[string]any{"sourceIp": map[string]any{"L": list}}})
	}
	role := "arn:aws:iam::" + accountB + ":role/AdminRole"
	return map[string]map[string]any{
		"a range of IPv4-mapped addresses":    fromAddresses("*", "mapped-range", accountA, "::ffff:198.51.100.0/120"),
		"a range that holds all of those":     fromAddresses("*", "all-mapped", accountA, "::/64"),
		"one address":                         fromAddresses(gateway, "lower", accountB, "2001:db8::1", "198.51.100.7"),
		"the same in capitals, and mapped":    fromAddresses(gateway, "upper", role, "2001:DB8::1", "::ffff:198.51.100.7"),
		"the same with zeros":                 fromAddresses(gateway, "zeros", role, "2001:db8:0:0::1"),
		"an attribute that is misspelt":       with(row("*", "misspelt", accountA), "condition", map[string]string{"S": "sourceIp"}),
		"an id that is reserved":              row("*", "#mine", accountA),
		"a principal of another partition":    row(gateway, "china", "arn:aws-cn:iam::"+accountB+":root"),
		"an attribute that AWS itself writes": with(row(gateway, "replicated", "arn:aws:iam::"+accountB+":role/Nowhere"), "aws:rep:deleting", map[string]bool{"BOOL": false}),
	}
}

func TestHostileRowsHoldUpNoRevocation(t *testing.T) {
	s := standInFor(t)
	admin := newAWSCLI(t, s, "admin")
	g := serveGateway(t, s, newGoSDK(t, s, "account-a"), "hostile-rows")
	put := func(item map[string]any) {
		must(t, admin, "dynamodb", "PutItem", map[string]any{"TableName": "gateway-grants", "Item": item})
	}
	remove := func(item map[string]any) {
		key := map[string]any{"gateway": item["gateway"], "grant": item["grant"]}
		must(t, admin, "dynamodb", "DeleteItem", map[string]any{"TableName": "gateway-grants", "Key": key})
	}
	put(row(g.arn, "team-b", accountB))
	eventually(t, "account B is let in", func() bool { return calls(t, s, "account-b", g) })

	rows := hostileRows(g.arn)
	for _, item := range rows {
		put(item)
	}
	defer func() { // the other tests share the table
		for _, item := range rows {
			remove(item)
		}
	}()
	put(row(g.arn, "new", management))
	eventually(t, "a new grant is admitted beside them", func() bool { return calls(t, s, "management", g) })
	remove(row(g.arn, "team-b", ""))
	within(t, 15*time.Second, "a revocation takes effect beside them", func() bool { return !calls(t, s, "account-b", g) })

	reasons := map[string]string{
		"all-mapped": "InvalidCondition", "misspelt": "UnknownAttribute", "#mine": "InvalidGrantID", "china": "OtherPartition", "replicated": "Quarantined",
	}
	within(t, 5*time.Minute, "the list names each row with its reason", func() bool {
		list, err := commandLine(t, s)("list", g.arn)
		if err != nil {
			t.Fatalf("%v\n%s", err, list)
		}
		for id, reason := range reasons {
			if !lineHas(list, id, reason) {
				return false
			}
		}
		return true
	})
}

// lineHas reports whether one line holds both texts.
func lineHas(text, one, other string) bool {
	for line := range strings.Lines(text) {
		if strings.Contains(line, one) && strings.Contains(line, other) {
			return true
		}
	}
	return false
}

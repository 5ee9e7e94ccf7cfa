package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRevokeRemovesOnlyNamedGrants(t *testing.T) {
	tests := []struct {
		reason string
		args   []string
		code   int
		stay   []string
		says   string
	}{
		{
			reason: "by its id", args: []string{"revoke", gatewayARN, "mine"},
			stay: []string{"*#444455556666", "tools#444455556666", "tools#444455556666:role/AgentRole", "tools#e-invalid"},
			says: "Revoked 444455556666 from 198.51.100.7 on tools-abcdefghij (grant mine)\nNote: 444455556666 is still let in on every gateway: gateway-grants revoke '*' '444455556666' ends that\n",
		},
		{
			reason: "a row without sense, by its id", args: []string{"revoke", gatewayARN, "e-invalid"},
			stay: []string{"*#444455556666", "tools#444455556666", "tools#444455556666:role/AgentRole", "tools#mine"},
			says: "Revoked an invalid row on tools-abcdefghij (grant e-invalid)\n",
		},
		{
			reason: "a principal, under whatever id", args: []string{"revoke", gatewayARN, "arn:aws:iam::444455556666:root"},
			stay: []string{"*#444455556666", "tools#444455556666:role/AgentRole", "tools#e-invalid"},
			says: "Revoked 444455556666 on tools-abcdefghij (grant 444455556666)\nRevoked 444455556666 from 198.51.100.7 on tools-abcdefghij (grant mine)\nNote: 444455556666 is still let in on every gateway: gateway-grants revoke '*' '444455556666' ends that\n",
		},
		{
			reason: "a role, though the row names it by an attribute", args: []string{"revoke", "tools-abcdefghij", "arn:aws:iam::444455556666:role/AgentRole"},
			stay: []string{"*#444455556666", "tools#444455556666", "tools#e-invalid", "tools#mine"},
			says: "Revoked 444455556666:role/AgentRole on tools-abcdefghij (grant 444455556666:role/AgentRole)\n",
		},
		{
			reason: "a role in the words of its grant", args: []string{"revoke", gatewayARN, "444455556666", "--role", "AgentRole"},
			stay: []string{"*#444455556666", "tools#444455556666", "tools#e-invalid", "tools#mine"},
			says: "Revoked 444455556666:role/AgentRole on tools-abcdefghij (grant 444455556666:role/AgentRole)\n",
		},
		{
			reason: "another role", args: []string{"revoke", gatewayARN, "444455556666", "--role", "Agent*"}, code: exitError,
			stay: []string{"*#444455556666", "tools#444455556666", "tools#444455556666:role/AgentRole", "tools#e-invalid", "tools#mine"},
			says: "gateway-grants: no grant on tools-abcdefghij has the id or principal 444455556666 --role Agent*: gateway-grants list shows those there are\n",
		},
		{
			reason: "on every gateway", args: []string{"revoke", "*", "444455556666"},
			stay: []string{"tools#444455556666", "tools#444455556666:role/AgentRole", "tools#e-invalid", "tools#mine"},
			says: "Revoked 444455556666 on every managed gateway (grant 444455556666)\n",
		},
		{
			reason: "no such principal", args: []string{"revoke", gatewayARN, "999900001111"}, code: exitError,
			stay: []string{"*#444455556666", "tools#444455556666", "tools#444455556666:role/AgentRole", "tools#e-invalid", "tools#mine"},
			says: "gateway-grants: no grant on tools-abcdefghij has the id or principal 999900001111: gateway-grants list shows those there are\n",
		},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			w := newWorld(t)
			w.done("grant", gatewayARN, "444455556666")
			w.done("grant", gatewayARN, "444455556666", "--id", "mine", "--source-ip", "198.51.100.7")
			w.done("grant", gatewayARN, "444455556666", "--role", "AgentRole")
			w.done("grant", "*", "444455556666")
			w.must(w.grants.Put(t.Context(), map[string]any{"gateway": gatewayARN, "grant": "e-invalid", "principle": "444455556666"}, true))

			got := w.run(test.args...)
			if got.code != test.code || got.out+got.err != test.says {
				t.Errorf("exit %d, want %d: -want +got\n%s", got.code, test.code, cmp.Diff(test.says, got.out+got.err))
			}
			var stay []string
			for _, row := range w.rows() {
				stay = append(stay, strings.Replace(row.String(), gatewayARN, "tools", 1))
			}
			if diff := cmp.Diff(test.stay, stay); diff != "" {
				t.Errorf("rows that stay: -want +got\n%s", diff)
			}
		})
	}
}

func TestRevokeOfAccountNamesGrantsOfItsRoles(t *testing.T) {
	w := newWorld(t)
	w.done("grant", gatewayARN, "444455556666", "--role", "AgentRole")
	got := w.run("revoke", gatewayARN, "444455556666")
	want := "gateway-grants: no grant on tools-abcdefghij has the id or principal 444455556666, but there is 444455556666:role/AgentRole: name that\n"
	if got.code != exitError || got.err != want || len(w.rows()) != 1 {
		t.Errorf("exit %d\n%s", got.code, got.err)
	}
}

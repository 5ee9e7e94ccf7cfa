package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// GrantsTable is the grants table: what the reconciler reads, and what the CLI
// writes.
type GrantsTable interface {
	reconcile.Grants
	All(ctx context.Context) ([]grant.Row, error)
	Naming(ctx context.Context, principals []grant.Principal) ([]string, error)
	Put(ctx context.Context, attributes grant.Attributes, onlyIfNew bool) error
	PutSentinel(ctx context.Context) error
	Written(ctx context.Context) ([]grant.Attributes, error)
	Swap(ctx context.Context, key grant.Key, shown string, attributes grant.Attributes) error
	Delete(ctx context.Context, key grant.Key) (existed bool, err error)
	Texts(ctx context.Context) (map[grant.Key]string, error)
	PutBack(ctx context.Context, change grant.RowChange) error
	ApprovedDepartures(ctx context.Context) (grant.Approvals, error)
	Approve(ctx context.Context, decision grant.Decision, at time.Time, by string) error
}

// Grants holds a grants table to its contract. Each table that open returns is
// empty, its sentinel row missing.
func Grants(t *testing.T, open func(t *testing.T) GrantsTable) {
	for name, holds := range map[string]func(*testing.T, GrantsTable){
		"a table without its sentinel is a failed read":              withoutSentinel,
		"a gateway has its own rows and those for every gateway":     ownRowsAndCommonOnes,
		"a row is read as it was written":                            rowsAreFaithful,
		"a row that is no grant carries its fault, alone":            faultsStandAlone,
		"a set of text is a list of text":                            setsAreLists,
		"the revision follows whatever an admin writes":              changesRevise,
		"a new row is not written over another":                      newRowsAreNew,
		"of many who write a new row one succeeds":                   oneWriterOfANewRow,
		"a row that is put again is replaced whole":                  rowsAreReplaced,
		"a row is deleted once":                                      rowsAreDeleted,
		"a row is changed only as it was shown":                      rowsAreSwapped,
		"what cannot be a row is refused":                            badRowsAreRefused,
		"an approval is read, and is no row":                         approvalsAreRead,
		"an approval that counts no more is deleted":                 approvalsEnd,
		"a row is put back as it was, whatever it held":              rowsArePutBack,
		"a row that was changed again is not put back":               changedRowsStay,
		"more rows than fit on a page are all read":                  rowsOfManyPages,
		"a principal is found in whatever form it was written":       principalsAreFound,
		"a call that was cancelled is an error, and nothing besides": grantsCancelled,
	} {
		t.Run(name, func(t *testing.T) { holds(t, open(t)) })
	}
}

// row is a row's attributes: name and value in turn after the key.
func row(gateway, id string, more ...any) grant.Attributes {
	attributes := grant.Attributes{grant.AttrGateway: gateway, grant.AttrGrant: id}
	for i := 0; i < len(more); i += 2 {
		attributes[more[i].(string)] = more[i+1]
	}
	return attributes
}

func putRows(t *testing.T, table GrantsTable, rows ...grant.Attributes) {
	t.Helper()
	for _, attributes := range rows {
		must(t, table.Put(t.Context(), attributes, false))
	}
}

func withSentinel(t *testing.T, table GrantsTable, rows ...grant.Attributes) {
	t.Helper()
	must(t, table.PutSentinel(t.Context()))
	putRows(t, table, rows...)
}

func keysOf(rows []grant.Row) []string {
	keys := make([]string, len(rows))
	for i, row := range rows {
		keys[i] = row.ID
		if row.Gateway == grant.EveryGateway {
			keys[i] = "*/" + row.ID
		}
	}
	return keys
}

func withoutSentinel(t *testing.T, table GrantsTable) {
	putRows(t, table,
		row(alpha.ARN(), "one", grant.AttrPrincipal, "444455556666"),
		row(beta.ARN(), grant.SentinelID), // in the wrong partition
	)
	check := func(rows []grant.Row, err error) {
		t.Helper()
		if grant.CodeOf(err) != store.CodeNoSentinel || rows != nil {
			t.Errorf("want code %s and no rows, got %v, %v", store.CodeNoSentinel, rows, err)
		}
	}
	check(table.ForGateway(t.Context(), alpha))
	check(table.All(t.Context()))

	must(t, table.PutSentinel(t.Context()))
	must(t, table.PutSentinel(t.Context())) // as each deployment does
	rows, err := table.ForGateway(t.Context(), alpha)
	must(t, err)
	same(t, "rows besides the sentinel", []string{"one"}, keysOf(rows))
	rows, err = table.ForGateway(t.Context(), beta)
	must(t, err)
	same(t, "rows where a sentinel means nothing", []string{grant.SentinelID}, keysOf(rows))
	if rows[0].Fault == nil || rows[0].Fault.Code != grant.CodeInvalidID {
		t.Errorf("a sentinel in the wrong partition: want code %s, got %+v", grant.CodeInvalidID, rows[0])
	}
}

func ownRowsAndCommonOnes(t *testing.T, table GrantsTable) {
	principal := []any{grant.AttrPrincipal, "444455556666"}
	withSentinel(t, table,
		row(alpha.ARN(), "b", principal...), row(alpha.ARN(), "a", principal...),
		row(beta.ARN(), "c", principal...), row(grant.EveryGateway, "d", principal...),
	)
	rows, err := table.ForGateway(t.Context(), alpha)
	must(t, err)
	same(t, "rows of alpha", []string{"*/d", "a", "b"}, keysOf(rows))
	rows, err = table.All(t.Context())
	must(t, err)
	same(t, "all rows", []string{"*/d", "a", "b", "c"}, keysOf(rows))
}

func rowsAreFaithful(t *testing.T, table GrantsTable) {
	rows := []grant.Attributes{
		row(alpha.ARN(), "full", grant.AttrPrincipal, "ou-abcd-11112222", grant.AttrRole, "team/Agent*",
			grant.AttrExpires, "2027-01-31T18:00:00+01:00", grant.AttrFollow, "name",
			grant.AttrExclude, []any{"777788889999", "ou-abcd-33334444"},
			grant.AttrConditions, map[string]any{"sourceVpce": []any{"vpce-0123456789abcdef0"}, "sourceIp": []any{"203.0.113.0/24", "198.51.100.7"}},
			grant.AttrReason, "because", grant.AttrRequestedBy, "ops", grant.AttrSource, "grants.yaml"),
		row(alpha.ARN(), "empty texts", grant.AttrPrincipal, "444455556666", grant.AttrReason, "", grant.AttrSource, ""),
		row(grant.EveryGateway, "Ελληνικά – ünïcödé 🚪", grant.AttrPrincipal, "tag:Équipe=Zürich", grant.AttrReason, "🙂 \u0000 \" \\ \n"),
		row(grant.EveryGateway, strings.Repeat("🚪", 256), grant.AttrPrincipal, "444455556666"),
	}
	withSentinel(t, table, rows...)
	read, err := table.ForGateway(t.Context(), alpha)
	must(t, err)
	got := make(map[grant.Key]grant.Row)
	for _, row := range read {
		got[row.Key] = row
	}
	want := make(map[grant.Key]grant.Row)
	for _, attributes := range rows {
		row := grant.Parse(attributes)
		if row.Fault != nil {
			t.Fatal(row.Fault)
		}
		want[row.Key] = row
	}
	same(t, "rows", want, got)
}

func faultsStandAlone(t *testing.T, table GrantsTable) {
	principal := []any{grant.AttrPrincipal, "444455556666"}
	want := map[string]grant.Code{
		"good": "", "no principal": grant.CodeNoPrincipal, "misspelt": grant.CodeUnknownAttribute, "numbers": grant.CodeInvalidExclude,
		"deep": grant.CodeInvalidCondition, "session": grant.CodeSessionPrincipal, "#reserved": grant.CodeInvalidID, "#other": grant.CodeInvalidID,
		"replicated": "",
	}
	withSentinel(t, table,
		row(alpha.ARN(), "good", principal...),
		row(alpha.ARN(), "no principal"),
		row(alpha.ARN(), "misspelt", append(principal, "condition", "x")...),
		row(alpha.ARN(), "#reserved", principal...), row(grant.EveryGateway, "#other", principal...),
		row(alpha.ARN(), "replicated", append(principal, "aws:rep:updatetime", json.Number("1795165201.260001"))...),
		row(alpha.ARN(), "session", grant.AttrPrincipal, "arn:aws:sts::444455556666:assumed-role/Agent/me"),
		row(alpha.ARN(), "numbers", grant.AttrPrincipal, "ou-abcd-11112222", grant.AttrExclude, []any{json.Number("444455556666")}),
		row(alpha.ARN(), "deep", append(principal, grant.AttrConditions, map[string]any{"sourceIp": []any{map[string]any{"M": nil}}})...),
	)
	for name, value := range odd {
		putRows(t, table, row(alpha.ARN(), name, append(principal, grant.AttrExpires, value)...))
		want[name] = grant.CodeWrongType
	}
	rows, err := table.ForGateway(t.Context(), alpha)
	must(t, err)
	got := make(map[string]grant.Code)
	for _, row := range rows {
		got[row.ID] = ""
		if row.Fault != nil {
			got[row.ID] = row.Fault.Code
		}
	}
	same(t, "faults", want, got)
}

// odd are values that no attribute but conditions and exclude may have.
var odd = map[string]any{
	"number": json.Number("4.50"), "bool": true, "null": nil, "bytes": []byte("2027-01-31"),
	"list": []any{"2027-01-31"}, "map": map[string]any{"S": "2027-01-31"}, "text set": store.StringSet{"2027-02-28"},
	"number set": store.NumberSet{"1", "2"}, "bytes set": store.BinarySet{[]byte("a")},
}

func setsAreLists(t *testing.T, table GrantsTable) {
	withSentinel(t, table, row(alpha.ARN(), "set", grant.AttrPrincipal, "o-exampleorgid",
		grant.AttrExclude, store.StringSet{"ou-abcd-11112222", "444455556666"},
		grant.AttrConditions, map[string]any{"sourceVpc": store.StringSet{"vpc-0123456789abcdef0"}}))
	rows, err := table.ForGateway(t.Context(), alpha)
	must(t, err)
	same(t, "the row", []grant.Row{grant.Parse(row(alpha.ARN(), "set", grant.AttrPrincipal, "o-exampleorgid",
		grant.AttrExclude, []any{"444455556666", "ou-abcd-11112222"},
		grant.AttrConditions, map[string]any{"sourceVpc": []any{"vpc-0123456789abcdef0"}}))}, rows)
}

// rowsOfManyPages has more than a megabyte in each of two partitions, which is
// what DynamoDB returns at once.
func rowsOfManyPages(t *testing.T, table GrantsTable) {
	withSentinel(t, table)
	var want []string
	for _, gateway := range []string{grant.EveryGateway, alpha.ARN()} {
		for i := range 4 {
			attributes := row(gateway, fmt.Sprintf("row-%d", i), grant.AttrPrincipal, "444455556666", grant.AttrReason, strings.Repeat("x", 350_000))
			putRows(t, table, attributes)
			want = append(want, keysOf([]grant.Row{grant.Parse(attributes)})...)
		}
	}
	rows, err := table.ForGateway(t.Context(), alpha)
	must(t, err)
	same(t, "rows of the gateway", want, keysOf(rows))
	rows, err = table.All(t.Context())
	must(t, err)
	same(t, "all rows", want, keysOf(rows))
}

func principalsAreFound(t *testing.T, table GrantsTable) {
	withSentinel(t, table,
		row(alpha.ARN(), "id", grant.AttrPrincipal, "444455556666"), row(alpha.ARN(), "twice", grant.AttrPrincipal, "444455556666"),
		row(beta.ARN(), "root", grant.AttrPrincipal, "arn:aws:iam::444455556666:root"),
		row(grant.EveryGateway, "unit", grant.AttrPrincipal, "ou-abcd-11112222"),
		row(grant.EveryGateway, "direct", grant.AttrPrincipal, "ou-abcd-11112222/direct"),
		row(beta.ARN(), "tag", grant.AttrPrincipal, "tag:team=a=b"), row(alpha.ARN(), "other", grant.AttrPrincipal, "tag:team%3Da=b"),
		row(beta.ARN(), "role", grant.AttrPrincipal, "arn:aws:iam::444455556666:role/Agent"),
		row(alpha.ARN(), "bad", grant.AttrPrincipal, "arn:aws:iam::777788889999:root", "misspelt", "x"),
	)
	for _, c := range []struct {
		reason     string
		principals []string
		want       []string
	}{
		{"an account has two forms, and a role of its is none of them", []string{"444455556666"}, []string{alpha.ARN(), beta.ARN()}},
		{"either form finds both", []string{"arn:aws:iam::444455556666:root"}, []string{alpha.ARN(), beta.ARN()}},
		{"a row that is no grant may become one", []string{"777788889999"}, []string{alpha.ARN()}},
		{"a unit is not what is directly in it", []string{"ou-abcd-11112222"}, []string{grant.EveryGateway}},
		{"several are found at once, each gateway once", []string{"ou-abcd-11112222/direct", "tag:team=a=b", "arn:aws:iam::444455556666:role/Agent"}, []string{grant.EveryGateway, beta.ARN()}},
		{"no row names it", []string{"o-exampleorgid"}, nil},
	} {
		eventually(t, c.reason, c.want, func() ([]string, error) { return table.Naming(t.Context(), principals(t, c.principals...)) })
	}
	gateways, err := table.Naming(t.Context(), nil)
	must(t, err)
	same(t, "gateways of names that were not asked for", []string(nil), gateways)
}

func grantsCancelled(t *testing.T, table GrantsTable) {
	withSentinel(t, table, row(alpha.ARN(), "one", grant.AttrPrincipal, "444455556666"))
	check := func(what string, got any, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) || grant.CodeOf(err) == "" {
			t.Errorf("%s: want a coded error that wraps context.Canceled, got %v", what, err)
		}
		if !cmp.Equal(got, nil) && fmt.Sprint(got) != "[]" && got != false {
			t.Errorf("%s: an error came with %v", what, got)
		}
	}
	rows, err := table.ForGateway(cancelled(), alpha)
	check("ForGateway", rows, err)
	rows, err = table.All(cancelled())
	check("All", rows, err)
	gateways, err := table.Naming(cancelled(), principals(t, "444455556666"))
	check("Naming", gateways, err)
	check("Put", nil, table.Put(cancelled(), row(alpha.ARN(), "two", grant.AttrPrincipal, "444455556666"), false))
	existed, err := table.Delete(cancelled(), grant.Key{Gateway: alpha.ARN(), ID: "one"})
	check("Delete", existed, err)

	rows, err = table.All(t.Context())
	must(t, err)
	same(t, "rows", []string{"one"}, keysOf(rows))
}

package report

import (
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// AccessRow is one principal on one gateway, for an access review in a spreadsheet.
type AccessRow struct {
	Gateway     string   `json:"gateway"`
	Account     string   `json:"account"` // of the principal; "" where it names none
	AccountName string   `json:"accountName"`
	Principal   string   `json:"principal"`
	Access      Kind     `json:"access"`
	Under       string   `json:"under"`
	Expires     string   `json:"expires"` // of the last of the grants; "" for never
	Grants      []string `json:"grants"`
	Statement   string   `json:"statement"` // of others
	Message     string   `json:"message"`
	Reasons     []string `json:"reasons"`
	RequestedBy []string `json:"requestedBy"`
	Sources     []string `json:"sources"`
}

// AccessRows lists who reaches what, by gateway and in the order of its accesses.
func (r Report) AccessRows() []AccessRow {
	grants := make(map[grant.Key]Grant, len(r.Grants))
	for _, g := range r.Grants {
		grants[grant.Key{Gateway: g.Gateway, ID: g.ID}] = g
	}
	rows := []AccessRow{}
	for _, gateway := range r.Gateways {
		for _, a := range gateway.Access {
			row := AccessRow{
				Gateway: gateway.ARN, Account: accountOf(a.Principal), AccountName: r.Names[accountOf(a.Principal)], Principal: a.Principal, Access: a.Kind, Under: a.Under,
				Expires: moment(a.Expires), Statement: a.Statement, Message: a.Message,
			}
			for _, key := range a.Grants {
				g := grants[key]
				row.Grants = append(row.Grants, key.ID)
				row.Reasons = appendTo(row.Reasons, g.Reason)
				row.RequestedBy = appendTo(row.RequestedBy, g.RequestedBy)
				row.Sources = appendTo(row.Sources, g.Source)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func appendTo(list []string, text string) []string {
	if text == "" {
		return list
	}
	return append(list, text)
}

// accountOf is the account that a principal belongs to; "" where it names none.
func accountOf(principal string) string {
	if arn, ok := policy.ParseIAMARN(principal); ok {
		return arn.Account
	}
	if fields := strings.Split(principal, ":"); len(fields) > 5 && policy.IsAccountID(fields[4]) {
		return fields[4] // a session
	}
	return ""
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

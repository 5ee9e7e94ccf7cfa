package main

import (
	"context"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// listedRow is a row as it is shown.
type listedRow struct {
	Gateway     string      `json:"gateway"`
	Grant       string      `json:"grant"`
	Principal   string      `json:"principal,omitempty"`
	AccountName string      `json:"accountName,omitempty"` // of the principal's account
	Role        string      `json:"role,omitempty"`
	Follow      string      `json:"follow,omitempty"`
	From        string      `json:"from,omitempty"` // where calls must come from, in words
	Exclude     []string    `json:"exclude,omitempty"`
	Expires     string      `json:"expires,omitempty"`
	Phase       grant.Phase `json:"phase"`
	Reason      grant.Code  `json:"reason,omitempty"`
	Message     string      `json:"message,omitempty"`
	Since       string      `json:"since,omitempty"`
	Admitted    []string    `json:"admitted,omitempty"`
	Why         string      `json:"why,omitempty"` // the admin's reason
	RequestedBy string      `json:"requestedBy,omitempty"`
	Source      string      `json:"source,omitempty"`
}

// Phases of a row that has not been judged.
const (
	phasePending    grant.Phase = "Pending"
	phasePerGateway grant.Phase = "PerGateway" // a row for every gateway, where no gateway was named
)

// listedOn is the row as it stands on a gateway, by what is recorded there; nil
// for nothing. What the row itself tells, a fault or its end, needs no record.
func listedOn(gateway string, row grant.Row, status *grant.Status, now time.Time) listedRow {
	listed := rowItself(row)
	current := status != nil && status.Revision == row.Revision
	if current {
		listed.Phase, listed.Reason, listed.Message = status.Phase, status.Reason, status.Message
		listed.Since, listed.Admitted = moment(status.Since), status.Admitted
	}
	switch {
	case row.Fault != nil && current:
	case row.Fault != nil:
		listed.Phase, listed.Reason, listed.Message = grant.PhaseInvalid, row.Fault.Code, row.Fault.Op+": "+row.Fault.Hint
		if status != nil && len(status.Admitted) > 0 {
			listed.Admitted = status.Admitted
			listed.Message += "; the access that its last valid revision gave is kept"
		}
	case !row.Grant.Live(now):
		listed.Phase, listed.Reason, listed.Message = grant.PhaseExpired, "", ""
		if current && status.Phase == grant.PhaseAdmitted {
			listed.Message = "not yet taken out of the policy"
		}
	case current:
	case gateway == grant.EveryGateway:
		listed.Phase, listed.Message = phasePerGateway, "gateway-grants list GATEWAY shows it"
	default:
		listed.Phase = phasePending
	}
	return listed
}

func rowItself(row grant.Row) listedRow {
	listed := listedRow{Gateway: row.Gateway, Grant: row.ID}
	g := row.Grant
	if g == nil {
		return listed
	}
	listed.Principal, listed.Role, listed.From = g.Principal.String(), g.Role, origins(g.Conditions)
	listed.Exclude, listed.Expires = excluded(g.Exclude), moment(g.Expires)
	listed.Why, listed.RequestedBy, listed.Source = g.Reason, g.RequestedBy, g.Source
	if g.Subject().IsExact() {
		listed.Follow = g.Follow.String()
	}
	return listed
}

// principalText is the principal of the row, as an admin wrote it, and its role.
func (l listedRow) principalText() string {
	words := []string{l.Principal}
	if l.Role != "" {
		words = append(words, "role/"+l.Role)
	}
	if l.From != "" {
		words = append(words, "from "+l.From)
	}
	if len(l.Exclude) > 0 {
		words = append(words, "except "+strings.Join(l.Exclude, ", "))
	}
	return strings.Join(words, " ")
}

// statuses are what the state table says about the gateways asked for. Rows are
// worth showing without it, so its failure is kept and reported once.
type statuses struct {
	load   func(context.Context, grant.Gateway) (ledger.State, error)
	of     map[string]ledger.State
	failed error
}

// find is what is recorded about a row on a gateway; nil for nothing.
func (s *statuses) find(ctx context.Context, gateway string, key grant.Key) *grant.Status {
	state, known := s.of[gateway]
	if !known && s.failed == nil {
		named, err := grant.ParseGateway(gateway)
		if err != nil {
			return nil // "*", or no gateway at all
		}
		if state, s.failed = s.load(ctx, named); s.failed != nil {
			return nil
		}
		s.of[gateway] = state
	}
	if status, recorded := state.Grants[key]; recorded {
		return &status
	}
	return nil
}

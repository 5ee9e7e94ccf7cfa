package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// describedGrant is a row, and where it stands.
type describedGrant struct {
	listedRow

	On    []listedRow  `json:"on"`                     // each gateway that the row is for
	Names accountNames `json:"accountNames,omitempty"` // by id, of the accounts that it lets in
}

// describeGrant shows the row of that id, of the gateway if one is named.
func (p *program) describeGrant(ctx context.Context, stored opened, d deployment, s *session, id, gateway string) error {
	rows, err := stored.grants.All(ctx)
	if err != nil {
		return err
	}
	found := matching(rows, func(row grant.Row) bool { return row.ID == id && (gateway == "" || row.Gateway == gateway) })
	switch {
	case len(found) == 0:
		return refuse("there is no grant %s on %s: gateway-grants list shows those there are", id, shortGateway(gateway))
	case len(found) > 1:
		names := make([]string, len(found))
		for i, row := range found {
			names[i] = shortGateway(row.Gateway)
		}
		return refuse("%d gateways have a grant %s (%s): name the gateway first", len(found), id, strings.Join(names, ", "))
	}
	row := found[0]
	where := scope{every: row.Gateway == grant.EveryGateway}
	concerned := []grant.Gateway{}
	if named, err := grant.ParseGateway(row.Gateway); err == nil || where.every {
		where.gateway = named
		if concerned, err = managed(ctx, where, d.gateways(s.config)); err != nil {
			return err
		}
	}
	known := &statuses{load: stored.states.Load, of: map[string]ledger.State{}}
	text := describedGrant{listedRow: listedOn(row.Gateway, row, known.find(ctx, row.Gateway, row.Key), p.now()), On: []listedRow{}}
	for _, gateway := range concerned {
		on := listedOn(gateway.ARN(), row, known.find(ctx, gateway.ARN(), row.Key), p.now())
		on.Gateway = gateway.ARN()
		text.On = append(text.On, on)
	}
	if known.failed != nil {
		return known.failed
	}
	principals := []string{text.Principal}
	for _, on := range text.On {
		principals = append(principals, on.Admitted...)
	}
	if text.Names, err = p.accountNames(ctx, stored.directory, principals); err != nil {
		return err
	}
	text.AccountName = text.Names.of(text.Principal)
	if p.settings.structured() {
		return p.printValue(text)
	}
	p.sayGrant(text)
	return nil
}

func (p *program) sayGrant(t describedGrant) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(p.out, "%-14s%s\n", name+":", oneLine(value))
		}
	}
	line("Grant", t.Grant)
	line("Gateway", t.Gateway)
	line("Principal", t.principalText())
	line("Account", t.AccountName)
	line("Follow", t.Follow)
	line("Expires", t.Expires)
	line("Why", t.Why)
	line("Requested by", t.RequestedBy)
	line("Source", t.Source)
	if len(t.On) == 0 {
		line("Status", t.status())
	}
	for _, on := range t.On {
		fmt.Fprintf(p.out, "\n%s: %s\n", shortGateway(on.Gateway), p.paintStatus(on, oneLine(on.status())))
		for _, principal := range on.Admitted {
			fmt.Fprintln(p.out, " ", t.Names.beside(principal))
		}
	}
}

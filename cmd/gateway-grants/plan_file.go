package main

import (
	"context"
	"fmt"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/grantfile"
)

// planFile shows what apply would do with a file, and does nothing.
func (p *program) planFile(ctx context.Context, flags fileFlags, out string, d deployment, detailed bool) error {
	run, made, err := p.proposeFile(ctx, flags, d)
	if err != nil {
		return err
	}
	if err := p.printProposal(made, d); err != nil {
		return err
	}
	switch {
	case made.failed():
		return errPrinted
	case out != "":
		if err := run.save(made, out); err != nil {
			return err
		}
		fmt.Fprintf(p.err, "Saved: gateway-grants apply %s carries out just this.\n", out)
	}
	if detailed && made.changesAnything() {
		return errChanges
	}
	return nil
}

func (p *program) printProposal(made proposal, d deployment) error {
	if !p.settings.structured() {
		p.sayProposal(made, d)
		return nil
	}
	text := applied{Rows: stepTexts(made.steps), Gateways: []planned{}}
	for _, g := range made.gateways {
		if g.failure != nil {
			p.sayFailed(g.gateway, g.failure)
			continue
		}
		text.Gateways = append(text.Gateways, plannedText(g.gateway, g.decided, d.limits))
	}
	return p.printValue(text)
}

// listFile prints the rows that were listed as a file that apply takes.
func (p *program) listFile(ctx context.Context, table grantsTable, listed []listedRow) error {
	all, err := table.Written(ctx)
	if err != nil {
		return err
	}
	wanted := make(map[grant.Key]bool, len(listed))
	for _, row := range listed {
		wanted[grant.Key{Gateway: row.Gateway, ID: row.Grant}] = true
	}
	var rows []grant.Attributes
	for _, attributes := range all {
		if wanted[grant.Parse(attributes).Key] {
			rows = append(rows, attributes)
		}
	}
	text, err := grantfile.Print(rows)
	if err != nil {
		return err
	}
	if _, err := p.out.Write(text); err != nil {
		return fmt.Errorf("print the grants: %w", err)
	}
	return nil
}

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/grantfile"
)

// savedPlan is a proposal in a file, with what tells later whether it is still true.
type savedPlan struct {
	Version  int              `json:"version"`
	Table    string           `json:"table"`
	Region   string           `json:"region"`
	Rows     []grantfile.Step `json:"rows"`
	Gateways []savedGateway   `json:"gateways"`
}

// savedPlanVersion is the version of the file's form.
const savedPlanVersion = 1

// savedGateway is what the plan of a gateway was made of, and what came out.
type savedGateway struct {
	Gateway  string `json:"gateway"`
	Rows     string `json:"rows"`   // digest of its rows, once they are changed
	Policy   string `json:"policy"` // digest of the policy, as it was observed
	PlanHash string `json:"planHash"`
}

func (r *proposing) saved(made proposal) savedPlan {
	saved := savedPlan{Version: savedPlanVersion, Table: r.settings.tables.Grants, Region: r.region, Rows: made.steps, Gateways: []savedGateway{}}
	for _, g := range made.gateways {
		var rows bytes.Buffer
		for _, row := range g.rows {
			fmt.Fprintf(&rows, "%q %s\n", row.String(), row.Revision)
		}
		observed := ""
		if document := g.decided.Problem.Base; document != nil {
			observed = document.String()
		}
		saved.Gateways = append(saved.Gateways, savedGateway{g.gateway.ARN(), digest(rows.String()), digest(observed), g.decided.Hash})
	}
	return saved
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// save writes the plan to a file that only its owner can read.
func (r *proposing) save(made proposal, name string) error {
	text, err := json.MarshalIndent(r.saved(made), "", "  ")
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	if err := os.WriteFile(name, append(text, '\n'), 0o600); err != nil {
		return refuse("the plan cannot be saved: %v: name another file with --out", err)
	}
	return nil
}

func readPlan(name string) (savedPlan, error) {
	text, err := os.ReadFile(name) //nolint:gosec // the admin names the file
	if err != nil {
		return savedPlan{}, refuse("cannot read the plan: %v: make one with plan --file FILE --out %s", err, name)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var saved savedPlan
	if err = decoder.Decode(&saved); err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the plan")
		}
	}
	switch {
	case err != nil:
		return savedPlan{}, refuse("%s is no plan that plan --out wrote: %v: make a new one", name, err)
	case saved.Version != savedPlanVersion:
		return savedPlan{}, refuse("%s is a plan of version %d, and this program knows version %d: make a new one", name, saved.Version, savedPlanVersion)
	}
	for _, step := range saved.Rows {
		if row := grant.Parse(step.After); step.After != nil && (row.Fault != nil || row.Key != step.Key) || (step.After == nil) != (step.Verb == grantfile.Remove) {
			return savedPlan{}, refuse("%s was changed after it was saved, at grant %s: make a new one", name, step.Key.ID)
		}
	}
	return saved, nil
}

// applyPlan carries out a saved plan, if all that it was made of is as it was.
func (p *program) applyPlan(ctx context.Context, name string, d deployment) error {
	saved, err := readPlan(name)
	if err != nil {
		return err
	}
	run, err := p.proposing(ctx, d)
	if err != nil {
		return err
	}
	if saved.Table != p.settings.tables.Grants || saved.Region != p.region {
		return refuse("%s is a plan for table %s in region %s, and this is %s in %s: name the right --profile, --region or table", name, saved.Table, saved.Region, p.settings.tables.Grants, p.region)
	}
	known := make(map[grant.Key]grant.Attributes, len(run.table))
	for _, attributes := range run.table {
		known[grant.Parse(attributes).Key] = attributes
	}
	for i, step := range saved.Rows {
		now, there := known[step.Key]
		if there != (step.Shown != "") || there && grant.Parse(now).Revision != step.Shown {
			return stale(name, "grant "+shortKey(step.Key.String()))
		}
		saved.Rows[i].Before = now
	}
	made, err := run.of(ctx, saved.Rows)
	if err != nil {
		return err
	}
	if err := run.sameAs(saved, made, name); err != nil {
		return err
	}
	if !p.settings.structured() {
		p.sayProposal(made, d)
	}
	return run.carryOut(ctx, made)
}

func (r *proposing) sameAs(saved savedPlan, made proposal, name string) error {
	now := r.saved(made)
	for i, g := range made.gateways {
		switch {
		case g.failure != nil:
			return g.failure
		case !slices.ContainsFunc(saved.Gateways, func(s savedGateway) bool { return s == now.Gateways[i] }):
			return stale(name, g.gateway.ARN()+" (its rows, its policy, or what is recorded of it)")
		}
	}
	if len(now.Gateways) != len(saved.Gateways) {
		return stale(name, "the list of managed gateways")
	}
	return nil
}

func stale(name, what string) error {
	return refuse("%s is stale and nothing was applied: %s changed since it was made: make a new plan", name, what)
}

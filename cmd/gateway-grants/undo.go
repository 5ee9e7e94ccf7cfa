package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

func (p *program) undoCommand() *cobra.Command {
	var since span
	var dryRun, yes bool
	cmd := &cobra.Command{
		Use:   "undo --since DURATION",
		Short: "Put back the rows that were removed or changed since",
		Long: `Put back the rows that were removed or changed since, after showing them.

Each row becomes again what it was then. Rows that were added since stay: revoke
them, if they are wrong. A row that is not as its last recorded change left it, such
as one that is edited at the same time, is named and left alone. Access comes
back as it came: within seconds.

Changes of rows are kept for 90 days, and are recorded within seconds. gateway-grants
history shows them.`,
		Example: `  gateway-grants undo --since 10m --dry-run
  gateway-grants undo --since 10m`,
		Args: checked(between(0, 0, "no argument"), func(cmd *cobra.Command, _ []string) error {
			if since.Duration <= 0 {
				return usage(cmd, "undo needs to know how far back: write --since 10m, for example")
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.undo(cmd.Context(), since, dryRun, yes)
		},
	}
	cmd.Flags().Var(&since, "since", "how far back, such as 10m or 2d")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be put back, and write nothing")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "put back what is shown without asking")
	cmd.MarkFlagsMutuallyExclusive("yes", "dry-run")
	settingFlag(cmd, settings.GrantsTable)
	settingFlag(cmd, settings.StateTable)
	return cmd
}

// undone is a row that was removed or changed, and what became of putting it back.
type undone struct {
	Gateway string `json:"gateway"`
	Grant   string `json:"grant"`
	Since   string `json:"since"`  // when it was last changed
	Change  string `json:"change"` // removed or changed
	Was     string `json:"was"`
	Is      string `json:"is,omitempty"`
	Result  string `json:"result"` // to put back, put back, or why not
	change  grant.RowChange
	blocked bool
}

const (
	toPutBack = "to put back"
	isPutBack = "put back"
)

func (p *program) undo(ctx context.Context, since span, dryRun, yes bool) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	stored := p.open(s.config, p.settings.tables)
	all, added, err := undoable(ctx, stored, p.now().Add(-since.Duration))
	if err != nil {
		return err
	}
	possible := slices.ContainsFunc(all, func(u undone) bool { return !u.blocked })
	if !p.settings.structured() {
		p.showUndone(all, added, since)
	}
	if possible && !dryRun && (yes || p.asks(fmt.Sprintf("Put back %s? [y/N] ", counted(countPossible(all), "row")))) {
		putBack(ctx, stored.grants, all)
		return p.sayUndone(all, true)
	}
	if possible && !dryRun {
		return p.sayUndone(all, false)
	}
	return p.sayShown(all)
}

// undoable reads what was removed or changed since, as it was then and is now, and
// how many rows were added.
func undoable(ctx context.Context, stored opened, since time.Time) (all []undone, added int, err error) {
	changes, err := stored.states.RowChanges(ctx, since)
	if err != nil {
		return nil, 0, err
	}
	now, err := stored.grants.Texts(ctx)
	if err != nil {
		return nil, 0, err
	}
	all = []undone{}
	for _, change := range grant.NetChanges(changes) {
		if change.Was == "" {
			added++
			continue
		}
		u := undone{
			Gateway: change.Gateway, Grant: change.ID, Since: moment(change.At), Change: change.Verb(),
			Was: described(rowOf(change.Was)), Result: toPutBack, change: change,
		}
		if change.Is != "" {
			u.Is = described(rowOf(change.Is))
		}
		switch _, err := store.RowItem(change.Was); {
		case now[change.Key] == change.Was:
			continue // it was put back already, and that is not recorded yet
		case now[change.Key] != change.Is:
			u.Result, u.blocked = "changed again meanwhile, which is not recorded yet: look at it", true
		case err != nil:
			u.Result, u.blocked = "too large to have been kept: restore it from the table's point-in-time recovery", true
		}
		all = append(all, u)
	}
	return all, added, nil
}

func countPossible(all []undone) int {
	n := 0
	for _, u := range all {
		if !u.blocked {
			n++
		}
	}
	return n
}

// writersOfRows put back rows at the same time.
const writersOfRows = 16

// putBack writes the rows, each on condition that it is still as it was shown.
func putBack(ctx context.Context, table grantsTable, all []undone) {
	free := make(chan struct{}, writersOfRows)
	var writers sync.WaitGroup
	for i := range all {
		if all[i].blocked {
			continue
		}
		writers.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			all[i].Result = isPutBack
			if err := table.PutBack(ctx, all[i].change); err != nil {
				all[i].Result, all[i].blocked = oneLine(err.Error()), true
			}
		})
	}
	writers.Wait()
}

func (p *program) showUndone(all []undone, added int, since span) {
	if len(all) == 0 {
		fmt.Fprintf(p.out, "Nothing to put back: the rows of %s ago are as they were.\n", since.text)
	} else {
		printTable(p, all, []column[undone]{
			{name: "GATEWAY", text: func(u undone) string { return shortGateway(u.Gateway) }},
			{name: "GRANT", text: func(u undone) string { return u.Grant }},
			{name: "CHANGE", text: func(u undone) string { return u.Change }},
			{name: "AT", text: func(u undone) string { return u.Since }},
			{name: "WAS", text: func(u undone) string { return u.Was }},
			{name: "IS", text: func(u undone) string { return u.Is }},
			{name: "RESULT", text: func(u undone) string { return u.Result }},
		})
	}
	if added > 0 {
		fmt.Fprintf(p.out, "%s added since stay.\n", counted(added, "row"))
	}
}

// sayShown ends an undo that had nothing to write.
func (p *program) sayShown(all []undone) error {
	if p.settings.structured() {
		if err := p.printValue(all); err != nil {
			return err
		}
	}
	return leftAlone(all, countPossible(all))
}

func (p *program) sayUndone(all []undone, agreed bool) error {
	done := countPossible(all)
	if p.settings.structured() {
		if err := p.printValue(all); err != nil {
			return err
		}
	}
	if !agreed {
		return refuse("nothing was put back: answer y, or repeat the command with --yes")
	}
	if !p.settings.structured() {
		fmt.Fprintf(p.out, "%s %s.\n", p.paint(p.out).green("Put back"), counted(done, "row"))
	}
	return leftAlone(all, done)
}

// leftAlone names the rows that were not, or cannot be, put back.
func leftAlone(all []undone, done int) error {
	if left := len(all) - done; left > 0 {
		i := slices.IndexFunc(all, func(u undone) bool { return u.blocked })
		return refuse("%s not put back, such as grant %s on %s (%s): gateway-grants history shows what changed", counted(left, "row"), all[i].Grant, all[i].Gateway, all[i].Result)
	}
	return nil
}

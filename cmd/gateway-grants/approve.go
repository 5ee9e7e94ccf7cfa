package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

func (p *program) approveCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "approve [ACCOUNT]...",
		Short: "Show the departures that are held, and let them take effect",
		Long: `Show the departures that are held, and let them take effect.

When many accounts leave the organization, close, move or lose tags within a day
(by default more than 10 that are also more than 10 % of all), those that a grant
let in keep their access until an admin approves. Without an ACCOUNT all of them
are shown and approved.

What is approved is exactly what is shown: an account for which something else
changed meanwhile stays held. It takes effect within about a minute.`,
		Example: `  gateway-grants approve
  gateway-grants approve 444455556666 --yes`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.approve(cmd.Context(), args, yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "approve what is shown without asking")
	settingFlag(cmd, settings.GrantsTable)
	settingFlag(cmd, settings.AccountsTable)
	return cmd
}

// heldAccount is a departure as it is shown, and as it is approved.
type heldAccount struct {
	Account   string   `json:"account"`
	Loses     []string `json:"loses"`
	Grants    []string `json:"grants"` // that let it in, GATEWAY#ID
	HeldSince string   `json:"heldSince"`
	Departure string   `json:"departure"` // names exactly this
}

func (p *program) approve(ctx context.Context, only []string, yes bool) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	stored := p.open(s.config, p.settings.tables)
	held, err := heldAccounts(ctx, stored, only)
	if err != nil {
		return err
	}
	for _, id := range only {
		if !slices.ContainsFunc(held, func(h heldAccount) bool { return h.Account == id }) {
			return refuse("account %s is not held: gateway-grants approve shows who is", id)
		}
	}
	if !p.settings.structured() {
		p.showHeld(held)
	}
	agreed := len(held) > 0 && (yes || p.asks(fmt.Sprintf("Let %s lose this? [y/N] ", counted(len(held), "account"))))
	if agreed {
		for _, h := range held {
			note := directory.Note{Topic: directory.TopicApproval, ID: h.Account, At: p.now(), Text: h.Departure}
			if err := stored.directory.PutNote(ctx, note); err != nil {
				return err
			}
		}
	}
	return p.sayApproved(held, agreed)
}

// heldAccounts reads who is held, with what, and which grants end for it.
func heldAccounts(ctx context.Context, stored opened, only []string) ([]heldAccount, error) {
	rows, err := stored.grants.All(ctx)
	if err != nil {
		return nil, err
	}
	departures, err := stored.directory.Notes(ctx, directory.TopicDeparture)
	if err != nil {
		return nil, err
	}
	interests := directory.InterestsOf(rows)
	held := []heldAccount{}
	for _, note := range departures {
		if note.Text != directory.HeldText || len(only) > 0 && !slices.Contains(only, note.ID) {
			continue
		}
		account, found, err := stored.directory.Account(ctx, note.ID)
		if err != nil {
			return nil, err
		}
		if found && !account.HeldSince.IsZero() {
			held = append(held, heldAs(account, interests))
		}
	}
	return held, nil
}

func heldAs(a directory.Account, interests directory.Interests) heldAccount {
	h := heldAccount{Account: a.ID, HeldSince: a.HeldSince.UTC().Format(time.RFC3339), Departure: a.Departure(), Grants: []string{}}
	for _, key := range interests.Ending(a) {
		h.Grants = append(h.Grants, key.String())
	}
	if !a.MissingSince.IsZero() {
		h.Loses = append(h.Loses, "its membership")
	}
	for _, kept := range a.Kept {
		h.Loses = append(h.Loses, differences(kept.View, a.View())...)
	}
	slices.Sort(h.Loses)
	h.Loses = slices.Compact(h.Loses)
	return h
}

// differences are what one view has and the other has not.
func differences(was, is directory.View) []string {
	var lost []string
	if was.State != is.State {
		lost = append(lost, fmt.Sprintf("%s (now %s)", was.State, is.State))
	}
	if !slices.Equal(was.Path, is.Path) {
		lost = append(lost, fmt.Sprintf("its place in %s (now %s)", place(was.Path), place(is.Path)))
	}
	for key, value := range was.Tags {
		if now, has := is.Tags[key]; !has || now != value {
			lost = append(lost, fmt.Sprintf("tag %s=%s", key, value))
		}
	}
	return lost
}

func place(path []string) string {
	if len(path) == 0 {
		return "the root"
	}
	return strings.Join(path, "/")
}

func (p *program) showHeld(held []heldAccount) {
	if len(held) == 0 {
		fmt.Fprintln(p.out, "No departures are held.")
		return
	}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ACCOUNT\tLOSES\tGRANTS\tHELD SINCE")
	for _, h := range held {
		grants := make([]string, len(h.Grants))
		for i, key := range h.Grants {
			grants[i] = shortKey(key)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", h.Account, strings.Join(h.Loses, "; "), strings.Join(grants, ", "), h.HeldSince)
	}
	_ = table.Flush() // a terminal that went away ends the program anyway
}

// shortKey names a grant without the part of its gateway's ARN that all share.
func shortKey(key string) string {
	gateway, id, _ := strings.Cut(key, "#")
	if gateway == grant.EveryGateway {
		return id + " on every gateway"
	}
	return id + " on " + gateway[strings.LastIndex(gateway, "/")+1:]
}

func confirmed(in io.Reader, out io.Writer, question string) bool {
	fmt.Fprint(out, question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		return false
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

func (p *program) sayApproved(held []heldAccount, agreed bool) error {
	if p.settings.structured() {
		if err := p.printValue(struct {
			Held     []heldAccount `json:"held"`
			Approved bool          `json:"approved"`
		}{held, agreed}); err != nil {
			return err
		}
	}
	switch {
	case len(held) == 0:
		return nil
	case !agreed && p.settings.structured():
		return errSaid
	case !agreed:
		return refuse("nothing was approved: answer y, or repeat the command with --yes")
	case !p.settings.structured():
		fmt.Fprintf(p.out, "%s %s; it takes effect within about a minute\n", p.paint(p.out).green("Approved"), counted(len(held), "departure"))
	}
	return nil
}

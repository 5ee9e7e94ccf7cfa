package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func (p *program) approveCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "approve [ID]...",
		Short: "Show what waits for an admin, and let it take effect",
		Long: `Show what waits for an admin, and let it take effect: departures that are held, and
gateways that this deployment has to be let take over. An ID is that of an account, or
a GATEWAY. Without one, all that waits is shown and approved.

When many accounts leave the organization, close, move or lose tags within a day
(by default more than 10 that are also more than 10 % of all), those that a grant
let in keep their access until an admin approves.

Where a gateway's policy holds statements of this installation's id, and the deployment
has no record of the gateway, nothing is written there: the deployment is new, renamed
or restored, or another one has the same id. Restore or import the rows first: what
the table does not say is taken out once the takeover is approved.

What is approved is exactly what is shown: an account for which something else
changed meanwhile stays held. It takes effect within about a minute.`,
		Example: `  gateway-grants approve
  gateway-grants approve 444455556666 --yes
  gateway-grants approve tools-abcdefghij`,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.readDeployment(cmd)
			if err != nil {
				return err
			}
			return p.approve(cmd.Context(), args, d, yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "approve what is shown without asking")
	p.deploymentFlags(cmd)
	return cmd
}

// heldAccount is a departure as it is shown, and as it is approved.
type heldAccount struct {
	Account   string   `json:"account"`
	Name      string   `json:"accountName,omitempty"`
	Loses     []string `json:"loses"`
	Grants    []string `json:"grants"` // that let it in, GATEWAY#ID
	HeldSince string   `json:"heldSince"`
	Departure string   `json:"departure"` // names exactly this
}

// undecided is all that waits for an admin.
type undecided struct {
	Held      []heldAccount  `json:"held"`
	Takeovers []heldTakeover `json:"takeovers"`
	Approved  bool           `json:"approved"`
}

func (u undecided) count() int { return len(u.Held) + len(u.Takeovers) }

var accountID = regexp.MustCompile(`^\d{12}$`)

func (p *program) approve(ctx context.Context, only []string, d deployment, yes bool) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	stored := p.open(s.config, p.settings.tables)
	all, err := p.undecided(ctx, s, stored, only, d)
	if err != nil {
		return err
	}
	if !p.settings.structured() {
		p.showWaiting(all)
	}
	all.Approved = all.count() > 0 && (yes || p.asks(fmt.Sprintf("Let %s take effect? [y/N] ", counted(all.count(), "decision"))))
	if all.Approved {
		if err := p.decide(ctx, s, stored, all); err != nil {
			return err
		}
	}
	return p.sayApproved(all)
}

// undecided reads what waits: all of it, or what is named.
func (p *program) undecided(ctx context.Context, s *session, stored opened, only []string, d deployment) (all undecided, err error) {
	var gateways []grant.Gateway
	var accounts []string
	for _, id := range only {
		if accountID.MatchString(id) {
			accounts = append(accounts, id)
			continue
		}
		where, err := p.scopeOf(ctx, id, s)
		if err != nil {
			return all, err
		}
		gateways = append(gateways, where.gateway)
	}
	if len(only) == 0 || len(accounts) > 0 {
		if all.Held, err = heldAccounts(ctx, stored, accounts); err != nil {
			return all, err
		}
	}
	for _, id := range accounts {
		if !slices.ContainsFunc(all.Held, func(h heldAccount) bool { return h.Account == id }) {
			return all, refuse("account %s is not held: gateway-grants approve shows who is", id)
		}
	}
	if len(only) == 0 || len(gateways) > 0 {
		all.Takeovers, err = takeovers(ctx, stored, p.reconciler(s.config, d.gateways(s.config), d), gateways)
	}
	return all, err
}

// decide records what was approved: departures in the accounts table, where the
// organization function takes them up, and takeovers in the grants table, which no
// function can write.
func (p *program) decide(ctx context.Context, s *session, stored opened, all undecided) error {
	for _, h := range all.Held {
		note := directory.Note{Topic: directory.TopicApproval, ID: h.Account, At: p.now(), Text: h.Departure}
		if err := stored.directory.PutNote(ctx, note); err != nil {
			return err
		}
	}
	if len(all.Takeovers) == 0 {
		return nil
	}
	who, err := s.identity(ctx)
	if err != nil {
		return err
	}
	return p.approveTakeovers(ctx, stored.grants, all.Takeovers, who.ARN)
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
	h := heldAccount{Account: a.ID, Name: a.Name, HeldSince: a.HeldSince.UTC().Format(time.RFC3339), Departure: a.Departure(), Grants: []string{}}
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

func (p *program) showWaiting(all undecided) {
	if all.count() == 0 {
		fmt.Fprintln(p.out, "No departures are held, and no takeover waits.")
	}
	if len(all.Held) > 0 {
		p.showHeld(all.Held)
	}
	p.showTakeovers(all.Takeovers)
}

func (p *program) showHeld(held []heldAccount) {
	printTable(p, held, []column[heldAccount]{
		{name: "ACCOUNT", text: func(h heldAccount) string { return h.Account }},
		{name: "NAME", text: func(h heldAccount) string { return h.Name }, optional: true},
		{name: "LOSES", text: func(h heldAccount) string { return strings.Join(h.Loses, "; ") }},
		{name: "GRANTS", text: heldAccount.grants},
		{name: "HELD SINCE", text: func(h heldAccount) string { return h.HeldSince }},
	})
}

func (h heldAccount) grants() string {
	grants := make([]string, len(h.Grants))
	for i, key := range h.Grants {
		grants[i] = shortKey(key)
	}
	return strings.Join(grants, ", ")
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

func (p *program) sayApproved(all undecided) error {
	if p.settings.structured() {
		if all.Held == nil {
			all.Held = []heldAccount{}
		}
		if all.Takeovers == nil {
			all.Takeovers = []heldTakeover{}
		}
		if err := p.printValue(all); err != nil {
			return err
		}
	}
	switch {
	case all.count() == 0:
		return nil
	case !all.Approved && p.settings.structured():
		return errSaid
	case !all.Approved:
		return refuse("nothing was approved: answer y, or repeat the command with --yes")
	case !p.settings.structured():
		p.sayCount(len(all.Held), "departure")
		p.sayCount(len(all.Takeovers), "takeover")
	}
	return nil
}

func (p *program) sayCount(n int, what string) {
	if n > 0 {
		fmt.Fprintf(p.out, "%s %s; it takes effect within about a minute\n", p.paint(p.out).green("Approved"), counted(n, what))
	}
}

package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// SweepRechecks is the input of the schedule by which the directory does what is
// due, about every minute.
const SweepRechecks = "rechecks"

// Directory is kept in line with AWS Organizations.
type Directory interface {
	// Organization says which account manages the organization.
	Organization(ctx context.Context) (dirsync.Organization, error)
	// Account reads one account anew and records what it found.
	Account(ctx context.Context, id string) (dirsync.Summary, error)
	// All lists the organization and records every account.
	All(ctx context.Context) (dirsync.Summary, error)
	// Due does what was put off.
	Due(ctx context.Context) (dirsync.Summary, error)
	// Request has Due list the organization.
	Request(ctx context.Context) error
}

// Notices publishes what people and their tools want to know.
type Notices interface {
	Publish(ctx context.Context, notices []plan.Notice) error
}

// Organization handles events about an organization's accounts, and the schedules
// that have all of them listed and some read again. It only writes the directory;
// whom that lets in is for the readers of the directory's stream. All fields are
// required.
type Organization struct {
	Directory Directory
	Notices   Notices
	Now       func() time.Time
	Log       *slog.Logger
	Metrics   Metrics
}

// Handle reads anew the accounts that an event hints at, lists all of them on
// {"sweep":"organization"} and on a scheduled event, and does what is due on
// {"sweep":"rechecks"}. It fails only where the same event may do better later.
func (o *Organization) Handle(ctx context.Context, payload json.RawMessage) error {
	var done counts
	defer func() { o.Metrics.Emit(ctx, "", done) }()

	switch sweepOf(payload) {
	case SweepOrganization:
		return o.sweep(ctx, "list the organization", o.Directory.All, &done)
	case SweepRechecks:
		return o.sweep(ctx, "read accounts again", o.Directory.Due, &done)
	}
	hint, err := directory.ReadEvent(payload)
	if err != nil {
		o.Log.ErrorContext(ctx, "event let go", "error", clip(err.Error()), "payload", clip(string(payload)))
		done.add(CountMalformed, 1)
		return nil
	}
	if hint.Ignored != "" {
		o.Log.InfoContext(ctx, "event ignored", "event", clip(hint.Event), "reason", clip(hint.Ignored))
		done.add(CountIgnored, 1)
		return nil
	}
	organization, err := o.Directory.Organization(ctx)
	if err != nil {
		return err
	}
	if hint.Sender != organization.Management {
		o.Log.ErrorContext(ctx, "event let go: it does not come from the management account",
			"event", hint.Event, "id", clip(hint.ID), "sender", clip(hint.Sender), "management", organization.Management)
		done.add(CountMalformed, 1)
		return nil
	}
	if hint.All {
		o.Log.ErrorContext(ctx, "event not understood: every account will be listed",
			"event", hint.Event, "id", clip(hint.ID), "error", clip(hint.Fault), "payload", clip(string(payload)))
		done.add(CountMalformed, 1)
		return o.Directory.Request(ctx)
	}
	return o.read(ctx, hint, &done)
}

func (o *Organization) read(ctx context.Context, hint directory.Hint, done *counts) error {
	var failures []error
	for _, id := range hint.Accounts {
		summary, err := o.Directory.Account(ctx, id)
		o.tell(ctx, summary, done)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		o.Log.InfoContext(ctx, "account read", "account", id, "event", hint.Event, "id", clip(hint.ID), "by", clip(hint.By))
	}
	if err := errors.Join(failures...); err != nil {
		done.add(CountUnrecorded, len(failures))
		return fmt.Errorf("follow %s %s: %w", hint.Event, clip(hint.ID), err)
	}
	return nil
}

func (o *Organization) sweep(ctx context.Context, what string, run func(context.Context) (dirsync.Summary, error), done *counts) error {
	summary, err := run(ctx)
	o.tell(ctx, summary, done)
	attributes := []any{
		"accounts", summary.Accounts, "changed", summary.Changed, "missing", some(summary.Missing), "removed", some(summary.Removed),
		"held", some(summary.Held), "holding", summary.Holding, "approved", some(summary.Approved), "outdated", some(summary.Outdated),
		"unfinished", summary.Unfinished,
	}
	if err != nil {
		o.Log.ErrorContext(ctx, "failed to "+what, append(attributes, "error", clip(err.Error()))...)
		done.add(CountUnrecorded, 1)
		return fmt.Errorf("%s: %w", what, err)
	}
	o.Log.InfoContext(ctx, "done: "+what, attributes...)
	return nil
}

// tell counts what a run did, and has people know of departures that are held. A
// bus that fails holds up nothing: the directory is the record.
func (o *Organization) tell(ctx context.Context, summary dirsync.Summary, done *counts) {
	done.add(CountAccounts, summary.Accounts)
	done.add(CountHeld, max(summary.Holding, len(summary.Held)))
	if len(summary.Held) == 0 {
		return
	}
	o.Log.WarnContext(ctx, "departures held: gateway-grants approve shows and releases them", "accounts", some(summary.Held))
	notice := plan.Notice{Type: plan.DeparturesHeld, Gateway: grant.EveryGateway, Detail: plan.DeparturesDetail{
		Accounts: some(summary.Held), Held: len(summary.Held), Since: o.Now().UTC().Format(time.RFC3339),
		Message: "more accounts than usual would lose access: they keep it until gateway-grants approve releases them",
	}}
	if err := o.Notices.Publish(ctx, []plan.Notice{notice}); err != nil {
		o.Log.ErrorContext(ctx, "notice not published", "error", clip(err.Error()))
	}
}

// some are as many ids as a line or a notice bears.
func some(ids []string) []string {
	const most = 100
	return ids[:min(len(ids), most)]
}

// sweepOf tells what a schedule asks for: with our own input, or the listing as
// EventBridge's schedules do by themselves. "" is no schedule.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
func sweepOf(payload []byte) string {
	var asked struct {
		event
		Sweep string `json:"sweep"`
	}
	if err := json.Unmarshal(payload, &asked); err != nil {
		return ""
	}
	if asked.DetailType == "Scheduled Event" && (asked.Source == "aws.events" || asked.Source == "aws.scheduler") {
		return SweepOrganization
	}
	return asked.Sweep
}

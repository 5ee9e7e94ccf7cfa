package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// Directory is kept in line with AWS Organizations.
type Directory interface {
	// Organization says which account manages the organization.
	Organization(ctx context.Context) (dirsync.Organization, error)
	// Account reads one account again and records what it found.
	Account(ctx context.Context, id string) (dirsync.Summary, error)
	// All lists the organization and records every account.
	All(ctx context.Context) (dirsync.Summary, error)
	// Due reads accounts that are to be read again, and what else was deferred.
	Due(ctx context.Context) (dirsync.Summary, error)
	// Listed reports whether accounts of the organization were ever recorded.
	Listed(ctx context.Context) (bool, error)
	// Request makes the next Due list the organization.
	Request(ctx context.Context) error
}

// Notices publishes notices on the event bus.
type Notices interface {
	Publish(ctx context.Context, notices []plan.Notice) error
}

// Organization handles events about an organization's accounts, and the schedules
// that have all of them listed and some read again. It only writes the directory, and
// which probes arrived; table-changes reads the directory's stream and follows with
// access. All fields are required.
type Organization struct {
	Directory Directory
	Notices   Notices
	Probes    Probes
	Now       func() time.Time
	Log       *slog.Logger
	Metrics   Metrics
}

// Handle reads the accounts that an event names, lists all of them where a
// schedule asks for the organization or an event names none, and does what is due
// where a schedule asks for rechecks. It fails only where the same event may
// succeed later.
func (o *Organization) Handle(ctx context.Context, payload json.RawMessage) error {
	var done counts
	defer func() { o.Metrics.Emit(ctx, "", done) }()

	received, err := event.Parse(payload)
	if err != nil {
		o.drop(ctx, &done, payload, err)
		return nil
	}
	switch e := received.(type) {
	case event.AccountsChanged:
		return o.follow(ctx, e, payload, &done)
	case event.Schedule:
		return o.scheduled(ctx, e, payload, &done)
	case event.Probe:
		if e.Source == event.ProbeAccounts {
			return o.probed(ctx, e, &done)
		}
		o.Log.InfoContext(ctx, "event ignored", "reason", "the probe is of no organization")
	case event.Ignored:
		o.Log.InfoContext(ctx, "event ignored", "event", e.Name, "reason", e.Reason)
	default:
		o.Log.InfoContext(ctx, "event ignored", "reason", "the event is about no account")
	}
	done.add(CountIgnored, 1)
	return nil
}

func (o *Organization) drop(ctx context.Context, done *counts, payload json.RawMessage, err error) {
	o.Log.ErrorContext(ctx, "event dropped", "error", event.OneLine(err.Error()), "payload", event.OneLine(string(payload)))
	done.add(CountMalformed, 1)
}

func (o *Organization) scheduled(ctx context.Context, schedule event.Schedule, payload json.RawMessage, done *counts) error {
	switch schedule.Sweep {
	case event.SweepOrganization:
		err := o.sweep(ctx, "list the organization", o.Directory.All, done)
		return o.judge(ctx, err, GaugeUnreadOrg, done)
	case event.SweepRechecks:
		return o.due(ctx, done)
	default:
		o.drop(ctx, done, payload, fmt.Errorf("there is no sweep %q here; write %q or %q", event.OneLine(schedule.Sweep), event.SweepOrganization, event.SweepRechecks))
		return nil
	}
}

// follow reads the accounts that changed. Only the management account's events
// count: no other account knows who is a member.
func (o *Organization) follow(ctx context.Context, changed event.AccountsChanged, payload json.RawMessage, done *counts) error {
	if from, err := o.fromManagement(ctx, changed.Sender, changed.Name, changed.ID, done); err != nil || !from {
		return err
	}
	if changed.All {
		o.Log.ErrorContext(ctx, "event not understood: every account will be listed",
			"event", changed.Name, "id", event.OneLine(changed.ID), "error", event.OneLine(changed.Fault), "payload", event.OneLine(string(payload)))
		done.add(CountMalformed, 1)
		return o.Directory.Request(ctx)
	}
	return o.read(ctx, changed, done)
}

// fromManagement reports whether the management account sent an event, and drops one of
// another.
func (o *Organization) fromManagement(ctx context.Context, sender, name, id string, done *counts) (bool, error) {
	organization, err := o.Directory.Organization(ctx)
	if err != nil {
		return false, err
	}
	if sender == organization.Management {
		return true, nil
	}
	o.Log.ErrorContext(ctx, "event dropped: it does not come from the management account",
		"event", name, "id", event.OneLine(id), "sender", event.OneLine(sender), "management", organization.Management)
	done.add(CountMalformed, 1)
	return false, nil
}

func (o *Organization) read(ctx context.Context, changed event.AccountsChanged, done *counts) error {
	var failures []error
	for _, id := range changed.Accounts {
		summary, err := o.Directory.Account(ctx, id)
		o.report(ctx, summary, done)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		o.Log.InfoContext(ctx, "account read", "account", id, "event", changed.Name, "id", event.OneLine(changed.ID), "by", event.OneLine(changed.By))
	}
	if err := errors.Join(failures...); err != nil {
		done.add(CountUnrecorded, len(failures))
		return fmt.Errorf("follow %s %s: %w", changed.Name, event.OneLine(changed.ID), err)
	}
	return nil
}

func (o *Organization) sweep(ctx context.Context, what string, run func(context.Context) (dirsync.Summary, error), done *counts) error {
	summary, err := run(ctx)
	o.report(ctx, summary, done)
	attributes := []any{
		"accounts", summary.Accounts, "changed", summary.Changed, "missing", some(summary.Missing), "removed", some(summary.Removed),
		"held", some(summary.Held), "holding", summary.Holding, "approved", some(summary.Approved), "outdated", some(summary.Outdated),
		"unfinished", summary.Unfinished,
	}
	if err != nil {
		o.Log.ErrorContext(ctx, "failed to "+what, append(attributes, "error", event.OneLine(err.Error()))...)
		done.add(CountUnrecorded, 1)
		return fmt.Errorf("%s: %w", what, err)
	}
	o.Log.InfoContext(ctx, "done: "+what, attributes...)
	return nil
}

// due reads accounts again, and counts all departures that are held.
func (o *Organization) due(ctx context.Context, done *counts) error {
	var holding int
	err := o.sweep(ctx, "read accounts again", func(ctx context.Context) (dirsync.Summary, error) {
		summary, err := o.Directory.Due(ctx)
		holding = summary.Holding
		return summary, err
	}, done)
	if err == nil {
		done.set(GaugeHeld, holding)
	}
	return o.judge(ctx, err, "", done)
}

// judge publishes whether a sweep of the organization failed. A deployment that has
// never read the organization, because nothing lets it do so yet, waits: that is no
// fault, and each minute's sweep tries again.
func (o *Organization) judge(ctx context.Context, err error, gauge string, done *counts) error {
	if err != nil {
		listed, unknown := o.Directory.Listed(ctx)
		if unknown == nil && !listed {
			o.Log.WarnContext(ctx, "the organization cannot be read yet: deploy infra/organization-events.yaml in the management account, or wait until it is", "error", event.OneLine(err.Error()))
			err = nil
		}
	}
	if gauge != "" {
		failed := 0
		if err != nil {
			failed = 1
		}
		done.set(gauge, failed)
	}
	return err
}

// report counts what a run did, and publishes a notice of departures that are held.
// A bus that fails holds up nothing: the directory is the record.
func (o *Organization) report(ctx context.Context, summary dirsync.Summary, done *counts) {
	done.add(CountAccounts, summary.Accounts)
	if len(summary.Held) > 0 {
		done.set(GaugeHeld, len(summary.Held))
	}
	if len(summary.Held) == 0 {
		return
	}
	o.Log.WarnContext(ctx, "departures held: gateway-grants approve shows them and lets them take effect", "accounts", some(summary.Held))
	notice := plan.Notice{Type: plan.DeparturesHeld, Gateway: grant.EveryGateway, Detail: plan.DeparturesDetail{
		Accounts: some(summary.Held), Held: len(summary.Held), Since: o.Now().UTC().Format(time.RFC3339),
		Message: "more accounts than usual would lose access: they keep it until gateway-grants approve releases them",
	}}
	if err := o.Notices.Publish(ctx, []plan.Notice{notice}); err != nil {
		o.Log.ErrorContext(ctx, "notice not published", "error", event.OneLine(err.Error()))
	}
}

// some are as many ids as a log line or a notice has room for.
func some(ids []string) []string {
	const most = 100
	return ids[:min(len(ids), most)]
}

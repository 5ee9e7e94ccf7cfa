package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
)

// Directory is kept in line with AWS Organizations.
type Directory interface {
	// Organization says which account manages the organization.
	Organization(ctx context.Context) (dirsync.Organization, error)
	// Account reads one account anew and records what it found.
	Account(ctx context.Context, id string) error
	// All lists the organization and records every account.
	All(ctx context.Context) (dirsync.Summary, error)
}

// Organization handles events about an organization's accounts, and the schedule
// that has all of them listed. It only writes the directory; whom that lets in
// is for the readers of the directory's stream. All fields are required.
type Organization struct {
	Directory Directory
	Log       *slog.Logger
	Metrics   Metrics
}

// Handle reads anew the accounts that an event hints at, or lists all of them on
// {"sweep":"organization"} and on a scheduled event. It fails only where the
// same event may do better later.
func (o *Organization) Handle(ctx context.Context, payload json.RawMessage) error {
	var done counts
	defer func() { o.Metrics.Emit(ctx, "", done) }()

	if isListing(payload) {
		return o.list(ctx, &done)
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
	return o.read(ctx, hint, &done)
}

func (o *Organization) read(ctx context.Context, hint directory.Hint, done *counts) error {
	var failures []error
	for _, id := range hint.Accounts {
		if err := o.Directory.Account(ctx, id); err != nil {
			failures = append(failures, err)
			continue
		}
		done.add(CountAccounts, 1)
		o.Log.InfoContext(ctx, "account read", "account", id, "event", hint.Event, "id", clip(hint.ID), "by", clip(hint.By))
	}
	if err := errors.Join(failures...); err != nil {
		done.add(CountUnrecorded, len(failures))
		return fmt.Errorf("follow %s %s: %w", hint.Event, clip(hint.ID), err)
	}
	return nil
}

func (o *Organization) list(ctx context.Context, done *counts) error {
	summary, err := o.Directory.All(ctx)
	done.add(CountAccounts, summary.Accounts)
	attributes := []any{"accounts", summary.Accounts, "changed", summary.Changed, "missing", summary.Missing, "removed", summary.Removed}
	if err != nil {
		o.Log.ErrorContext(ctx, "organization not listed", append(attributes, "error", clip(err.Error()))...)
		done.add(CountUnrecorded, 1)
		return fmt.Errorf("list the organization: %w", err)
	}
	o.Log.InfoContext(ctx, "organization listed", attributes...)
	return nil
}

// isListing tells whether a schedule asks for the listing: with our own input, or
// as EventBridge's schedules do by themselves.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
func isListing(payload []byte) bool {
	var asked struct {
		event
		Sweep string `json:"sweep"`
	}
	if err := json.Unmarshal(payload, &asked); err != nil {
		return false
	}
	return asked.Sweep == SweepOrganization ||
		asked.DetailType == "Scheduled Event" && (asked.Source == "aws.events" || asked.Source == "aws.scheduler")
}

package main

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/gateway-grants/gateway-grants/pkg/bus"
	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// grantsTable is the grants table as an admin uses it.
type grantsTable interface {
	reconcile.Grants
	// All reads every row, sorted by key.
	All(ctx context.Context) ([]grant.Row, error)
	// Put writes a row. Where onlyIfNew it fails with tables.CodeGrantExists
	// rather than write over another.
	Put(ctx context.Context, attributes grant.Attributes, onlyIfNew bool) error
	// Delete removes a row, and reports whether there was one.
	Delete(ctx context.Context, key grant.Key) (existed bool, err error)
	// Written reads every row as it was written, sorted by key.
	Written(ctx context.Context) ([]grant.Attributes, error)
	// Swap writes a row, or deletes it for nil, if the table has it in the revision
	// that was shown, "" for no row; else it fails with store.CodeRowChanged.
	Swap(ctx context.Context, key grant.Key, shown string, attributes grant.Attributes) error
	// Texts reads every row as DynamoDB writes it in JSON.
	Texts(ctx context.Context) (map[grant.Key]string, error)
	// Approve records that an admin, by ARN, approves a decision.
	Approve(ctx context.Context, decision grant.Decision, at time.Time, by string) error
	// PutBack makes a row again what it was, where it is as the change left it.
	PutBack(ctx context.Context, change grant.RowChange) error
}

// statesTable is the state table as an admin uses it.
type statesTable interface {
	reconcile.States
	// History reads a gateway's journal, the newest entry first.
	History(ctx context.Context, gateway grant.Gateway, limit int) ([]reconcile.Entry, error)
	// Journals reads every journal since a time, by ARN, the oldest entry first.
	Journals(ctx context.Context, since time.Time) (map[string][]reconcile.Entry, error)
	// Attention reads what needs attention about each gateway, by ARN.
	Attention(ctx context.Context) (map[string]plan.Attention, error)
	// RecordedOwners reads what sweeps have recorded of owner accounts.
	RecordedOwners(ctx context.Context) (map[string]ledger.Owner, error)
	// RowChanges reads the changes of rows since a time, the oldest first.
	RowChanges(ctx context.Context, since time.Time) ([]grant.RowChange, error)
}

// opened are the three tables of a deployment.
type opened struct {
	grants    grantsTable
	states    statesTable
	directory directoryTable
}

// directoryTable is the accounts table as an admin uses it.
type directoryTable interface {
	reconcile.Directory
	// Account reads one account as it is recorded; false where it is not.
	Account(ctx context.Context, id string) (account directory.Account, found bool, err error)
	// Recorded reads every account, whatever its state.
	Recorded(ctx context.Context) ([]directory.Account, error)
	// Notes lists the notes of a topic, by id.
	Notes(ctx context.Context, topic directory.Topic) ([]directory.Note, error)
	// List reads a list, by id, or fails.
	List(ctx context.Context, list directory.Topic) ([]directory.Note, error)
	// AddToList adds entries that a list lacks, all or none; else store.CodeListChanged.
	AddToList(ctx context.Context, list directory.Topic, entries []directory.Note) error
	// RemoveFromList removes entries as they were read, all or none; else store.CodeListChanged.
	RemoveFromList(ctx context.Context, list directory.Topic, entries []directory.Note) error
}

// openTables opens tables of the given names.
type openTables func(config aws.Config, names settings.Tables) opened

// openNotices reaches the bus of the given name.
type openNotices func(config aws.Config, bus string) reconcile.Notices

func openDynamo(config aws.Config, names settings.Tables) opened {
	client := dynamodb.NewFromConfig(config)
	return opened{
		grants:    store.NewGrants(client, names.Grants),
		states:    store.NewStates(client, names.States),
		directory: store.NewAccounts(client, names.Accounts),
	}
}

func openBus(config aws.Config, name string) reconcile.Notices {
	return bus.New(eventbridge.NewFromConfig(config), name, bus.Wait)
}

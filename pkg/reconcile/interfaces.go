package reconcile

import (
	"context"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Gateways is AgentCore's control plane, as far as a reconcile needs it. Every
// error is one of the coded failures of this package, or unknown.
type Gateways interface {
	// Describe reads the gateway and its tags. A gateway that does not exist is
	// a description with Exists false, not an error. Policy and Recorded are
	// left empty.
	Describe(ctx context.Context, gateway grant.Gateway) (plan.Observed, error)
	// Policy reads the resource policy, nil for none.
	Policy(ctx context.Context, gateway grant.Gateway) (*policy.Document, error)
	// PutPolicy replaces the whole resource policy.
	PutPolicy(ctx context.Context, gateway grant.Gateway, document *policy.Document) error
	// DeletePolicy removes the resource policy; that there is none is no error.
	DeletePolicy(ctx context.Context, gateway grant.Gateway) error
}

// Grants reads the grants table.
type Grants interface {
	// ForGateway reads every row for the gateway and for every gateway,
	// consistently, or fails: a table that cannot prove itself by its sentinel
	// row is an error.
	ForGateway(ctx context.Context, gateway grant.Gateway) ([]grant.Row, error)
}

// Directory reads the accounts table.
type Directory interface {
	// Lookup reads what the selectors match and which of the accounts are
	// members. Where no complete listing has ended the snapshot is Absent.
	Lookup(ctx context.Context, selectors []grant.Principal, accounts []string) (directory.Snapshot, error)
}

// States keeps what is recorded about gateways.
type States interface {
	// Load reads everything recorded about the gateway; nothing recorded is the
	// zero State.
	Load(ctx context.Context, gateway grant.Gateway) (plan.State, error)
	// BeginWrite records what is about to be written, on top of whatever others
	// recorded: of two due times the earlier counts, the end of the write in flight and the hash are
	// those given, and all else is added to what is there. It makes a new version,
	// so that whoever loaded an earlier one records nothing.
	BeginWrite(ctx context.Context, gateway grant.Gateway, intent plan.Intent) error
	// Record replaces the gateway's own item, writes the statuses given, and
	// deletes those of the rows named in gone, all on top of the version that the
	// state was loaded with. If there is another by now it fails with
	// CodeVersionConflict: what others recorded, such as when the gateway is due,
	// must not be lost.
	Record(ctx context.Context, gateway grant.Gateway, state plan.GatewayState, statuses map[grant.Key]grant.Status, gone []grant.Key) error
	// Journal adds what a write did. Entries end by themselves.
	Journal(ctx context.Context, gateway grant.Gateway, entry Entry) error
}

// Entry is one write in the journal of a gateway.
type Entry struct {
	At       time.Time
	Cause    string // what asked for the reconcile
	By       string // ARN of who did it, where that is known
	PlanHash string // of our statements as written
	Observed string // the document that was there before; "" for none
	Written  string // the document written; "" for a deletion
	Outcome  string // "written", or the code of the failure
}

// Notices publishes what people and their tools want to know.
type Notices interface {
	Publish(ctx context.Context, notices []plan.Notice) error
}

package tables

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// A gateway's items in the order of their sort keys. What a Load needs comes
// before journalPrefix, so that one Query reads it and no journal. The gateway's
// own, which holds the version, comes first: a Query reads in order and is no
// snapshot, so what it finds behind a version is never older than that.
const (
	gatewaySort    = "gateway"           // the gateway's own
	SelectedPrefix = "gateway#accounts#" // gateway#accounts#selection: whom a selector was last known to mean
	statusPrefix   = "grant#"            // grant#scope#id: where a row stands
	JournalPrefix  = "journal#"          // journal#time
)

// DueShard is the one partition of the index of what is due.
const DueShard = "all"

// AskAgainAfter is for how long a gateway that somebody asked for is left out of
// what is due: a request is on its way for seconds, and behind a wide change for
// minutes. One that is lost is made again then.
const AskAgainAfter = 5 * time.Minute

// What MarkDue updates. The accounts that a selector means are a set in an item
// of its own, so that DynamoDB itself makes the union, and no number of selectors
// and accounts exceeds an item's 400 KB.
const (
	AttrPendingHash = "pendingHash"
	AttrVersion     = "version"
	AttrRecheck     = "recheck"
	AttrRefused     = "refused"
	AttrSelection   = "selection"
	AttrAccounts    = "accounts"
)

type gatewayItem struct {
	Gateway     string     `dynamodbav:"gateway"`
	Item        string     `dynamodbav:"item"`
	Version     int        `dynamodbav:"version,omitempty"`
	Authorizer  string     `dynamodbav:"authorizer,omitempty"`
	AppliedHash string     `dynamodbav:"appliedHash,omitempty"`
	PendingHash string     `dynamodbav:"pendingHash,omitempty"`
	Bytes       int        `dynamodbav:"bytes,omitempty"`
	Statements  int        `dynamodbav:"statements,omitempty"`
	LastError   grant.Code `dynamodbav:"lastError,omitempty"`
	LastMessage string     `dynamodbav:"lastMessage,omitempty"`
	Failures    int        `dynamodbav:"failures,omitempty"`
	DueShard    string     `dynamodbav:"dueShard,omitempty"`
	Due         time.Time  `dynamodbav:"due,omitempty"`
	Recheck     time.Time  `dynamodbav:"recheck,omitempty"`

	Overwritten   int                    `dynamodbav:"overwritten,omitempty"`
	OverwrittenAt time.Time              `dynamodbav:"overwrittenAt,omitempty"`
	Refused       map[string]refusalItem `dynamodbav:"refused"`
}

type refusalItem struct {
	Code    grant.Code `dynamodbav:"code"`
	Since   time.Time  `dynamodbav:"since,omitempty"`
	Tries   int        `dynamodbav:"tries,omitempty"`
	NextTry time.Time  `dynamodbav:"nextTry,omitempty"`
}

type statusItem struct {
	Gateway  string      `dynamodbav:"gateway"`
	Item     string      `dynamodbav:"item"`
	Scope    string      `dynamodbav:"scope"`
	Grant    string      `dynamodbav:"grant"`
	Phase    grant.Phase `dynamodbav:"phase"`
	Reason   grant.Code  `dynamodbav:"reason,omitempty"`
	Message  string      `dynamodbav:"message,omitempty"`
	Since    time.Time   `dynamodbav:"since,omitempty"`
	Revision string      `dynamodbav:"revision,omitempty"`
	Admitted []string    `dynamodbav:"admitted,omitempty"`
}

type selectedItem struct {
	Gateway   string   `dynamodbav:"gateway"`
	Item      string   `dynamodbav:"item"`
	Selection string   `dynamodbav:"selection"`
	Accounts  []string `dynamodbav:"accounts,stringset,omitempty"`
}

// GatewayKey is the key of the gateway's own item.
func GatewayKey(gateway grant.Gateway) Key {
	return Key{Partition: gateway.ARN(), Sort: gatewaySort}
}

// GatewayItem is the gateway's own item, which leaves out whom selectors mean.
func GatewayItem(gateway grant.Gateway, state plan.GatewayState) Item {
	item := gatewayItem{
		Gateway: gateway.ARN(), Item: gatewaySort, Version: state.Version,
		Authorizer: state.Authorizer, AppliedHash: state.AppliedHash, PendingHash: state.PendingHash,
		Bytes: state.Size.Bytes, Statements: state.Size.Statements,
		LastError: state.LastError, LastMessage: state.LastMessage, Failures: state.Failures,
		Due: state.Due, Recheck: state.Recheck,
		Overwritten: state.Overwritten, OverwrittenAt: state.OverwrittenAt,
	}
	for principal, refusal := range state.Refused {
		if item.Refused == nil {
			item.Refused = make(map[string]refusalItem, len(state.Refused))
		}
		item.Refused[principal] = refusalItem(refusal)
	}
	if item.Refused == nil {
		item.Refused = map[string]refusalItem{} // MarkDue adds to it
	}
	if !state.Due.IsZero() {
		item.DueShard = DueShard
	}
	return marshal(item)
}

// RefusalValue is a refusal as the gateway's own item holds it.
func RefusalValue(refusal plan.Refusal) types.AttributeValue {
	return &types.AttributeValueMemberM{Value: marshal(refusalItem(refusal))}
}

// StatusKey is the key of the item that says where a row stands on a gateway.
func StatusKey(gateway grant.Gateway, key grant.Key) Key {
	return Key{Partition: gateway.ARN(), Sort: within(statusPrefix, key.String())}
}

// StatusItem says where a row stands on a gateway.
func StatusItem(gateway grant.Gateway, key grant.Key, status grant.Status) Item {
	return marshal(statusItem{
		Gateway: gateway.ARN(), Item: within(statusPrefix, key.String()), Scope: key.Gateway, Grant: key.ID,
		Phase: status.Phase, Reason: status.Reason, Message: status.Message, Since: status.Since,
		Revision: status.Revision, Admitted: status.Admitted,
	})
}

// SelectedKey is the key of the item that says whom a selector means.
func SelectedKey(gateway grant.Gateway, selection string) Key {
	return Key{Partition: gateway.ARN(), Sort: within(SelectedPrefix, selection)}
}

// SelectedItem says whom a selector means. Nobody is an item without accounts.
func SelectedItem(gateway grant.Gateway, selection string, accounts []string) Item {
	return marshal(selectedItem{
		Gateway: gateway.ARN(), Item: within(SelectedPrefix, selection), Selection: selection,
		Accounts: sorted(accounts),
	})
}

// within is a sort key that begins with prefix. It only has to be unique: what
// it stands for is read from attributes, because that alone may be longer than
// the 1,024 bytes that a sort key may have.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
func within(prefix, name string) string {
	const most = 1024
	if len(prefix)+len(name) <= most {
		return prefix + name
	}
	sum := sha256.Sum256([]byte(name))
	return prefix + "#" + hex.EncodeToString(sum[:])
}

// sorted is a copy, sorted and without repetition, and nil for nobody.
func sorted(accounts []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(accounts)))
}

// ParseState reads all items of a gateway but the journal. No items are the zero
// State.
func ParseState(items []Item) (plan.State, error) {
	var state plan.State
	for _, item := range items {
		var err error
		switch sort := StatesLayout.Of(item).Sort; {
		case sort == gatewaySort:
			err = parseGateway(&state, item)
		case strings.HasPrefix(sort, statusPrefix):
			err = parseStatus(&state, item)
		case strings.HasPrefix(sort, SelectedPrefix):
			err = parseSelected(&state, item)
		}
		if err != nil {
			return plan.State{}, fmt.Errorf("item %q of the state table: %w", StatesLayout.Of(item).Sort, err)
		}
	}
	return state, nil
}

func parseGateway(state *plan.State, item Item) error {
	var read gatewayItem
	if err := unmarshal(item, &read); err != nil {
		return err
	}
	state.Gateway = plan.GatewayState{
		Version:    read.Version,
		Authorizer: read.Authorizer, AppliedHash: read.AppliedHash, PendingHash: read.PendingHash,
		Size:      plan.Size{Bytes: read.Bytes, Statements: read.Statements},
		LastError: read.LastError, LastMessage: read.LastMessage, Failures: read.Failures,
		Due: read.Due, Recheck: read.Recheck, Selected: state.Gateway.Selected,
		Overwritten: read.Overwritten, OverwrittenAt: read.OverwrittenAt,
	}
	for principal, refusal := range read.Refused {
		if state.Gateway.Refused == nil {
			state.Gateway.Refused = make(map[string]plan.Refusal, len(read.Refused))
		}
		state.Gateway.Refused[principal] = plan.Refusal(refusal)
	}
	return nil
}

func parseStatus(state *plan.State, item Item) error {
	var read statusItem
	if err := unmarshal(item, &read); err != nil {
		return err
	}
	if state.Grants == nil {
		state.Grants = make(map[grant.Key]grant.Status)
	}
	state.Grants[grant.Key{Gateway: read.Scope, ID: read.Grant}] = grant.Status{
		Phase: read.Phase, Reason: read.Reason, Message: read.Message, Since: read.Since,
		Revision: read.Revision, Admitted: read.Admitted,
	}
	return nil
}

func parseSelected(state *plan.State, item Item) error {
	var read selectedItem
	if err := unmarshal(item, &read); err != nil {
		return err
	}
	if state.Gateway.Selected == nil {
		state.Gateway.Selected = make(map[string][]string)
	}
	state.Gateway.Selected[read.Selection] = sorted(read.Accounts)
	return nil
}

// SelectedChanges compares whom selectors are recorded to mean with whom they
// mean: the items to put, in the order of their keys, and those to delete.
func SelectedChanges(gateway grant.Gateway, was, is map[string][]string) (put []Item, gone []Key) {
	for _, selection := range slices.Sorted(maps.Keys(is)) {
		recorded, known := was[selection]
		if !known || !slices.Equal(sorted(is[selection]), recorded) {
			put = append(put, SelectedItem(gateway, selection, is[selection]))
		}
	}
	for _, selection := range slices.Sorted(maps.Keys(was)) {
		if _, kept := is[selection]; !kept {
			gone = append(gone, SelectedKey(gateway, selection))
		}
	}
	return put, gone
}

func marshal(value any) Item {
	item, err := attributevalue.MarshalMapWithOptions(value, func(o *attributevalue.EncoderOptions) {
		o.OmitEmptyTime = true
		o.EncodeTime = func(t time.Time) (types.AttributeValue, error) { return S(Moment(t)), nil }
	})
	if err != nil {
		panic(fmt.Sprintf("write %T as an item: %v", value, err)) // it has only text, numbers, times and lists
	}
	return item
}

func unmarshal(item Item, into any) error {
	if err := attributevalue.UnmarshalMap(item, into); err != nil {
		return fmt.Errorf("was not written by this product: %w", err)
	}
	return nil
}

// AskedFor tells whether an item, or what the index of what is due shows of it,
// was asked for in the AskAgainAfter before the given time.
func AskedFor(item Item, before time.Time) bool {
	asked := text(item[AttrAsked])
	return asked != "" && asked > Moment(before.Add(-AskAgainAfter))
}

// DueAt tells when a gateway's own item says to look again, as a Moment; false
// for never.
func DueAt(item Item) (string, bool) {
	at, ok := item[AttrDue].(*types.AttributeValueMemberS)
	if !ok {
		return "", false
	}
	return at.Value, true
}

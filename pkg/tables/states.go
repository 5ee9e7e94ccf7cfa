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
	gatewaySort     = "gateway"            // the gateway's own
	SetsPrefix      = "gateway#"           // begins those that hold a set
	selectedPrefix  = "gateway#accounts#"  // gateway#accounts#selection: the accounts that a selector was last known to mean
	announcedPrefix = "gateway#announced#" // gateway#announced#ids: the principals that writes were to name after those unique ids were found
	statusPrefix    = "grant#"             // grant#scope#id: where a row stands
	JournalPrefix   = "journal#"           // journal#time
)

// DueShard is the one partition of the index of what is due.
const DueShard = "all"

// AskAgainAfter is for how long a gateway that somebody asked for is left out of
// what is due: a request is on its way for seconds, and behind a wide change for
// minutes. One that is lost is made again then.
const AskAgainAfter = 5 * time.Minute

// What MarkDue updates. What it adds to are sets in items of their own, so that
// DynamoDB itself makes the union, and no number of selectors and accounts exceeds
// an item's 400 KB.
const (
	AttrPendingHash  = "pendingHash"
	AttrVersion      = "version"
	AttrRecheck      = "recheck"
	AttrRefused      = "refused"
	AttrHadDirectory = "hadDirectory"
	AttrOf           = "of"
	AttrMembers      = "members"
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
	Pinned        []string               `dynamodbav:"pinned,omitempty"`
	HadDirectory  bool                   `dynamodbav:"hadDirectory,omitempty"`
	Expands       bool                   `dynamodbav:"expands,omitempty"`
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
	Expiring bool        `dynamodbav:"expiring,omitempty"`
}

type setItem struct {
	Gateway string   `dynamodbav:"gateway"`
	Item    string   `dynamodbav:"item"`
	Of      string   `dynamodbav:"of"`
	Members []string `dynamodbav:"members,stringset,omitempty"`
}

// GatewayKey is the key of the gateway's own item.
func GatewayKey(gateway grant.Gateway) Key {
	return Key{Partition: gateway.ARN(), Sort: gatewaySort}
}

// GatewayItem is the gateway's own item, which leaves out the sets.
func GatewayItem(gateway grant.Gateway, state plan.GatewayState) Item {
	item := gatewayItem{
		Gateway: gateway.ARN(), Item: gatewaySort, Version: state.Version,
		Authorizer: state.Authorizer, AppliedHash: state.AppliedHash, PendingHash: state.PendingHash,
		Bytes: state.Size.Bytes, Statements: state.Size.Statements,
		LastError: state.LastError, LastMessage: state.LastMessage, Failures: state.Failures,
		Due: state.Due, Recheck: state.Recheck,
		Overwritten: state.Overwritten, OverwrittenAt: state.OverwrittenAt,
		Pinned: state.Pinned, HadDirectory: state.HadDirectory, Expands: state.Expands,
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
		Revision: status.Revision, Admitted: status.Admitted, Expiring: status.Expiring,
	})
}

// Set is what a gateway's state holds in an item of its own: of whom or what, and
// the members. Nobody is a set without members.
type Set struct {
	Key     Key
	Of      string
	Members []string // sorted, none twice
}

// Sets are those of the state, in the order of their keys.
func Sets(gateway grant.Gateway, known plan.Foreknown) []Set {
	var sets []Set
	for _, kind := range []struct {
		prefix string
		sets   map[string][]string
	}{{selectedPrefix, known.Selected}, {announcedPrefix, known.Announced}} {
		for _, of := range slices.Sorted(maps.Keys(kind.sets)) {
			key := Key{Partition: gateway.ARN(), Sort: within(kind.prefix, of)}
			sets = append(sets, Set{Key: key, Of: of, Members: sorted(kind.sets[of])})
		}
	}
	return sets
}

// SetChanges compares the sets that are recorded with those that are to be: the
// items to put, in the order of their keys, and those to delete.
func SetChanges(gateway grant.Gateway, was, is plan.Foreknown) (put []Item, gone []Key) {
	recorded := make(map[Key]Set)
	for _, set := range Sets(gateway, was) {
		recorded[set.Key] = set
	}
	for _, set := range Sets(gateway, is) {
		if known, found := recorded[set.Key]; !found || !slices.Equal(known.Members, set.Members) {
			put = append(put, marshal(setItem{Gateway: gateway.ARN(), Item: set.Key.Sort, Of: set.Of, Members: set.Members}))
		}
		delete(recorded, set.Key)
	}
	for _, set := range Sets(gateway, was) {
		if _, left := recorded[set.Key]; left {
			gone = append(gone, set.Key)
		}
	}
	return put, gone
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
func sorted(members []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(members)))
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
		case strings.HasPrefix(sort, selectedPrefix):
			state.Gateway.Selected, err = addSet(state.Gateway.Selected, item)
		case strings.HasPrefix(sort, announcedPrefix):
			state.Gateway.Announced, err = addSet(state.Gateway.Announced, item)
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
		Due: read.Due, Recheck: read.Recheck,
		Overwritten: read.Overwritten, OverwrittenAt: read.OverwrittenAt,
		Pinned: read.Pinned, Expands: read.Expands, Foreknown: state.Gateway.Foreknown,
	}
	state.Gateway.HadDirectory = read.HadDirectory
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
		Revision: read.Revision, Admitted: read.Admitted, Expiring: read.Expiring,
	}
	return nil
}

func addSet(sets map[string][]string, item Item) (map[string][]string, error) {
	var read setItem
	if err := unmarshal(item, &read); err != nil {
		return nil, err
	}
	if sets == nil {
		sets = make(map[string][]string)
	}
	sets[read.Of] = sorted(read.Members)
	return sets, nil
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

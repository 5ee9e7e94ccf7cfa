package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
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
// snapshot, so what it finds behind a version is never older than that. Whether it
// is newer, the version tells that is read after it.
const (
	gatewaySort    = "gateway"           // the gateway's own
	PartsPrefix    = "gateway#"          // begins those that hold a part: a set or a refusal
	selectedPrefix = "gateway#accounts#" // gateway#accounts#selection: the accounts that a selector was last known to mean
	inFlightPrefix = "gateway#inFlight#" // gateway#inFlight#ids: the principals that writes were to name after those unique ids were found
	refusedPrefix  = "gateway#refused#"  // gateway#refused#principal: what is known of a principal that AWS would not take
	statusPrefix   = "grant#"            // grant#scope#id: where a row stands
	JournalPrefix  = "journal#"          // journal#time
)

// DueShard is the one partition of the index of what is due.
const DueShard = "all"

// AskAgainAfter is for how long a gateway that somebody asked for is left out of
// what is due: a request is on its way for seconds, and behind a wide change for
// minutes. One that is lost is made again then.
const AskAgainAfter = 5 * time.Minute

// What BeginWrite updates. What it adds to are parts in items of their own, so that no
// number of selectors, accounts and refusals exceeds an item's 400 KB. Sets are
// DynamoDB's, which itself makes the union.
const (
	AttrPendingHash   = "pendingHash"
	AttrVersion       = "version"
	AttrInFlightUntil = "inFlightUntil"
	AttrHadDirectory  = "hadDirectory"
	AttrOf            = "of"
	AttrMembers       = "members"
)

type gatewayItem struct {
	Gateway       string     `dynamodbav:"gateway"`
	Item          string     `dynamodbav:"item"`
	Version       int        `dynamodbav:"version,omitempty"`
	Authorizer    string     `dynamodbav:"authorizer,omitempty"`
	AppliedHash   string     `dynamodbav:"appliedHash,omitempty"`
	PendingHash   string     `dynamodbav:"pendingHash,omitempty"`
	Bytes         int        `dynamodbav:"bytes,omitempty"`
	Statements    int        `dynamodbav:"statements,omitempty"`
	LastError     grant.Code `dynamodbav:"lastError,omitempty"`
	LastMessage   string     `dynamodbav:"lastMessage,omitempty"`
	Failures      int        `dynamodbav:"failures,omitempty"`
	DueShard      string     `dynamodbav:"dueShard,omitempty"`
	Due           time.Time  `dynamodbav:"due,omitempty"`
	InFlightUntil time.Time  `dynamodbav:"inFlightUntil,omitempty"`

	Overwritten          int       `dynamodbav:"overwritten,omitempty"`
	OverwrittenAt        time.Time `dynamodbav:"overwrittenAt,omitempty"`
	Pinned               []string  `dynamodbav:"pinned,omitempty"`
	HadDirectory         bool      `dynamodbav:"hadDirectory,omitempty"`
	ExpandedSizeObserved bool      `dynamodbav:"expandedSizeObserved,omitempty"`
	ListsRefused         bool      `dynamodbav:"listsRefused,omitempty"`
	Open                 string    `dynamodbav:"open,omitempty"`
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

	LastValid string   `dynamodbav:"lastValid,omitempty"`
	Withheld  []string `dynamodbav:"withheld,omitempty"`
}

type setItem struct {
	Gateway string   `dynamodbav:"gateway"`
	Item    string   `dynamodbav:"item"`
	Of      string   `dynamodbav:"of"`
	Members []string `dynamodbav:"members,stringset,omitempty"`
}

type refusalItem struct {
	Gateway   string     `dynamodbav:"gateway"`
	Item      string     `dynamodbav:"item"`
	Principal string     `dynamodbav:"principal"`
	Code      grant.Code `dynamodbav:"code"`
	Since     time.Time  `dynamodbav:"since,omitempty"`
	Tries     int        `dynamodbav:"tries,omitempty"`
	NextTry   time.Time  `dynamodbav:"nextTry,omitempty"`
}

// GatewayKey is the key of the gateway's own item.
func GatewayKey(gateway grant.Gateway) Key {
	return Key{Partition: gateway.ARN(), Sort: gatewaySort}
}

// GatewayItem is the gateway's own item, which leaves out the parts.
func GatewayItem(gateway grant.Gateway, state plan.GatewayState) Item {
	item := gatewayItem{
		Gateway: gateway.ARN(), Item: gatewaySort, Version: state.Version,
		Authorizer: state.Authorizer, AppliedHash: state.AppliedHash, PendingHash: state.PendingHash,
		Bytes: state.Size.Bytes, Statements: state.Size.Statements,
		LastError: state.LastError, LastMessage: state.LastMessage, Failures: state.Failures,
		Due: state.Due, InFlightUntil: state.InFlightUntil,
		Overwritten: state.Overwritten, OverwrittenAt: state.OverwrittenAt,
		Pinned: state.Pinned, HadDirectory: state.HadDirectory, ExpandedSizeObserved: state.ExpandedSizeObserved, ListsRefused: state.ListsRefused, Open: state.Open,
	}
	if !state.Due.IsZero() {
		item.DueShard = DueShard
	}
	return marshal(item)
}

// StatusKey is the key of the item that says where a row stands on a gateway.
func StatusKey(gateway grant.Gateway, key grant.Key) Key {
	return Key{Partition: gateway.ARN(), Sort: sortKey(statusPrefix, key.String())}
}

// StatusItem says where a row stands on a gateway.
func StatusItem(gateway grant.Gateway, key grant.Key, status grant.Status) Item {
	return marshal(statusItem{
		Gateway: gateway.ARN(), Item: sortKey(statusPrefix, key.String()), Scope: key.Gateway, Grant: key.ID,
		Phase: status.Phase, Reason: status.Reason, Message: status.Message, Since: status.Since,
		Revision: status.Revision, Admitted: status.Admitted, Expiring: status.Expiring,
		LastValid: status.LastValid, Withheld: status.Withheld,
	})
}

// Sets are the items that hold the sets of a gateway's state, in the order of their
// keys: each says of whom or what, and the members. Nobody is a set without members.
func Sets(gateway grant.Gateway, known plan.WriteAhead) []Item {
	var items []Item
	for _, kind := range []struct {
		prefix string
		sets   map[string][]string
	}{{selectedPrefix, known.Selected}, {inFlightPrefix, known.InFlight}} {
		for _, of := range slices.Sorted(maps.Keys(kind.sets)) {
			items = append(items, marshal(setItem{
				Gateway: gateway.ARN(), Item: sortKey(kind.prefix, of), Of: of, Members: sorted(kind.sets[of]),
			}))
		}
	}
	return items
}

// Refusals are the items that hold what is known of principals that AWS would not
// take, in the order of these.
func Refusals(gateway grant.Gateway, refused map[string]plan.Refusal) []Item {
	items := make([]Item, 0, len(refused))
	for _, principal := range slices.Sorted(maps.Keys(refused)) {
		refusal := refused[principal]
		items = append(items, marshal(refusalItem{
			Gateway: gateway.ARN(), Item: sortKey(refusedPrefix, principal), Principal: principal,
			Code: refusal.Code, Since: refusal.Since, Tries: refusal.Tries, NextTry: refusal.NextTry,
		}))
	}
	return items
}

// PartChanges compares the sets and refusals that are recorded with those that are
// to be: the items to put, and the keys of those to delete.
func PartChanges(gateway grant.Gateway, was, is plan.GatewayState) (put []Item, gone []Key) {
	before := parts(gateway, was)
	recorded := make(map[Key]Item, len(before))
	for _, item := range before {
		recorded[StatesLayout.Of(item)] = item
	}
	for _, item := range parts(gateway, is) {
		key := StatesLayout.Of(item)
		if !reflect.DeepEqual(recorded[key], item) {
			put = append(put, item)
		}
		delete(recorded, key)
	}
	for _, item := range before {
		if key := StatesLayout.Of(item); recorded[key] != nil {
			gone = append(gone, key)
		}
	}
	return put, gone
}

// parts are those of the state, each of a key of its own.
func parts(gateway grant.Gateway, state plan.GatewayState) []Item {
	return slices.Concat(Refusals(gateway, state.Refused), Sets(gateway, state.WriteAhead))
}

// sortKey is a sort key that begins with prefix. It only has to be unique: what
// it stands for is read from attributes, because that alone may be longer than
// the 1,024 bytes that a sort key may have.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
func sortKey(prefix, name string) string {
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
		case strings.HasPrefix(sort, inFlightPrefix):
			state.Gateway.InFlight, err = addSet(state.Gateway.InFlight, item)
		case strings.HasPrefix(sort, refusedPrefix):
			err = parseRefusal(&state, item)
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
		Due: read.Due, InFlightUntil: read.InFlightUntil,
		Overwritten: read.Overwritten, OverwrittenAt: read.OverwrittenAt,
		Pinned: read.Pinned, ExpandedSizeObserved: read.ExpandedSizeObserved, ListsRefused: read.ListsRefused, Open: read.Open, Refused: state.Gateway.Refused, WriteAhead: state.Gateway.WriteAhead,
	}
	state.Gateway.HadDirectory = read.HadDirectory
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
		LastValid: read.LastValid, Withheld: read.Withheld,
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

func parseRefusal(state *plan.State, item Item) error {
	var read refusalItem
	if err := unmarshal(item, &read); err != nil {
		return err
	}
	if state.Gateway.Refused == nil {
		state.Gateway.Refused = make(map[string]plan.Refusal)
	}
	state.Gateway.Refused[read.Principal] = plan.Refusal{
		Code: read.Code, Since: read.Since, Tries: read.Tries, NextTry: read.NextTry,
	}
	return nil
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

package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// A gateway's items in the order of their sort keys. What a Load needs comes
// before JournalPrefix, so that one Query reads it and no journal. A Query is no
// snapshot, but it reads in order: what it finds behind the gateway's own item is
// never older than that item, and the versions show whether it is newer.
const (
	gatewaySort    = "gateway"       // the gateway's own: the ledger
	overflowPrefix = "gateway#more#" // gateway#more#number: what of the ledger an item has no room for
	statusPrefix   = "grant#"        // grant#scope#id: where a row stands
	JournalPrefix  = "journal#"      // journal#time
)

// DueShard is the one partition of the index of what is due.
const DueShard = "all"

// AskAgainAfter is for how long a gateway that was asked for is left out of
// what is due: a request is on its way for seconds, and behind a wide change for
// minutes. One that is lost is made again then.
const AskAgainAfter = 5 * time.Minute

// AttrVersion counts the updates of a gateway's own item.
const AttrVersion = "version"

type statusItem struct {
	Gateway  string      `dynamodbav:"gateway"`
	Item     string      `dynamodbav:"item"`
	Version  int         `dynamodbav:"version,omitempty"` // of the gateway's own item when this was written
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

// GatewayKey is the key of the gateway's own item.
func GatewayKey(gateway grant.Gateway) Key {
	return Key{Partition: gateway.ARN(), Sort: gatewaySort}
}

// StatusKey is the key of the item that says where a row stands on a gateway.
func StatusKey(gateway grant.Gateway, key grant.Key) Key {
	return Key{Partition: gateway.ARN(), Sort: sortKey(statusPrefix, key.String())}
}

// StatusItem says where a row stands on a gateway, as of that version of the ledger.
func StatusItem(gateway grant.Gateway, key grant.Key, status grant.Status, version int) Item {
	return marshal(statusItem{
		Gateway: gateway.ARN(), Item: sortKey(statusPrefix, key.String()), Version: version, Scope: key.Gateway, Grant: key.ID,
		Phase: status.Phase, Reason: status.Reason, Message: status.Message, Since: status.Since,
		Revision: status.Revision, Admitted: status.Admitted, Expiring: status.Expiring,
		LastValid: status.LastValid, Withheld: status.Withheld,
	})
}

// Changes are what has to be put and deleted for a gateway's state to become another.
type Changes struct {
	Own      []Item // the ledger, its own item first; none where nothing changes
	Statuses []Item
	Gone     []Key
}

// Compare lists the changes from one state of a gateway to the next, whose version is
// unique to the update. It fails if the ledger is larger than one transaction takes.
func Compare(gateway grant.Gateway, was, is ledger.State) (Changes, error) {
	var changes Changes
	for key, status := range is.Grants {
		if known, ok := was.Grants[key]; !ok || !reflect.DeepEqual(known, status) {
			changes.Statuses = append(changes.Statuses, StatusItem(gateway, key, status, is.Gateway.Version))
		}
	}
	for key := range was.Grants {
		if _, stays := is.Grants[key]; !stays {
			changes.Gone = append(changes.Gone, StatusKey(gateway, key))
		}
	}
	was.Gateway.Version = is.Gateway.Version
	after := LedgerItems(gateway, is.Gateway)
	if len(changes.Statuses)+len(changes.Gone) == 0 {
		if reflect.DeepEqual(was.Gateway, is.Gateway) || reflect.DeepEqual(LedgerItems(gateway, was.Gateway), after) {
			return Changes{}, nil
		}
	}
	if len(after) > mostLedgerItems {
		return Changes{}, errLedgerFull
	}
	for n, before := len(after), len(partsOf(was.Gateway)); n < before; n++ {
		changes.Gone = append(changes.Gone, Key{Partition: gateway.ARN(), Sort: overflowSort(n - 1)})
	}
	changes.Own = after
	return changes, nil
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

// ParseState reads all items of a gateway but the journal, in the order of their sort
// keys. No items are the zero State. It is whole unless the items were read while
// another update wrote them.
func ParseState(items []Item) (state ledger.State, whole bool, err error) {
	r := stateReader{}
	for _, item := range items {
		var err error
		switch sort := StatesLayout.Of(item).Sort; {
		case sort == gatewaySort:
			err = r.gateway(item)
		case strings.HasPrefix(sort, overflowPrefix):
			err = r.overflow(item)
		case strings.HasPrefix(sort, statusPrefix):
			err = r.status(item)
		case r.form == 0:
			err = r.older(sort, item)
		}
		if err != nil {
			return ledger.State{}, false, fmt.Errorf("item %q of the state table: %w", StatesLayout.Of(item).Sort, err)
		}
	}
	return r.state, !r.torn && r.missing == 0, nil
}

// stateReader collects a gateway's state from its items.
type stateReader struct {
	state   ledger.State
	form    int // of the ledger; 0 for before there were forms
	written int // the version that wrote the ledger
	missing int // items of overflow that were not read yet
	torn    bool
}

func (r *stateReader) status(item Item) error {
	var read statusItem
	if err := unmarshal(item, &read); err != nil {
		return err
	}
	if r.state.Grants == nil {
		r.state.Grants = make(map[grant.Key]grant.Status)
	}
	r.torn = r.torn || read.Version > r.state.Gateway.Version
	r.state.Grants[grant.Key{Gateway: read.Scope, ID: read.Grant}] = grant.Status{
		Phase: read.Phase, Reason: read.Reason, Message: read.Message, Since: read.Since,
		Revision: read.Revision, Admitted: read.Admitted, Expiring: read.Expiring,
		LastValid: read.LastValid, Withheld: read.Withheld,
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

// AskedFor reports whether an item, or what the index of what is due shows of it,
// was asked for in the AskAgainAfter before the given time.
func AskedFor(item Item, before time.Time) bool {
	asked := text(item[AttrAsked])
	return asked != "" && asked > Moment(before.Add(-AskAgainAfter))
}

// DueAt is when a gateway's own item says that the gateway is due, as a Moment; false
// for never.
func DueAt(item Item) (string, bool) {
	at, ok := item[AttrDue].(*types.AttributeValueMemberS)
	if !ok {
		return "", false
	}
	return at.Value, true
}

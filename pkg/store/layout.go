// Package store keeps the three tables in DynamoDB: every read is complete and
// consistent or an error, every write conditional on what it was decided on.
//
// Every error is a *grant.Error, or wraps one. A failed read has the code
// reconcile.CodeReadFailed, a failed write CodeWriteFailed; where DynamoDB throttles or
// denies the call, the code is reconcile.CodeThrottled or reconcile.CodeAccessDenied.
// A method's comment names only the codes that it adds.
//
// The schema stands here once: the keys and indexes of the tables, and how rows,
// accounts and statuses become items and are read back (the files that end in
// _item). The in-memory twin, store/memory, uses it as well, and store/storetest
// holds both to one contract.
package store

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Names are the names of the three tables.
type Names struct {
	Grants, Accounts, States string
}

// DefaultNames are the names that a deployment gives its tables.
func DefaultNames() Names {
	return Names{
		Grants:   "gateway-grants",
		Accounts: "gateway-grants-accounts",
		States:   "gateway-grants-state",
	}
}

// Item is an item as DynamoDB holds it.
type Item = map[string]types.AttributeValue

// Key is the primary key of an item: its partition and its place in there.
type Key struct {
	Partition, Sort string
}

// Layout names the two attributes of a table's primary key.
type Layout struct {
	Partition, Sort string
}

// The layouts of the tables. The grants table's are what an admin sees.
var (
	GrantsLayout   = Layout{Partition: grant.AttrGateway, Sort: grant.AttrGrant}
	AccountsLayout = Layout{Partition: "pk", Sort: "sk"}
	StatesLayout   = Layout{Partition: "gateway", Sort: "item"}
)

// The indexes of the tables, and the attributes that they add to a key.
const (
	PrincipalIndex = "byPrincipal" // of grants: partition principal, sort gateway
	DueIndex       = "due"         // of states: partition dueShard, sort due; only items that are due some time
	AttrDueShard   = "dueShard"
	AttrDue        = "due"
	AttrAsked      = "asked" // of states, in the index of what is due: when a reconcile was last requested
	AttrExpiry     = "ttl"   // of states: when DynamoDB may delete the item, in Unix seconds
)

// Of returns an item's key. Both parts are text in every table.
func (l Layout) Of(item Item) Key {
	return Key{Partition: text(item[l.Partition]), Sort: text(item[l.Sort])}
}

// Item is the key as attributes.
func (l Layout) Item(key Key) Item {
	return Item{l.Partition: S(key.Partition), l.Sort: S(key.Sort)}
}

// S is a text value.
func S(value string) types.AttributeValue { return &types.AttributeValueMemberS{Value: value} }

func text(value types.AttributeValue) string {
	if s, ok := value.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// moments are RFC 3339 in UTC, all of one width, so that they sort as text.
const moments = "2006-01-02T15:04:05.000000000Z"

// Moment writes a time so that text order is time order.
func Moment(t time.Time) string { return t.UTC().Format(moments) }

func parseMoment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, text) //nolint:wrapcheck // the caller names the attribute
}

package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

const (
	accountPrefix = "ACCOUNT#"
	// AccountSort is the sort key of every account's own item.
	AccountSort = "ACCOUNT"
	// AttrSyncedAt holds, in the item of SyncKey, the Moment of the listing.
	AttrSyncedAt = "syncedAt"
)

// SyncKey is the key of the item that says when a complete listing last ended.
var SyncKey = Key{Partition: "SYNC", Sort: "SYNC"}

// AccountKey is the key of an account's own item.
func AccountKey(id string) Key { return Key{Partition: accountPrefix + id, Sort: AccountSort} }

// SelectorPartition is where one Query finds every account that a selector
// matches. That of ou-…/direct also holds the accounts further below.
func SelectorPartition(selector grant.Principal) string {
	switch selector.Kind() {
	case grant.KindUnit, grant.KindUnitDirect:
		return "OU#" + selector.Name()
	case grant.KindOrganization:
		return "ORG#" + selector.Name()
	case grant.KindTag:
		return "TAG#" + selector.Name()
	default:
		return ""
	}
}

// Memberships lists the keys under which selectors find an account.
func Memberships(a directory.Account) []Key {
	partitions := make([]string, 0, len(a.Path)+len(a.Tags)+1)
	for _, view := range a.Views() {
		for _, unit := range view.Path {
			partitions = append(partitions, "OU#"+unit)
		}
		if view.Organization != "" {
			partitions = append(partitions, "ORG#"+view.Organization)
		}
		for key, value := range view.Tags {
			partitions = append(partitions, "TAG#"+grant.TagName(key, value))
		}
	}
	slices.Sort(partitions)
	partitions = slices.Compact(partitions)
	keys := make([]Key, len(partitions))
	for i, partition := range partitions {
		keys[i] = Key{Partition: partition, Sort: a.ID}
	}
	return keys
}

// AccountItems are all items of an account, its own first. Each holds the whole
// account, so that one Query answers a selector.
func AccountItems(a directory.Account) []Item {
	content, err := FromPlainMap(a.Item())
	if err != nil {
		panic("write account " + a.ID + " as an item: " + err.Error()) // Item has only text, lists and maps
	}
	keys := append([]Key{AccountKey(a.ID)}, Memberships(a)...)
	items := make([]Item, len(keys))
	for i, key := range keys {
		items[i] = AccountsLayout.Item(key)
		maps.Copy(items[i], content)
	}
	return items
}

// Stale lists the memberships of was that is no longer has.
func Stale(was, is directory.Account) []Key {
	keep := Memberships(is)
	return slices.DeleteFunc(Memberships(was), func(key Key) bool { return slices.Contains(keep, key) })
}

// ParseAccount reads an account from its own item or from that of a membership.
func ParseAccount(item Item) (directory.Account, error) {
	key := AccountsLayout.Of(item)
	id := key.Sort
	if own, ok := strings.CutPrefix(key.Partition, accountPrefix); ok {
		id = own
	}
	account, err := directory.ParseItem(id, PlainMap(item))
	if err != nil {
		return directory.Account{}, fmt.Errorf("item %s of the accounts table: %w", key.Partition, err)
	}
	return account, nil
}

// IsAccount reports whether an item is an account's own, rather than a membership
// or something else that the table keeps.
func IsAccount(key Key) bool {
	return key.Sort == AccountSort && strings.HasPrefix(key.Partition, accountPrefix)
}

// SyncItem says when a complete listing ended.
func SyncItem(at time.Time) Item {
	item := AccountsLayout.Item(SyncKey)
	item[AttrSyncedAt] = S(Moment(at))
	return item
}

// ParseSync reads when a complete listing last ended; zero for never.
func ParseSync(item Item) (time.Time, error) {
	value, ok := item[AttrSyncedAt].(*types.AttributeValueMemberS)
	if !ok {
		return time.Time{}, nil
	}
	at, err := parseMoment(value.Value)
	if err != nil {
		return time.Time{}, fmt.Errorf("item SYNC of the accounts table: attribute %s is no RFC 3339 time: %w", AttrSyncedAt, err)
	}
	return at, nil
}

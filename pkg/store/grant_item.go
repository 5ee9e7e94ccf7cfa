package store

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// GrantItem is a row as its item. It fails with CodeBadRow on a value that no
// attribute can hold; whether the row makes sense is grant.Parse's to say.
func GrantItem(attributes grant.Attributes) (Item, error) {
	item, err := FromPlainMap(attributes)
	if err != nil {
		return nil, &grant.Error{Code: CodeBadRow, Op: "write a grant as an item", Hint: "write text, lists of text and maps", Err: err}
	}
	return item, nil
}

// SentinelKey is the key of the row that proves a read.
func SentinelKey() Key { return Key{Partition: grant.EveryGateway, Sort: grant.SentinelID} }

// Sentinel is the row that proves a read, with a note for people who find it.
func Sentinel() Item {
	item := GrantsLayout.Item(SentinelKey())
	item[grant.AttrReason] = S("Proves that a read reached the grants table. Without this row every gateway keeps the policy that it has.")
	return item
}

// Rows reads items of the grants table, sorted by key. The sentinel is no row; any
// other whose id begins with "#" is one, and Invalid, so that its author can see
// why it admits no principal. It fails with CodeNoSentinel where the sentinel is not
// among them.
func Rows(table string, items []Item) ([]grant.Row, error) {
	written, err := WrittenRows(table, items)
	if err != nil {
		return nil, err
	}
	rows := make([]grant.Row, len(written))
	for i, attributes := range written {
		rows[i] = grant.Parse(attributes)
	}
	return rows, nil
}

// WrittenRows is Rows, without a judgement of what was written.
func WrittenRows(table string, items []Item) ([]grant.Attributes, error) {
	rows, proven := make([]Item, 0, len(items)), false
	for _, item := range items {
		switch key := GrantsLayout.Of(item); {
		case key == SentinelKey():
			proven = true
		case key.Partition != grant.ApprovalsScope:
			rows = append(rows, item)
		}
	}
	if !proven {
		return nil, NoSentinel(table)
	}
	slices.SortFunc(rows, func(a, b Item) int {
		one, other := GrantsLayout.Of(a), GrantsLayout.Of(b)
		return cmp.Or(strings.Compare(one.Partition, other.Partition), strings.Compare(one.Sort, other.Sort))
	})
	written := make([]grant.Attributes, len(rows))
	for i, item := range rows {
		written[i] = PlainMap(item)
	}
	return written, nil
}

// RevisionOf is the revision of the row that an item holds; "" for a nil item.
func RevisionOf(item Item) string {
	if item == nil {
		return ""
	}
	return grant.Parse(PlainMap(item)).Revision
}

// Texts are the rows among items of the grants table, each as RowText has it. It
// fails as Rows does.
func Texts(table string, items []Item) (map[grant.Key]string, error) {
	texts, proven := make(map[grant.Key]string, len(items)), false
	for _, item := range items {
		key := GrantsLayout.Of(item)
		if key == SentinelKey() || key.Partition == grant.ApprovalsScope {
			proven = proven || key == SentinelKey()
			continue
		}
		texts[grant.Key{Gateway: key.Partition, ID: key.Sort}] = RowText(item)
	}
	if !proven {
		return nil, NoSentinel(table)
	}
	return texts, nil
}

// partitions are those in which an account may have been written as a root ARN.
var partitions = []string{"aws", "aws-cn", "aws-us-gov"}

// Forms lists the texts in which an admin may have written the principal: an
// account by its id or its root's ARN, everything else in one way.
func Forms(principal grant.Principal) []string {
	if principal.Kind() != grant.KindAccount {
		return []string{principal.String()}
	}
	forms := []string{principal.Account()}
	if partition := principal.Partition(); partition != "" && !slices.Contains(partitions, partition) {
		forms = append(forms, principal.ARN(partition))
	}
	for _, partition := range partitions {
		forms = append(forms, "arn:"+partition+":iam::"+principal.Account()+":root")
	}
	return forms
}

package store

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// The partitions of the state table that are of no single gateway.
const (
	RowChangesPartition = "#rows"    // an item for each change of a row, kept as long as the journal
	RemovalPartition    = "#removal" // the last mass removal, if there was one
)

const (
	// mostOfRow is how much of a row's two images an item keeps. An item has 400 KB
	// at most, and what is kept besides is small.
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
	mostOfRow = 390 << 10
	// sequenceDigits are as many as DynamoDB's sequence numbers have.
	// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
	sequenceDigits = 40
	// notKept stands for an image that is too large to be kept.
	notKept = "too large"
)

type rowChangeItem struct {
	Partition string    `dynamodbav:"gateway"`
	Item      string    `dynamodbav:"item"`
	Scope     string    `dynamodbav:"scope"`
	Grant     string    `dynamodbav:"grant"`
	At        time.Time `dynamodbav:"at,omitempty"`
	Sequence  string    `dynamodbav:"sequence"`
	Was       string    `dynamodbav:"was,omitempty"`
	Is        string    `dynamodbav:"is,omitempty"`
	By        string    `dynamodbav:"by,omitempty"`
	Expiry    int64     `dynamodbav:"ttl"`
}

// RowChangeItem is a change of a row. The same change is the same item, however often
// the stream delivers it, and items sort by time, those of a row by its changes. Of a
// row that is too large to be kept, the change is.
func RowChangeItem(change grant.RowChange) Item {
	if len(change.Was)+len(change.Is) > mostOfRow && change.Is != "" {
		change.Is = notKept
	}
	if len(change.Was) > mostOfRow {
		change.Was = notKept
	}
	number := strings.Repeat("0", max(0, sequenceDigits-len(change.Sequence))) + change.Sequence
	return marshal(rowChangeItem{
		Partition: RowChangesPartition, Item: Moment(change.At) + "#" + number,
		Scope: change.Gateway, Grant: change.ID, At: change.At, Sequence: change.Sequence,
		Was: change.Was, Is: change.Is, By: change.By, Expiry: change.At.Add(JournalFor).Unix(),
	})
}

// ParseRowChanges reads items of the RowChangesPartition.
func ParseRowChanges(items []Item) ([]grant.RowChange, error) {
	changes := make([]grant.RowChange, len(items))
	for i, item := range items {
		var read rowChangeItem
		if err := unmarshal(item, &read); err != nil {
			return nil, fmt.Errorf("item %q of the state table: %w", StatesLayout.Of(item).Sort, err)
		}
		changes[i] = grant.RowChange{
			Key: grant.Key{Gateway: read.Scope, ID: read.Grant}, At: read.At, Sequence: read.Sequence,
			Was: canonical(read.Was), Is: canonical(read.Is), By: read.By,
		}
	}
	return changes, nil
}

type removalItem struct {
	Partition string    `dynamodbav:"gateway"`
	Item      string    `dynamodbav:"item"`
	At        time.Time `dynamodbav:"at,omitempty"`
	Removed   int       `dynamodbav:"removed"`
	Rows      int       `dynamodbav:"rows"`
	Expiry    int64     `dynamodbav:"ttl"`
}

// RemovalKey is the key of the last mass removal.
func RemovalKey() Key { return Key{Partition: RemovalPartition, Sort: "last"} }

// RemovalItem is the last mass removal.
func RemovalItem(removal grant.MassRemoval) Item {
	key := RemovalKey()
	return marshal(removalItem{
		Partition: key.Partition, Item: key.Sort, At: removal.At, Removed: removal.Removed, Rows: removal.Rows,
		Expiry: removal.At.Add(JournalFor).Unix(),
	})
}

// ParseRemoval reads the item of the last mass removal; no items are none.
func ParseRemoval(items []Item) (grant.MassRemoval, error) {
	var read removalItem
	for _, item := range items {
		if err := unmarshal(item, &read); err != nil {
			return grant.MassRemoval{}, fmt.Errorf("item %q of the state table: %w", StatesLayout.Of(item).Sort, err)
		}
	}
	return grant.MassRemoval{At: read.At, Removed: read.Removed, Rows: read.Rows}, nil
}

// RowText is an item of the grants table as DynamoDB writes it in JSON, the same text
// for the same item.
func RowText(item Item) string {
	text, err := json.Marshal(typedMap(item))
	if err != nil {
		panic(fmt.Sprintf("write an item as JSON: %v", err)) // it has only text, numbers and lists
	}
	return string(text)
}

// canonical is the text of an item as RowText has it; a text that is none stays.
func canonical(text string) string {
	item, err := RowItem(text)
	if err != nil || text == "" {
		return text
	}
	return RowText(item)
}

// typed is a value in DynamoDB's JSON. What is a set has no order, and is sorted.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
func typed(value types.AttributeValue) map[string]any {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}
	case *types.AttributeValueMemberBOOL:
		return map[string]any{"BOOL": v.Value}
	case *types.AttributeValueMemberB:
		return map[string]any{"B": v.Value}
	case *types.AttributeValueMemberSS:
		return map[string]any{"SS": slices.Sorted(slices.Values(v.Value))}
	case *types.AttributeValueMemberNS:
		return map[string]any{"NS": slices.Sorted(slices.Values(v.Value))}
	case *types.AttributeValueMemberBS:
		return map[string]any{"BS": slices.SortedFunc(slices.Values(v.Value), slices.Compare)}
	case *types.AttributeValueMemberM:
		return map[string]any{"M": typedMap(v.Value)}
	case *types.AttributeValueMemberL:
		list := make([]any, len(v.Value))
		for i, element := range v.Value {
			list[i] = typed(element)
		}
		return map[string]any{"L": list}
	default:
		return map[string]any{"NULL": true}
	}
}

func typedMap(item Item) map[string]any {
	all := make(map[string]any, len(item))
	for name, value := range item {
		all[name] = typed(value)
	}
	return all
}

// RowItem reads what RowText, or a stream, wrote.
func RowItem(text string) (Item, error) {
	var images map[string]imageValue
	if err := json.Unmarshal([]byte(text), &images); err != nil {
		return nil, fmt.Errorf("read a row as it was: %w", err)
	}
	return itemOf(images)
}

// imageValue is a value in DynamoDB's JSON.
type imageValue struct {
	S    *string                `json:"S"`
	N    *string                `json:"N"`
	BOOL *bool                  `json:"BOOL"`
	NULL *bool                  `json:"NULL"`
	B    *[]byte                `json:"B"`
	SS   []string               `json:"SS"`
	NS   []string               `json:"NS"`
	BS   [][]byte               `json:"BS"`
	M    *map[string]imageValue `json:"M"`
	L    *[]imageValue          `json:"L"`
}

func (v imageValue) value() (types.AttributeValue, error) {
	switch {
	case v.S != nil:
		return S(*v.S), nil
	case v.N != nil:
		return &types.AttributeValueMemberN{Value: *v.N}, nil
	case v.BOOL != nil:
		return &types.AttributeValueMemberBOOL{Value: *v.BOOL}, nil
	case v.NULL != nil:
		return &types.AttributeValueMemberNULL{Value: *v.NULL}, nil
	case v.B != nil:
		return &types.AttributeValueMemberB{Value: *v.B}, nil
	case v.SS != nil:
		return &types.AttributeValueMemberSS{Value: v.SS}, nil
	case v.NS != nil:
		return &types.AttributeValueMemberNS{Value: v.NS}, nil
	case v.BS != nil:
		return &types.AttributeValueMemberBS{Value: v.BS}, nil
	case v.M != nil:
		item, err := itemOf(*v.M)
		return &types.AttributeValueMemberM{Value: item}, err
	case v.L != nil:
		list := make([]types.AttributeValue, len(*v.L))
		for i, element := range *v.L {
			var err error
			if list[i], err = element.value(); err != nil {
				return nil, err
			}
		}
		return &types.AttributeValueMemberL{Value: list}, nil
	default:
		return nil, fmt.Errorf("it holds a value of no type that DynamoDB has")
	}
}

func itemOf(images map[string]imageValue) (Item, error) {
	item := make(Item, len(images))
	for _, name := range slices.Sorted(maps.Keys(images)) {
		value, err := images[name].value()
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		item[name] = value
	}
	return item, nil
}

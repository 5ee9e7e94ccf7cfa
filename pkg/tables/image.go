package tables

import (
	"slices"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// Image is an item as a record of a table's stream holds it.
type Image = map[string]events.DynamoDBAttributeValue

// ToImage writes an item as a stream's record holds it.
func ToImage(item Item) Image {
	image := make(Image, len(item))
	for name, value := range item {
		image[name] = toImage(value)
	}
	return image
}

func toImage(value types.AttributeValue) events.DynamoDBAttributeValue {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return events.NewStringAttribute(v.Value)
	case *types.AttributeValueMemberN:
		return events.NewNumberAttribute(v.Value)
	case *types.AttributeValueMemberBOOL:
		return events.NewBooleanAttribute(v.Value)
	case *types.AttributeValueMemberB:
		return events.NewBinaryAttribute(slices.Clone(v.Value))
	case *types.AttributeValueMemberSS:
		return events.NewStringSetAttribute(slices.Clone(v.Value))
	case *types.AttributeValueMemberNS:
		return events.NewNumberSetAttribute(slices.Clone(v.Value))
	case *types.AttributeValueMemberBS:
		return events.NewBinarySetAttribute(slices.Clone(v.Value))
	case *types.AttributeValueMemberM:
		return events.NewMapAttribute(ToImage(v.Value))
	case *types.AttributeValueMemberL:
		list := make([]events.DynamoDBAttributeValue, len(v.Value))
		for i, element := range v.Value {
			list[i] = toImage(element)
		}
		return events.NewListAttribute(list)
	default:
		return events.NewNullAttribute()
	}
}

// FromImage reads an item from a stream's record.
func FromImage(image Image) Item {
	item := make(Item, len(image))
	for name, value := range image {
		item[name] = fromImage(value)
	}
	return item
}

func fromImage(value events.DynamoDBAttributeValue) types.AttributeValue {
	switch value.DataType() {
	case events.DataTypeString:
		return S(value.String())
	case events.DataTypeNumber:
		return &types.AttributeValueMemberN{Value: value.Number()}
	case events.DataTypeBoolean:
		return &types.AttributeValueMemberBOOL{Value: value.Boolean()}
	case events.DataTypeBinary:
		return fromBinary(value)
	case events.DataTypeStringSet:
		return &types.AttributeValueMemberSS{Value: slices.Clone(value.StringSet())}
	case events.DataTypeNumberSet:
		return &types.AttributeValueMemberNS{Value: slices.Clone(value.NumberSet())}
	case events.DataTypeBinarySet:
		return &types.AttributeValueMemberBS{Value: slices.Clone(value.BinarySet())}
	case events.DataTypeMap:
		return &types.AttributeValueMemberM{Value: FromImage(value.Map())}
	case events.DataTypeList:
		elements := value.List()
		list := make([]types.AttributeValue, len(elements))
		for i, element := range elements {
			list[i] = fromImage(element)
		}
		return &types.AttributeValueMemberL{Value: list}
	case events.DataTypeNull:
	}
	return &types.AttributeValueMemberNULL{Value: true}
}

// fromBinary knows that the zero attribute, which an empty JSON object decodes
// to, says that it is binary and holds nothing.
func fromBinary(value events.DynamoDBAttributeValue) types.AttributeValue {
	if value.IsNull() {
		return &types.AttributeValueMemberNULL{Value: true}
	}
	return &types.AttributeValueMemberB{Value: slices.Clone(value.Binary())}
}

// AccountChange reads what a record of the accounts table's stream says about an
// account: nil stands for no such account. It is false for a record of something
// else that the table keeps, memberships above all.
func AccountChange(record events.DynamoDBEventRecord) (before, after *directory.Account, about bool, err error) {
	if !IsAccount(AccountsLayout.Of(FromImage(record.Change.Keys))) {
		return nil, nil, false, nil
	}
	if before, err = accountIn(record.Change.OldImage); err != nil {
		return nil, nil, true, err
	}
	after, err = accountIn(record.Change.NewImage)
	return before, after, true, err
}

func accountIn(image Image) (*directory.Account, error) {
	if len(image) == 0 {
		return nil, nil
	}
	account, err := ParseAccount(FromImage(image))
	if err != nil {
		return nil, err
	}
	return &account, nil
}

package memory

import (
	"slices"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// image is an item as a record of a stream holds it.
func image(item store.Item) map[string]events.DynamoDBAttributeValue {
	written := make(map[string]events.DynamoDBAttributeValue, len(item))
	for name, value := range item {
		written[name] = imageValue(value)
	}
	return written
}

func imageValue(value types.AttributeValue) events.DynamoDBAttributeValue {
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
		return events.NewMapAttribute(image(v.Value))
	case *types.AttributeValueMemberL:
		list := make([]events.DynamoDBAttributeValue, len(v.Value))
		for i, element := range v.Value {
			list[i] = imageValue(element)
		}
		return events.NewListAttribute(list)
	default:
		return events.NewNullAttribute()
	}
}

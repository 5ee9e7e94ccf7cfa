package store

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// transactionBytes is how much of items is written in one transaction. It may be
// 4 MB, but what an update adds to may count as well, and be as much again.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
const transactionBytes = 2 << 20

// fitting is how many of the writes, from the first on, one transaction takes
// beside others.
func fitting(writes, beside []types.TransactWriteItem) int {
	bytes := 0
	for _, write := range beside {
		bytes += sizeOf(write)
	}
	for i, write := range writes {
		bytes += sizeOf(write)
		if i == transactionItems-len(beside) || i > 0 && bytes > transactionBytes {
			return i
		}
	}
	return len(writes)
}

// sizeOf is about what a write counts, and no less than what it brings.
func sizeOf(write types.TransactWriteItem) int {
	switch {
	case write.Put != nil:
		return sizeOfItem(write.Put.Item)
	case write.Update != nil:
		bytes := sizeOfItem(write.Update.Key) + sizeOfItem(write.Update.ExpressionAttributeValues)
		for _, name := range write.Update.ExpressionAttributeNames {
			bytes += len(name)
		}
		return bytes
	case write.Delete != nil:
		return sizeOfItem(write.Delete.Key)
	default:
		return 0
	}
}

func sizeOfItem(item Item) int {
	bytes := 0
	for name, value := range item {
		bytes += len(name) + sizeOfValue(value)
	}
	return bytes
}

// sizeOfValue is what a value counts, as far as the state table has its kind.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func sizeOfValue(value types.AttributeValue) int {
	bytes := 3
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return len(v.Value)
	case *types.AttributeValueMemberSS:
		for _, member := range v.Value {
			bytes += len(member)
		}
	case *types.AttributeValueMemberL:
		for _, element := range v.Value {
			bytes += 1 + sizeOfValue(element)
		}
	case *types.AttributeValueMemberM:
		bytes += sizeOfItem(v.Value)
	}
	return bytes
}

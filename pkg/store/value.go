package store

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// What an item can hold beyond what JSON has. A number is a json.Number, which
// keeps its text, and a binary value a []byte.
type (
	// StringSet is a set of text.
	StringSet []string
	// NumberSet is a set of numbers.
	NumberSet = grant.NumberSet
	// BinarySet is a set of binary values.
	BinarySet = grant.BinarySet
)

// Plain is a value as encoding/json would decode it: text, numbers, booleans,
// nil, lists and maps. A set of text is a list of text, sorted, because an admin
// may write either; the other sets and binary values keep a type of their own.
func Plain(value types.AttributeValue) any {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return json.Number(v.Value)
	case *types.AttributeValueMemberBOOL:
		return v.Value
	case *types.AttributeValueMemberNULL:
		return nil
	case *types.AttributeValueMemberL:
		list := make([]any, len(v.Value))
		for i, element := range v.Value {
			list[i] = Plain(element)
		}
		return list
	case *types.AttributeValueMemberM:
		return PlainMap(v.Value)
	case *types.AttributeValueMemberSS:
		return plainTexts(v.Value)
	case *types.AttributeValueMemberNS:
		numbers := make(NumberSet, len(v.Value))
		for i, number := range v.Value {
			numbers[i] = json.Number(number)
		}
		slices.Sort(numbers)
		return numbers
	case *types.AttributeValueMemberB:
		return slices.Clone(v.Value)
	case *types.AttributeValueMemberBS:
		set := make(BinarySet, len(v.Value))
		for i, element := range v.Value {
			set[i] = slices.Clone(element)
		}
		return set
	default:
		return v // a kind that DynamoDB adds one day: the parser rejects it
	}
}

// PlainMap is Plain for each attribute of an item.
func PlainMap(item Item) map[string]any {
	plain := make(map[string]any, len(item))
	for name, value := range item {
		plain[name] = Plain(value)
	}
	return plain
}

func plainTexts(set []string) []any {
	sorted := slices.Sorted(slices.Values(set))
	list := make([]any, len(sorted))
	for i, element := range sorted {
		list[i] = element
	}
	return list
}

// FromPlain is the opposite of Plain. It fails on a Go type that no attribute
// can hold.
func FromPlain(value any) (types.AttributeValue, error) {
	switch v := value.(type) {
	case string:
		return S(v), nil
	case json.Number:
		return &types.AttributeValueMemberN{Value: v.String()}, nil
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}, nil
	case nil:
		return &types.AttributeValueMemberNULL{Value: true}, nil
	case []byte:
		return &types.AttributeValueMemberB{Value: slices.Clone(v)}, nil
	case StringSet:
		return &types.AttributeValueMemberSS{Value: slices.Sorted(slices.Values(v))}, nil
	case NumberSet:
		return numberSet(v), nil
	case BinarySet:
		return &types.AttributeValueMemberBS{Value: slices.Clone(v)}, nil
	case []string:
		return listOf(v)
	case []any:
		return listOf(v)
	case map[string]string:
		return mapOf(v)
	case map[string]any:
		return mapOf(v)
	default:
		return nil, fmt.Errorf("a value of type %T is no text, number, boolean, list or map", value)
	}
}

func numberSet(numbers NumberSet) types.AttributeValue {
	texts := make([]string, len(numbers))
	for i, number := range numbers {
		texts[i] = number.String()
	}
	return &types.AttributeValueMemberNS{Value: texts}
}

func listOf[E any](list []E) (types.AttributeValue, error) {
	values := make([]types.AttributeValue, len(list))
	for i, element := range list {
		value, err := FromPlain(element)
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return &types.AttributeValueMemberL{Value: values}, nil
}

func mapOf[E any](plain map[string]E) (types.AttributeValue, error) {
	item, err := FromPlainMap(plain)
	return &types.AttributeValueMemberM{Value: item}, err
}

// FromPlainMap is FromPlain for each of a map's values.
func FromPlainMap[E any](plain map[string]E) (Item, error) {
	item := make(Item, len(plain))
	for name, element := range plain {
		value, err := FromPlain(element)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		item[name] = value
	}
	return item, nil
}

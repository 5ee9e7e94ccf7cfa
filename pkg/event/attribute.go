package event

import (
	"encoding/json"
	"fmt"
)

// plain is a DynamoDB value as encoding/json would decode it: text, lists and
// maps. Whatever else there is becomes nil, which no reader takes for text.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
func plain(raw json.RawMessage, depth int) (any, error) {
	const deepest = 32 // https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
	if depth > deepest {
		return nil, fmt.Errorf("nested deeper than the %d levels of DynamoDB", deepest)
	}
	var value struct {
		S  *string                    `json:"S"`
		SS []any                      `json:"SS"`
		L  []json.RawMessage          `json:"L"`
		M  map[string]json.RawMessage `json:"M"`
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil, fmt.Errorf("no value of DynamoDB: %w", err)
	}
	switch {
	case value.S != nil:
		return *value.S, nil
	case value.SS != nil:
		return value.SS, nil
	case value.L != nil:
		list := make([]any, len(value.L))
		for i, element := range value.L {
			var err error
			if list[i], err = plain(element, depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	case value.M != nil:
		object := make(map[string]any, len(value.M))
		for name, element := range value.M {
			var err error
			if object[name], err = plain(element, depth+1); err != nil {
				return nil, err
			}
		}
		return object, nil
	default:
		return nil, nil
	}
}

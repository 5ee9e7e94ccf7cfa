package handler

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// record is one record of a table's stream, as far as it is looked at. Records
// are decoded one by one, and their images only where needed, so that an odd
// one is the only one lost.
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
type record struct {
	EventName string `json:"eventName"`
	Stream    string `json:"eventSourceARN"`
	Change    struct {
		Sequence string `json:"SequenceNumber"`
		Created  any    `json:"ApproximateCreationDateTime"` // seconds since 1970; only measured by
		Keys     image  `json:"Keys"`
		New      image  `json:"NewImage"`
		Old      image  `json:"OldImage"`
	} `json:"dynamodb"`
}

type image map[string]json.RawMessage

// parseRecord reads a record. One without a sequence number could never be
// reported as failed, and no stream has such.
func parseRecord(raw json.RawMessage) (record, error) {
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return record{}, fmt.Errorf("read a stream record: %w", err)
	}
	if r.Change.Sequence == "" {
		return record{}, errors.New("read a stream record: it has no SequenceNumber")
	}
	return r, nil
}

// created is when the change was made; zero where the record does not say.
func (r record) created() time.Time {
	const end = 1 << 33 // in the year 2242; what is later is no time of ours
	seconds, ok := r.Change.Created.(float64)
	if !ok || seconds <= 0 || seconds >= end {
		return time.Time{}
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC()
}

// table is the name in a stream's ARN:
// arn:aws:dynamodb:us-east-1:111122223333:table/NAME/stream/2026-11-20T09:00:00.000
func (r record) table() string {
	_, rest, _ := strings.Cut(r.Stream, ":table/")
	name, _, _ := strings.Cut(rest, "/stream/")
	return name
}

// grantKey is the key of the changed row of the grants table. A key never
// changes, so wherever it stands it is the same.
func (r record) grantKey() (grant.Key, error) {
	gateway, err := r.key(grant.AttrGateway)
	if err != nil {
		return grant.Key{}, err
	}
	id, err := r.key(grant.AttrGrant)
	return grant.Key{Gateway: gateway, ID: id}, err
}

// sameGrant tells whether the row says after the change what it said before:
// only attributes that AWS adds are new, changed or gone. Where an image is
// missing, it may have changed.
func (r record) sameGrant() bool {
	before, knownBefore := r.Change.Old.written()
	after, knownAfter := r.Change.New.written()
	return knownBefore && knownAfter && reflect.DeepEqual(before, after)
}

// written is what an admin wrote of a row, as JSON has it.
func (i image) written() (attributes map[string]any, known bool) {
	attributes = make(map[string]any, len(i))
	for name, raw := range i {
		if grant.ReservedAttribute(name) {
			continue
		}
		var value any
		if json.Unmarshal(raw, &value) != nil {
			return nil, false
		}
		attributes[name] = value
	}
	return attributes, len(i) > 0
}

func (r record) key(name string) (string, error) {
	for _, image := range []image{r.Change.Keys, r.Change.New, r.Change.Old} {
		raw, ok := image[name]
		if !ok {
			continue
		}
		value, err := plain(raw, 0)
		if err != nil {
			return "", fmt.Errorf("read attribute %s of record %s: %w", name, clip(r.Change.Sequence), err)
		}
		text, ok := value.(string)
		if !ok {
			return "", fmt.Errorf("read attribute %s of record %s: it is no string", name, clip(r.Change.Sequence))
		}
		return text, nil
	}
	return "", fmt.Errorf("read attribute %s of record %s: it is missing", name, clip(r.Change.Sequence))
}

// The keys of an account's own item in the accounts table. The items that make
// an account findable by unit or tag say nothing that this one does not.
const (
	accountPartition = "ACCOUNT#"
	accountSort      = "ACCOUNT"
)

// account is the account before and after the change, or false where the record
// is about something else in the accounts table.
func (r record) account() (before, after *directory.Account, ok bool, err error) {
	partition, err := r.key("pk")
	if err != nil {
		return nil, nil, false, err
	}
	sort, err := r.key("sk")
	if err != nil {
		return nil, nil, false, err
	}
	id, isAccount := strings.CutPrefix(partition, accountPartition)
	if !isAccount || sort != accountSort {
		return nil, nil, false, nil
	}
	if before, err = r.Change.Old.account(id); err != nil {
		return nil, nil, false, fmt.Errorf("read the old image of record %s: %w", clip(r.Change.Sequence), err)
	}
	if after, err = r.Change.New.account(id); err != nil {
		return nil, nil, false, fmt.Errorf("read the new image of record %s: %w", clip(r.Change.Sequence), err)
	}
	if before == nil && after == nil {
		return nil, nil, false, fmt.Errorf("record %s holds no image of account %s: the stream's view must be NEW_AND_OLD_IMAGES", clip(r.Change.Sequence), clip(id))
	}
	return before, after, true, nil
}

// account reads an image; nil stands for no such account.
func (i image) account(id string) (*directory.Account, error) {
	if len(i) == 0 {
		return nil, nil
	}
	item := make(directory.Attributes, len(i))
	for name, raw := range i {
		value, err := plain(raw, 0)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", clip(name), err)
		}
		item[name] = value
	}
	account, err := directory.ParseItem(id, item)
	if err != nil {
		return nil, err
	}
	return &account, nil
}

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

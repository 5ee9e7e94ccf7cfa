package event

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Tables are the names of the tables whose streams are read.
type Tables struct{ Grants, Accounts string }

// Record is a change of an item in one of the tables. Where none of Grant, Account and
// List is set, it concerns no access.
type Record struct {
	Sequence string    // by which the stream knows it
	At       time.Time // when the item changed; zero where the record does not say
	Grant    *GrantChange
	Account  *AccountChange
	List     *ListChange
	Row      *grant.RowChange // of any row but the sentinel, one for a gateway that is none included; nil where an admin's words are the same
}

// GrantChange is a change of a row for one gateway or, if Every, for all managed
// ones.
type GrantChange struct {
	Gateway grant.Gateway // the zero Gateway if Every
	Every   bool
	ID      string // of the grant
	Verb    string // added, changed or removed
}

// AccountChange is an account before and after a change; nil where there was or is
// none, but never both.
type AccountChange struct {
	Before, After *directory.Account
}

// ListChange is a change of an account's place on a list.
type ListChange struct {
	List    directory.Topic // TopicTrusted or TopicOwner
	Account string          // 12-digit id
	Verb    string          // added, changed or removed
}

// Records takes the batch apart that Lambda makes of a stream's records. It fails
// with CodeUnreadable where there are none.
func Records(payload []byte) ([]json.RawMessage, error) {
	var batch struct {
		Records []json.RawMessage `json:"Records"`
	}
	if err := json.Unmarshal(payload, &batch); err != nil || len(batch.Records) == 0 {
		return nil, &grant.Error{Code: CodeUnreadable, Op: "read stream records", Hint: "the payload holds none: check the event source mapping", Err: err}
	}
	return batch.Records, nil
}

// ParseRecord reads one record. Records are read one by one, so that one that is
// malformed is the only one lost. It fails with CodeMalformed.
func ParseRecord(raw []byte, tables Tables) (Record, error) {
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return Record{}, r.malformed("it has not the form of a stream record", err)
	}
	if r.Change.Sequence == "" { // it could not be reported as failed, and no stream has such
		return Record{}, r.malformed("it has no SequenceNumber", nil)
	}
	parsed := Record{Sequence: r.Change.Sequence, At: r.created()}
	var err error
	switch r.table() {
	case tables.Grants:
		if parsed.Grant = r.approval(); parsed.Grant != nil {
			break
		}
		if parsed.Row, err = r.row(); parsed.Row != nil {
			parsed.Grant, err = r.grant()
		}
	case tables.Accounts:
		if parsed.List, err = r.list(); parsed.List == nil && err == nil {
			parsed.Account, err = r.account()
		}
	default:
		err = r.malformed("it is of another table, "+OneLine(r.Stream)+": check the names of the tables", nil)
	}
	return parsed, err
}

// record is one record of a table's stream, as far as it is read. Images are
// decoded only where needed.
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
type record struct {
	EventName string `json:"eventName"`
	Identity  struct {
		Principal string `json:"principalId"` // only of what DynamoDB did by itself
	} `json:"userIdentity"`
	Stream string `json:"eventSourceARN"`
	Change struct {
		Sequence string `json:"SequenceNumber"`
		Created  any    `json:"ApproximateCreationDateTime"` // seconds since 1970; only measured by
		Keys     image  `json:"Keys"`
		New      image  `json:"NewImage"`
		Old      image  `json:"OldImage"`
	} `json:"dynamodb"`
}

type image map[string]json.RawMessage

func (r record) malformed(hint string, cause error) error {
	return &grant.Error{Code: CodeMalformed, Op: "read stream record " + OneLine(r.Change.Sequence), Hint: hint, Err: cause}
}

// created is when the change was made; zero where the record does not say.
func (r record) created() time.Time {
	const end = 1 << 33 // in the year 2242; a later time is taken for none
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

// sentinel is the row that proves a read. It is no grant.
var sentinel = grant.Key{Gateway: grant.EveryGateway, ID: grant.SentinelID}

// row is the change of a row; nil where what an admin wrote is the same, and of the
// sentinel.
func (r record) row() (*grant.RowChange, error) {
	key, err := r.grantKey()
	if err != nil || key == sentinel || key.Gateway == grant.ApprovalsScope || r.sameGrant() {
		return nil, err
	}
	change := &grant.RowChange{Key: key, At: r.created(), Sequence: r.Change.Sequence, By: r.Identity.Principal}
	if change.Was, err = r.Change.Old.text(); err != nil {
		return nil, r.malformed("its old image is no item", err)
	}
	if change.Is, err = r.Change.New.text(); err != nil {
		return nil, r.malformed("its new image is no item", err)
	}
	return change, nil
}

// approval is the gateway about which an admin approved something; nil where the change
// is of no such approval.
func (r record) approval() *GrantChange {
	key, err := r.grantKey()
	if err != nil || key.Gateway != grant.ApprovalsScope {
		return nil
	}
	gateway, is := grant.GatewayOfApproval(key.ID)
	if !is || r.EventName == "REMOVE" {
		return nil
	}
	return &GrantChange{Gateway: gateway, ID: key.ID, Verb: "approved"}
}

// text is the image as it is, in JSON; "" for none.
func (i image) text() (string, error) {
	if len(i) == 0 {
		return "", nil
	}
	text, err := json.Marshal(i)
	return string(text), err
}

// grant is what the change of a row concerns. A row for a gateway that is no ARN is
// malformed: it is Invalid and gives no access.
func (r record) grant() (*GrantChange, error) {
	key, err := r.grantKey()
	if err != nil {
		return nil, err
	}
	change := &GrantChange{ID: key.ID, Verb: r.verb()}
	if key.Gateway == grant.EveryGateway {
		change.Every = true
		return change, nil
	}
	if change.Gateway, err = grant.ParseGateway(key.Gateway); err != nil {
		return nil, r.malformed("grant "+OneLine(key.ID)+" is for a gateway that is none", err)
	}
	return change, nil
}

// verb is what happened to the item, in a word.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
func (r record) verb() string {
	switch r.EventName {
	case "INSERT":
		return "added"
	case "REMOVE":
		return "removed"
	default:
		return "changed"
	}
}

// grantKey is the key of the changed row. A key never changes, so it is the same
// in the keys and in each image.
func (r record) grantKey() (grant.Key, error) {
	gateway, err := r.key(grant.AttrGateway)
	if err != nil {
		return grant.Key{}, err
	}
	id, err := r.key(grant.AttrGrant)
	return grant.Key{Gateway: gateway, ID: id}, err
}

// sameGrant reports whether the row means the same after the change as before:
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
			return "", r.malformed("attribute "+name+" has no value of DynamoDB", err)
		}
		text, ok := value.(string)
		if !ok {
			return "", r.malformed("attribute "+name+" is no string", nil)
		}
		return text, nil
	}
	return "", r.malformed("attribute "+name+" is missing", nil)
}

// The keys of an account's own item in the accounts table. The items that make
// an account findable by unit or tag say nothing that this one does not.
const (
	accountPartition = "ACCOUNT#"
	accountSort      = "ACCOUNT"
)

// list is the change of an account's place on a list; nil where the record is about
// something else in the accounts table.
func (r record) list() (*ListChange, error) {
	partition, err := r.key("pk")
	if err != nil {
		return nil, err
	}
	id, err := r.key("sk")
	if list := directory.Topic(partition); err == nil && accountID.MatchString(id) && (list == directory.TopicTrusted || list == directory.TopicOwner) {
		return &ListChange{List: list, Account: id, Verb: r.verb()}, nil
	}
	return nil, err
}

// account is the change of an account; nil where the record is about something
// else in the accounts table.
func (r record) account() (*AccountChange, error) {
	partition, err := r.key("pk")
	if err != nil {
		return nil, err
	}
	sort, err := r.key("sk")
	if err != nil {
		return nil, err
	}
	id, isAccount := strings.CutPrefix(partition, accountPartition)
	if !isAccount || sort != accountSort {
		return nil, nil
	}
	var change AccountChange
	if change.Before, err = r.Change.Old.account(id); err != nil {
		return nil, r.malformed("its old image is no account", err)
	}
	if change.After, err = r.Change.New.account(id); err != nil {
		return nil, r.malformed("its new image is no account", err)
	}
	if change.Before == nil && change.After == nil {
		return nil, r.malformed("it holds no image of account "+OneLine(id)+": the stream's view must be NEW_AND_OLD_IMAGES", nil)
	}
	return &change, nil
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
			return nil, fmt.Errorf("attribute %s: %w", OneLine(name), err)
		}
		item[name] = value
	}
	account, err := directory.ParseItem(id, item)
	if err != nil {
		return nil, err
	}
	return &account, nil
}

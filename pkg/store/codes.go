package store

import (
	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// Why a table could not be read or written, beyond the codes of package
// reconcile.
const (
	CodeNoSentinel     grant.Code = "NoSentinel"     // what was read does not prove to be the grants table
	CodeNoListSentinel grant.Code = "NoListSentinel" // what was read does not prove to be the list
	CodeListChanged    grant.Code = "ListChanged"    // the list is not what it was when it was read
	CodeGrantExists    grant.Code = "GrantExists"    // a row with this key is there already
	CodeRowChanged     grant.Code = "RowChanged"     // the row is not what it was when it was shown
	CodeBadRow         grant.Code = "BadRow"         // the row cannot be written as an item
	CodeWriteFailed    grant.Code = "WriteFailed"    // something could not be recorded
)

// NoSentinel is the failure of a read that did not find the sentinel row.
func NoSentinel(table string) error {
	return &grant.Error{
		Code: CodeNoSentinel,
		Op:   "read table " + table,
		Hint: "the row gateway * grant " + grant.SentinelID + " is missing, so this may not be the grants table and nothing is decided on it: check GRANTS_TABLE, or put the row back with `make deploy`",
	}
}

// NoListSentinel is the failure of a read of a list that did not find its sentinel.
func NoListSentinel(table string, list directory.Topic) error {
	return &grant.Error{
		Code: CodeNoListSentinel,
		Op:   "read list " + string(list) + " in table " + table,
		Hint: "the item pk " + string(list) + " sk " + directory.ListSentinelID + " is missing, so this may not be the list and no access is removed because of it: check ACCOUNTS_TABLE, or put the item back with `make deploy`",
	}
}

// ListChanged refuses to write a list that is not what was read.
func ListChanged(list directory.Topic) error {
	return &grant.Error{
		Code: CodeListChanged,
		Op:   "change list " + string(list),
		Hint: "another writer changed the list meanwhile, and it stays as it is now: look at it, and repeat the command",
	}
}

// VersionConflict refuses to record on top of another version than was loaded.
func VersionConflict(table, op string) error {
	return &grant.Error{
		Code: ledger.CodeVersionConflict,
		Op:   op + " in table " + table,
		Hint: "another run recorded something about the gateway since it was read: read it again and decide again",
	}
}

// GrantExists refuses to write over a row that was to be new.
func GrantExists(key grant.Key) error {
	return &grant.Error{
		Code: CodeGrantExists,
		Op:   "put grant " + key.String(),
		Hint: "there is such a row already: choose another id, or replace it knowingly",
	}
}

// RowChanged refuses to write over a row that is not what was shown.
func RowChanged(key grant.Key) error {
	return &grant.Error{
		Code: CodeRowChanged,
		Op:   "change grant " + key.String(),
		Hint: "the row was changed since it was read, and stays as it is now: look at it, and repeat the command",
	}
}

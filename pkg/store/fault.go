package store

import (
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// unread says that something could not be read completely.
func unread(table, op string, err error) error {
	return fault(reconcile.CodeReadFailed, table, op, err)
}

// unwritten says that something could not be written, or not surely.
func unwritten(table, op string, err error) error {
	return fault(CodeWriteFailed, table, op, err)
}

// The errors of DynamoDB, and which of them the SDK has tried again by itself:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
var answers = map[string]struct {
	code grant.Code
	hint string
}{
	"ThrottlingException":                    {reconcile.CodeThrottled, "DynamoDB asks to slow down: it is tried again later"},
	"ProvisionedThroughputExceededException": {reconcile.CodeThrottled, "the table's capacity is used up: it is tried again later; on-demand tables grow by themselves"},
	"RequestLimitExceeded":                   {reconcile.CodeThrottled, "the account's capacity in this region is used up: it is tried again later; ask AWS for more if it stays so"},
	"AccessDeniedException":                  {reconcile.CodeAccessDenied, "give this role the permission that the cause names"},
	"UnrecognizedClientException":            {reconcile.CodeAccessDenied, "AWS does not know these credentials: check the profile"},
	"ExpiredTokenException":                  {reconcile.CodeAccessDenied, "the credentials have expired: sign in again"},
	"ResourceNotFoundException":              {"", "there is no such table here: check the table's name, the account and the region"},
}

func fault(code grant.Code, table, op string, err error) error {
	failure := &grant.Error{Code: code, Op: op + " in table " + table, Err: err}
	for _, name := range namesOf(err) {
		answer, known := answers[name]
		if !known {
			continue
		}
		failure.Hint = answer.hint
		if answer.code != "" {
			failure.Code = answer.code
		}
		break
	}
	return failure
}

// namesOf lists how DynamoDB names the failure: for a transaction, why it was
// cancelled.
func namesOf(err error) []string {
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		var names []string
		for _, reason := range cancelled.CancellationReasons {
			if reason.Code != nil {
				// A reason is named as the exception is, but for its ending.
				names = append(names, transactionReasons[*reason.Code], *reason.Code)
			}
		}
		return names
	}
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		return []string{answer.ErrorCode()}
	}
	return nil
}

// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
var transactionReasons = map[string]string{
	"ThrottlingError":               "ThrottlingException",
	"ProvisionedThroughputExceeded": "ProvisionedThroughputExceededException",
	"AccessDenied":                  "AccessDeniedException",
}

// refused reports whether a condition did not hold.
func refused(err error) bool {
	_, failed := errors.AsType[*types.ConditionalCheckFailedException](err)
	return failed
}

// failed reports whether a condition of a transaction did not hold.
func failed(err error) bool {
	cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
	return ok && slices.ContainsFunc(cancelled.CancellationReasons, func(reason types.CancellationReason) bool {
		return reason.Code != nil && *reason.Code == "ConditionalCheckFailed"
	})
}

// standing is the item that a refused write found in its place.
func standing(err error) Item {
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return failed.Item
	}
	return nil
}

// lost reports whether another writer was there first: a caller that reads again may
// try again.
func lost(err error) bool {
	if _, conflict := errors.AsType[*types.TransactionConflictException](err); conflict || refused(err) {
		return true
	}
	cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return false
	}
	for _, reason := range cancelled.CancellationReasons {
		switch code := reason.Code; {
		case code == nil, *code == "None":
		case *code != "ConditionalCheckFailed" && *code != "TransactionConflict":
			return false
		}
	}
	return true
}

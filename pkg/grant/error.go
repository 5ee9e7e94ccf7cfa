package grant

import "errors"

// Code names a reason in a form that programs, alarms and searches can rely
// on. Codes never change their meaning.
type Code string

// Why a row is no grant.
const (
	CodeUnknownAttribute Code = "UnknownAttribute"
	CodeWrongType        Code = "WrongType"
	CodeInvalidGateway   Code = "InvalidGateway"
	CodeInvalidID        Code = "InvalidGrantID"
	CodeNoPrincipal      Code = "NoPrincipal"
	CodeInvalidPrincipal Code = "InvalidPrincipal"
	CodeSessionPrincipal Code = "SessionPrincipal"
	CodeInvalidRole      Code = "InvalidRole"
	CodeInvalidFollow    Code = "InvalidFollow"
	CodeInvalidExpiry    Code = "InvalidExpiry"
	CodeInvalidExclude   Code = "InvalidExclude"
	CodeInvalidCondition Code = "InvalidCondition"
)

// Error is a coded failure that ends in something its reader can act on.
type Error struct {
	Code Code
	Op   string // what was being done, such as "read principal"
	Hint string // what is wrong and what to write instead, one sentence
	Err  error  // the cause, if there is one
}

func (e *Error) Error() string {
	text := e.Op + ": " + string(e.Code)
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first coded error that err wraps, or "".
func CodeOf(err error) Code {
	if coded, ok := errors.AsType[*Error](err); ok {
		return coded.Code
	}
	return ""
}

package model

import (
	"fmt"
	"strings"
)

// Code is the name of an error shape of the service model.
type Code string

// The errors that gateway, target, tag and policy operations declare.
const (
	AccessDenied         Code = "AccessDeniedException"
	Conflict             Code = "ConflictException"
	InternalServer       Code = "InternalServerException"
	ResourceNotFound     Code = "ResourceNotFoundException"
	ServiceQuotaExceeded Code = "ServiceQuotaExceededException"
	Throttling           Code = "ThrottlingException"
	Validation           Code = "ValidationException"
)

// Reason says why a request did not validate.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_ValidationException.html
type Reason string

// The reasons that this package gives.
const (
	CannotParse                 Reason = "CannotParse"
	FieldValidationFailed       Reason = "FieldValidationFailed"
	IdempotentParameterMismatch Reason = "IdempotentParameterMismatchException"
)

// Field is one member of a request that did not validate.
type Field struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

// Error is what AWS answers to a call that it refuses.
type Error struct {
	Code    Code
	Message string
	// Reason and Fields are those of a ValidationException only.
	Reason Reason
	Fields []Field
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *Error {
	return &Error{Code: Validation, Reason: FieldValidationFailed, Message: fmt.Sprintf(format, args...)}
}

// violations collects the members of a request that break a constraint of the
// service model.
type violations []Field

func (v *violations) add(name, value, constraint string) {
	*v = append(*v, Field{Name: name, Message: fmt.Sprintf(
		"Value '%s' at '%s' failed to satisfy constraint: %s", value, name, constraint)})
}

// err is nil without violations. The sentence is the one that AgentCore was
// seen to answer:
// https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2456
func (v *violations) err() error {
	if len(*v) == 0 {
		return nil
	}
	texts := make([]string, len(*v))
	for i, f := range *v {
		texts[i] = f.Message
	}
	noun := "error"
	if len(*v) > 1 {
		noun = "errors"
	}
	return &Error{
		Code:    Validation,
		Reason:  FieldValidationFailed,
		Message: fmt.Sprintf("%d validation %s detected: %s", len(*v), noun, strings.Join(texts, "; ")),
		Fields:  *v,
	}
}

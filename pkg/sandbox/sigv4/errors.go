package sigv4

import "net/http"

// Code is why a request was refused. AWS spells most codes in two ways: Query
// services (STS, IAM) one way, JSON services (Lambda, Bedrock AgentCore)
// another. Code is the Query spelling.
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
type Code string

// The reasons to refuse a request before asking what it wants.
const (
	MissingAuthenticationToken Code = "MissingAuthenticationToken"
	IncompleteSignature        Code = "IncompleteSignature"
	InvalidClientTokenID       Code = "InvalidClientTokenId"
	ExpiredToken               Code = "ExpiredToken"
	SignatureDoesNotMatch      Code = "SignatureDoesNotMatch"
	MalformedQueryString       Code = "MalformedQueryString"
	RequestTooLarge            Code = "RequestEntityTooLarge"
)

var jsonCodes = map[Code]string{
	MissingAuthenticationToken: "MissingAuthenticationTokenException",
	IncompleteSignature:        "IncompleteSignatureException",
	InvalidClientTokenID:       "UnrecognizedClientException",
	ExpiredToken:               "ExpiredTokenException",
	SignatureDoesNotMatch:      "InvalidSignatureException",
	MalformedQueryString:       "MalformedQueryStringException",
	RequestTooLarge:            "RequestEntityTooLargeException",
}

// Error is a refusal, in AWS's own code and words.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// JSONCode is the code as a JSON service spells it in X-Amzn-ErrorType.
func (e *Error) JSONCode() string { return jsonCodes[e.Code] }

// QueryCode is the code as a Query service spells it in its XML.
func (e *Error) QueryCode() string { return string(e.Code) }

// Status is the HTTP status that a REST service answers with. JSON 1.x
// services such as DynamoDB answer 400 instead of 403.
func (e *Error) Status() int {
	switch e.Code {
	case RequestTooLarge:
		return http.StatusRequestEntityTooLarge
	case MalformedQueryString:
		return http.StatusNotFound
	default:
		return http.StatusForbidden
	}
}

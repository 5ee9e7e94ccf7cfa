package agentcore

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

func isNotFound(err error) bool {
	_, gone := errors.AsType[*types.ResourceNotFoundException](err)
	return gone
}

func isInvalid(err error) bool {
	_, invalid := errors.AsType[*types.ValidationException](err)
	return invalid
}

// readFailure codes the failure of a call that changes nothing.
func readFailure(op string, err error) error {
	if err == nil || grant.CodeOf(err) != "" {
		return err
	}
	if isNotAssumed(err) {
		return coded(grant.CodeNotJoined, op, err)
	}
	return coded(refusal(err), op, err)
}

// isNotAssumed reports whether the role in an owner's account could not be assumed: STS
// answers alike where there is no such role and where it does not let the caller in.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func isNotAssumed(err error) bool {
	for operation, is := errors.AsType[*smithy.OperationError](err); is; operation, is = errors.AsType[*smithy.OperationError](operation.Err) {
		if operation.OperationName == "AssumeRole" {
			return refusal(err) == reconcile.CodeAccessDenied
		}
	}
	return false
}

// writeFailure codes the failure of a call that may have had its effect.
func writeFailure(op string, err error) error {
	if err == nil {
		return nil
	}
	if mayHaveTakenEffect(err) {
		return coded(reconcile.CodeUnknownOutcome, op, err)
	}
	return coded(refusal(err), op, err)
}

// putFailure codes the failure of a put, which may also be the document's fault.
func putFailure(op string, err error) error {
	switch {
	case isInvalidPrincipal(err):
		return coded(reconcile.CodePrincipalRejected, op, err)
	case isTooLarge(err):
		return coded(reconcile.CodePolicyTooLarge, op, err)
	case isInvalid(err):
		return coded(reconcile.CodeInvalidPolicy, op, err)
	}
	return writeFailure(op, err)
}

// isInvalidPrincipal reports whether AWS refused the document because of a
// principal. A ValidationException's reason does not say so (FieldValidationFailed
// stands for every rule of a document), so here, and nowhere else, the text
// decides: "ValidationException: Invalid principal in policy" was observed. A text that
// changes costs little: the document counts as refused for another reason.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_ValidationException.html
func isInvalidPrincipal(err error) bool {
	invalid, ok := errors.AsType[*types.ValidationException](err)
	return ok && strings.Contains(strings.ToLower(invalid.ErrorMessage()), "invalid principal")
}

// isTooLarge reports whether AWS refused the document for its size. Here, too, the
// text decides: that of a string that is longer than the service model allows. A
// text that changes costs little: the document counts as refused for another reason.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_PutResourcePolicy.html
func isTooLarge(err error) bool {
	invalid, ok := errors.AsType[*types.ValidationException](err)
	return ok && strings.Contains(invalid.ErrorMessage(), "length less than or equal to")
}

// refusal is the code of an answer, or of a call that got none.
func refusal(err error) grant.Code {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if _, throttled := retry.DefaultThrottleErrorCodes[api.ErrorCode()]; throttled {
			return reconcile.CodeThrottled
		}
	}
	switch status(err) {
	case http.StatusTooManyRequests:
		return reconcile.CodeThrottled
	case http.StatusUnauthorized, http.StatusForbidden:
		return reconcile.CodeAccessDenied
	case http.StatusConflict:
		return reconcile.CodeBusy
	}
	return reconcile.CodeUnknown
}

// status is that of the HTTP answer, 0 for none.
func status(err error) int {
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return answer.HTTPStatusCode()
	}
	return 0
}

// mayHaveTakenEffect reports whether a write that failed may have been done: all
// failures count, except those that prove the contrary.
func mayHaveTakenEffect(err error) bool {
	switch code := status(err); {
	case refusal(err) == reconcile.CodeThrottled:
		return false
	case code == http.StatusRequestTimeout:
		return true
	case code >= 400 && code < 500:
		return false
	case code != 0:
		return true // 5xx, or a success whose text was lost on the way
	}
	return wasTried(err) && !neverConnected(err)
}

// wasTried reports whether the SDK came as far as to send the request: what fails
// before, such as finding credentials, is neither an error of sending nor the
// end of a context while something was sent.
func wasTried(err error) bool {
	_, sending := errors.AsType[*smithyhttp.RequestSendError](err)
	_, canceled := errors.AsType[*smithy.CanceledError](err)
	return sending || canceled
}

func neverConnected(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	operation, ok := errors.AsType[*net.OpError](err)
	return untrusted || ok && operation.Op == "dial"
}

func coded(code grant.Code, op string, err error) error {
	return &grant.Error{Code: code, Op: op, Hint: hint(code), Err: err}
}

func hint(code grant.Code) string {
	switch code {
	case reconcile.CodeThrottled:
		return "AWS asks for fewer calls; it is tried again later"
	case reconcile.CodeAccessDenied:
		return "check the caller's credentials and its permissions for bedrock-agentcore"
	case grant.CodeNotJoined:
		return "deploy infra/owner-account.yaml in the owner's account, with this hub and external id"
	case reconcile.CodePrincipalRejected:
		return "AWS does not know a principal of the document; check that each exists"
	case reconcile.CodePolicyTooLarge:
		return "AWS takes no policy of that size"
	case reconcile.CodeBusy:
		return "AWS is changing the gateway otherwise; it is tried again later"
	case reconcile.CodeUnknownOutcome:
		return "it may or may not have been done; the next reading shows"
	default:
		return ""
	}
}

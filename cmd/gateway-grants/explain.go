package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	dynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
)

// explain says in one sentence what went wrong and what to do about it, for
// what goes wrong often; anything else says so itself.
func (p *program) explain(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted: run the same again to complete it"
	}
	if missing, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok {
		return fmt.Sprintf("there is no AWS profile %s: see aws configure list-profiles, and choose one with --profile", missing.Profile)
	}
	if errors.Is(err, errNoCredentials) {
		return p.explainCredentials(err)
	}
	if _, ok := errors.AsType[*dynamodb.ResourceNotFoundException](err); ok {
		return p.explainTable(err)
	}
	if text := p.explainRefusal(err); text != "" {
		return text
	}
	if text := explainNetwork(err); text != "" {
		return text
	}
	if failure, ok := errors.AsType[*grant.Error](err); ok && failure.Hint != "" {
		return explainCoded(failure)
	}
	return err.Error()
}

// explainCoded leaves out the SDK's account of the call, but not the answer of AWS.
func explainCoded(failure *grant.Error) string {
	text := fmt.Sprintf("%s: %s (%s", failure.Op, failure.Hint, failure.Code)
	if api, ok := errors.AsType[smithy.APIError](failure); ok && api.ErrorMessage() != "" {
		text += ": " + api.ErrorMessage()
	}
	return text + ")"
}

func (p *program) explainCredentials(err error) string {
	text := err.Error()
	if strings.Contains(text, "no EC2 IMDS role found") {
		return "there are no AWS credentials: choose a profile with --profile or AWS_PROFILE, or set some up with aws configure"
	}
	return "the AWS credentials cannot be used (" + text + "): log in again, or choose another profile with --profile"
}

// explainRefusal explains an answer of AWS about who asks, "" for others.
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
func (p *program) explainRefusal(err error) string {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return ""
	}
	switch api.ErrorCode() {
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		return "the AWS credentials have expired: log in again, or choose another profile with --profile"
	case "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "InvalidToken":
		return "AWS does not know these credentials: choose another profile with --profile"
	case "SignatureDoesNotMatch", "InvalidSignatureException":
		return "AWS does not accept the signature (" + api.ErrorMessage() + "): check the secret key, the region and this machine's clock"
	case "AccessDenied", "AccessDeniedException":
		return "AWS denies this: " + api.ErrorMessage() + ": ask for the permission, or choose another profile with --profile"
	}
	_, throttled := retry.DefaultThrottleErrorCodes[api.ErrorCode()]
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); throttled || ok && answer.HTTPStatusCode() >= http.StatusInternalServerError {
		return fmt.Sprintf("AWS is busy or out of order (%s: %s): repeat the command in a minute", api.ErrorCode(), api.ErrorMessage())
	}
	return ""
}

func explainNetwork(err error) string {
	if unreachable, ok := errors.AsType[*mcpclient.UnreachableError](err); ok {
		return fmt.Sprintf("%v: check the URL and the network", unreachable)
	}
	if host, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("there is no host %s: check the region and AWS_ENDPOINT_URL (%s)", host.Name, variable("AWS_ENDPOINT_URL", "not set"))
	}
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return fmt.Sprintf("no server answers at %s: check the network and AWS_ENDPOINT_URL (%s)", dial.Addr, variable("AWS_ENDPOINT_URL", "not set"))
	}
	return ""
}

func (p *program) explainTable(err error) string {
	what := "a table is not there"
	if failure, ok := errors.AsType[*grant.Error](err); ok {
		what = failure.Op + ": there is no such table"
	}
	return what + " in region " + p.region + " of this account: deploy first, or name the right --profile, --region, --stack or table"
}

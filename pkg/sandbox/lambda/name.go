package lambda

import (
	"fmt"
	"net/http"
	"regexp"
)

// functionName is what Invoke takes: a name, a partial ARN or a whole one, with
// or without a version or alias.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
var functionName = regexp.MustCompile(`^(?:arn:aws[a-zA-Z-]*:lambda:)?(?:([a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?(?:(\d{12}):)?(?:function:)?([a-zA-Z0-9-_.]+)(?::(\$LATEST|[a-zA-Z0-9-_]+))?$`)

const latest = "$LATEST"

// resolveARN gives the ARN that a request means, without $LATEST at its end.
func resolveARN(name, qualifier, account, region string) (string, *Error) {
	parts := functionName.FindStringSubmatch(name)
	if parts == nil || len(name) > 256 {
		return "", &Error{http.StatusBadRequest, "ValidationException",
			fmt.Sprintf("1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", name, functionName)}
	}
	if parts[1] != "" && parts[1] != region {
		return "", &Error{http.StatusNotFound, "ResourceNotFoundException",
			fmt.Sprintf("Functions from '%s' are not reachable in this region ('%s')", parts[1], region)}
	}
	if parts[2] != "" {
		account = parts[2]
	}
	if parts[4] != "" && qualifier != "" && parts[4] != qualifier {
		return "", &Error{http.StatusBadRequest, "InvalidParameterValueException",
			"The derived qualifier from the function name does not match the specified qualifier."}
	}
	if qualifier == "" {
		qualifier = parts[4]
	}
	arn := fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", region, account, parts[3])
	if qualifier != "" && qualifier != latest {
		arn += ":" + qualifier
	}
	return arn, nil
}

package actions

import "strings"

// keys are the services' own condition keys that a Permission may have, in lower
// case.
var keys = map[string]bool{
	"cloudwatch:namespace":            true,
	"dynamodb:enclosingoperation":     true,
	"dynamodb:leadingkeys":            true,
	"dynamodb:returnconsumedcapacity": true,
	"dynamodb:returnvalues":           true,
	"dynamodb:select":                 true,
	"events:detail-type":              true,
	"events:eventbusinvocation":       true,
	"events:source":                   true,
	"iam:permissionsboundary":         true,
	"iam:policyarn":                   true,
}

// Modelled says whether a policy's condition key means something in the decision of
// the action. Of another service's it means nothing in AWS either; of the same
// service's own keys some are not known here, and to take them for absent would
// have set operators let in what AWS keeps out.
func Modelled(action, key string) bool {
	service, _, _ := strings.Cut(strings.ToLower(action), ":")
	key = strings.ToLower(key)
	return !strings.HasPrefix(key, service+":") || keys[key]
}

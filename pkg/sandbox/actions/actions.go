// Package actions says what a request to an AWS service asks to be allowed: which
// actions, on which resources, with which condition keys. They are those of the
// Service Authorization Reference, whose page is named at each service.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
//
// What is not known here is asked for on "*", so that only a policy for all
// resources lets it pass; a REST operation that is not known has a name that only
// a policy for all actions of its service covers. Two things are not asked for:
// that the caller may pass the roles that it names (iam:PassRole), and what
// services do inside moto, such as CloudFormation making a stack's resources: none
// of that is a request.
package actions

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Request is a request whose sender is known.
type Request struct {
	Service string // signing name, such as dynamodb
	Region  string // of the signature
	Account string // of the caller
	HTTP    *http.Request
	Body    []byte // of HTTP

	// Entity finds the ARN of a role, user, group or policy of the account, path
	// and all; "" if there is none. It is asked for requests to IAM only, and may
	// be nil.
	Entity func(kind, name string) (string, error)
	// PartitionKey finds the name of the attribute that is a table's partition key, by the
	// table's ARN; "" if there is no such table. It is asked for requests to DynamoDB only, and
	// may be nil.
	PartitionKey func(table string) (string, error)
	// Organization is asked for requests to Organizations only, and may be nil.
	Organization func() (Organization, error)
}

// Organization is what the ARNs in an organization are made of.
type Organization struct{ Management, ID string }

// Permission is one thing that the caller needs to be allowed.
type Permission struct {
	Action   string // service:Action
	Resource string // ARN, or *
	Account  string // 12 digits, that owns the resource
	// Keys are condition keys of the service itself, with their values.
	Keys map[string][]string
}

// Of lists what the request asks for, each thing once, and at least one. A request
// that cannot be read is *UnreadableError; any other error is one of the request's
// lookups.
func Of(r Request) ([]Permission, error) {
	c, err := read(r)
	if err != nil {
		return nil, err
	}
	ask, known := services[r.Service]
	if !known {
		ask = unknown
	}
	asked, err := ask(c)
	if err != nil {
		return nil, err
	}
	if len(asked) == 0 { // a batch of nothing
		asked = []Permission{c.on("*")}
	}
	return distinct(asked), nil
}

// services are asked by signing name.
var services = map[string]func(*call) ([]Permission, error){
	"cloudformation": cloudformation,
	"dynamodb":       dynamodb,
	"events":         events,
	"iam":            iam,
	"lambda":         lambda,
	"logs":           logs,
	"monitoring":     cloudwatch,
	"organizations":  organizations,
	"s3":             s3,
	"scheduler":      scheduler,
	"sqs":            sqs,
}

// prefixes are those of actions where they are not the signing name.
var prefixes = map[string]string{
	"email":      "ses",
	"monitoring": "cloudwatch",
	"tagging":    "tag",
}

// unknown is what a service asks for that is not modelled here.
func unknown(c *call) ([]Permission, error) { return []Permission{c.on("*")}, nil }

// on is the permission for the request's operation.
func (c *call) on(resource string) Permission { return c.ask(c.operation, resource) }

// ask is the permission for an action of the service. Who owns what has no account
// in its ARN is the service's to know: it counts as the caller's own.
func (c *call) ask(action, resource string) Permission {
	owner := c.Account
	if field := strings.SplitN(resource, ":", 6); len(field) == 6 && field[4] != "" {
		owner = field[4]
	}
	return Permission{Action: c.prefix + ":" + action, Resource: resource, Account: owner}
}

// with adds a condition key that has values.
func (p Permission) with(key string, values ...string) Permission {
	values = slices.DeleteFunc(values, func(value string) bool { return value == "" })
	if len(values) == 0 {
		return p
	}
	p.Keys = maps.Clone(p.Keys)
	if p.Keys == nil {
		p.Keys = map[string][]string{}
	}
	p.Keys[key] = values
	return p
}

// arn names a resource of the service in the caller's account, unless it is an ARN
// already.
func (c *call) arn(name, prefix string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return "arn:aws:" + c.prefix + ":" + c.Region + ":" + c.Account + ":" + prefix + name
}

// distinct drops repetitions: a batch that puts twenty items into one table asks
// for one thing.
func distinct(asked []Permission) []Permission {
	var once []Permission
	for _, p := range asked {
		if !slices.ContainsFunc(once, func(o Permission) bool {
			return o.Action == p.Action && o.Resource == p.Resource && maps.EqualFunc(o.Keys, p.Keys, slices.Equal)
		}) {
			once = append(once, p)
		}
	}
	return once
}

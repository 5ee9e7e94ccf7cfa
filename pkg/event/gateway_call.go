package event

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// GatewayCall is a call of AgentCore after which a gateway's policy, or whether it
// is managed, may be another.
type GatewayCall struct {
	Gateway   grant.Gateway
	Sender    string // account that the event came from
	Name      string // of the call, such as PutResourcePolicy
	ID        string // of the event in CloudTrail
	At        time.Time
	By        string // ARN of the caller, or the AWS service that called; "" where unknown
	UserAgent string
}

// touching are the calls after which a gateway's policy, or whether it is
// managed, may be another. Calls on resource policies and tags are not in AWS's
// list of what CloudTrail records of gateways; where they are not delivered,
// the sweep finds what they did.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-event-types.html
var touching = []string{
	"CreateGateway", "UpdateGateway", "DeleteGateway",
	"PutResourcePolicy", "DeleteResourcePolicy",
	"TagResource", "UntagResource",
}

// call is a CloudTrail record. Parameters stay open, because their shape is
// partly undocumented and differs by call.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
type call struct {
	EventName    string       `json:"eventName"`
	EventID      string       `json:"eventID"`
	EventTime    string       `json:"eventTime"`
	Region       string       `json:"awsRegion"`
	Recipient    string       `json:"recipientAccountId"`
	ErrorCode    string       `json:"errorCode"`
	UserAgent    string       `json:"userAgent"`
	UserIdentity userIdentity `json:"userIdentity"`
	Request      any          `json:"requestParameters"`
	Response     any          `json:"responseElements"`
	Resources    any          `json:"resources"`
}

type userIdentity struct {
	ARN       string `json:"arn"`
	InvokedBy string `json:"invokedBy"`
}

func parseGatewayCall(e envelope) (Event, error) {
	var c call
	if err := json.Unmarshal(e.Detail, &c); err != nil {
		return nil, e.malformed("its detail is no CloudTrail record", err)
	}
	if !slices.Contains(touching, c.EventName) {
		return ignored(c.EventName, "the call changes no gateway's policy")
	}
	if c.ErrorCode != "" {
		return ignored(c.EventName, "the call failed with "+c.ErrorCode)
	}
	arn := c.gatewayARN(e)
	if arn == "" {
		return nil, e.malformed(OneLine(c.EventName+" "+c.EventID)+" names no gateway", nil)
	}
	if _, resource, found := strings.Cut(arn, ":gateway/"); !found || resource == "" {
		return ignored(c.EventName, "the resource is no gateway: "+arn)
	}
	gateway, err := grant.ParseGateway(arn)
	if err != nil {
		return nil, e.malformed(OneLine(c.EventName+" "+c.EventID)+" names a gateway that is none", err)
	}
	at, err := time.Parse(time.RFC3339, c.EventTime)
	if err != nil {
		at = time.Time{} // the time is only measured by
	}
	return GatewayCall{
		Gateway: gateway, Sender: e.Account, Name: c.EventName, ID: OneLine(c.EventID), At: at,
		By: OneLine(first(c.UserIdentity.ARN, c.UserIdentity.InvokedBy)), UserAgent: c.UserAgent,
	}, nil
}

// gatewayARN finds the gateway where calls name it: as an ARN of a resource, as
// an id or ARN of a gateway, or in the answer. An id lives in the account and
// region of the event.
func (c call) gatewayARN(e envelope) string {
	if arn := text(c.Request, "resourceArn"); arn != "" {
		return unescaped(arn)
	}
	id := unescaped(first(text(c.Request, "gatewayIdentifier"), text(c.Request, "gatewayId")))
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	if arn := text(c.Response, "gatewayArn"); arn != "" {
		return arn
	}
	if id == "" {
		return c.resource()
	}
	region, account := first(c.Region, e.Region), first(e.Account, c.Recipient)
	return "arn:" + partition(region) + ":bedrock-agentcore:" + region + ":" + account + ":gateway/" + id
}

// resource is the gateway among the resources that a record may list.
func (c call) resource() string {
	listed, _ := c.Resources.([]any)
	for _, one := range listed {
		if arn := first(text(one, "ARN"), text(one, "arn")); strings.Contains(arn, ":gateway/") {
			return arn
		}
	}
	return ""
}

// partition is the AWS partition that a region is in.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}

// unescaped undoes the escaping of a value that was part of a URL, should
// CloudTrail record it so. No ARN or id of a gateway holds a percent sign.
func unescaped(value string) string {
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

func first(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// text is the member of a JSON object if it is a string, else "".
func text(object any, name string) string {
	members, _ := object.(map[string]any)
	value, _ := members[name].(string)
	return value
}

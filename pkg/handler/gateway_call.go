package handler

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

func readGatewayEvent(payload []byte) (subject, error) {
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return subject{}, fmt.Errorf("read an event: %w", err)
	}
	switch {
	case e.Source == Source && e.DetailType == ReconcileRequested:
		return readRequest(e)
	case e.Source == "aws.bedrock-agentcore" && e.DetailType == "AWS API Call via CloudTrail":
		return readCall(e)
	case e.Source == "" && e.DetailType == "":
		return subject{}, errors.New("read an event: it names neither source nor detail-type")
	default:
		return ignore("no event about a gateway: " + e.DetailType + " from " + e.Source)
	}
}

func readRequest(e event) (subject, error) {
	var request Request
	if err := json.Unmarshal(e.Detail, &request); err != nil {
		return subject{}, fmt.Errorf("read event %s: %w", e.ID, err)
	}
	if request.Every {
		return ignore("a request for every gateway is for the sweep function to take apart")
	}
	return subject{gateway: request.Gateway, cause: reconcile.Cause{Text: request.Cause, RequestedAt: request.At}}, nil
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

func readCall(e event) (subject, error) {
	var c call
	if err := json.Unmarshal(e.Detail, &c); err != nil {
		return subject{}, fmt.Errorf("read event %s: its detail is no CloudTrail record: %w", e.ID, err)
	}
	if !slices.Contains(touching, c.EventName) {
		return ignore(c.EventName + " touches no gateway's policy")
	}
	if c.ErrorCode != "" {
		return ignore(c.EventName + " failed with " + c.ErrorCode)
	}
	arn := c.gatewayARN(e)
	if arn == "" {
		return subject{}, fmt.Errorf("read event %s: %s %s names no gateway", e.ID, c.EventName, c.EventID)
	}
	if _, resource, found := strings.Cut(arn, ":gateway/"); !found || resource == "" {
		return ignore(c.EventName + " of something other than a gateway: " + arn)
	}
	gateway, err := grant.ParseGateway(arn)
	if err != nil {
		return subject{}, fmt.Errorf("read event %s: %s %s: %w", e.ID, c.EventName, c.EventID, err)
	}
	return subject{gateway: gateway, cause: c.cause()}, nil
}

// cause says who made which call. The product's own calls are told from others':
// they come back as events like any other, and are no drift.
func (c call) cause() reconcile.Cause {
	text := c.EventName + " (CloudTrail event " + c.EventID + ")"
	by := first(c.UserIdentity.ARN, c.UserIdentity.InvokedBy)
	if slices.Contains(strings.Fields(c.UserAgent), "app/"+AppID) {
		text, by = "own "+text, "" // whatever is found wrong now was done by somebody else
	}
	at, err := time.Parse(time.RFC3339, c.EventTime)
	if err != nil {
		at = time.Time{} // the cause is told without
	}
	return reconcile.Cause{Text: clip(text), By: clip(by), RequestedAt: at}
}

// gatewayARN finds the gateway where calls name it: as an ARN of a resource, as
// an id or ARN of a gateway, or in the answer. An id lives in the account and
// region of the event.
func (c call) gatewayARN(e event) string {
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

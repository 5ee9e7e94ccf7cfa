package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// recordWithin bounds the publishing of one event.
const recordWithin = 5 * time.Second

// Trail puts what changes in AgentCore on the default bus of the account where it
// changes, as a CloudTrail trail that logs management events does. AWS takes
// seconds and promises nothing; here the event is on the bus before the call is
// answered.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event.html
type Trail struct {
	// Bus makes a client that acts in the account.
	Bus func(account string) *eventbridge.Client
	Log *slog.Logger
}

// Record publishes the event of one call; it is for model.Options.Changed.
func (t *Trail) Record(change model.Change) {
	ctx, cancel := context.WithTimeout(context.Background(), recordWithin)
	defer cancel()
	if err := t.publish(ctx, change); err != nil {
		t.Log.ErrorContext(ctx, "CloudTrail event lost", "event", change.Event, "error", err)
	}
}

func (t *Trail) publish(ctx context.Context, change model.Change) error {
	detail, err := TrailDetail(change)
	if err != nil {
		return err
	}
	put, err := t.Bus(change.Caller.Account).PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		Source:     aws.String("aws.bedrock-agentcore"),
		DetailType: aws.String("AWS API Call via CloudTrail"),
		Time:       &change.Time,
		Detail:     aws.String(string(detail)),
	}}})
	if err != nil {
		return fmt.Errorf("publishing a CloudTrail event: %w", err)
	}
	if put.FailedEntryCount > 0 {
		return fmt.Errorf("publishing a CloudTrail event: %s", aws.ToString(put.Entries[0].ErrorMessage))
	}
	return nil
}

// TrailDetail is the record that CloudTrail makes of a call, the detail of the
// event on the bus.
func TrailDetail(change model.Change) (json.RawMessage, error) {
	detail, err := json.Marshal(newTrailEvent(change))
	if err != nil {
		return nil, fmt.Errorf("writing a CloudTrail event: %w", err)
	}
	return detail, nil
}

// trailEvent is the record of a management event.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
type trailEvent struct {
	Version         string         `json:"eventVersion"`
	UserIdentity    trailIdentity  `json:"userIdentity"`
	Time            string         `json:"eventTime"`
	Source          string         `json:"eventSource"`
	Name            string         `json:"eventName"`
	Region          string         `json:"awsRegion"`
	SourceIP        string         `json:"sourceIPAddress"`
	UserAgent       string         `json:"userAgent"`
	ErrorCode       string         `json:"errorCode,omitempty"`
	ErrorMessage    string         `json:"errorMessage,omitempty"`
	Request         map[string]any `json:"requestParameters"`
	Response        map[string]any `json:"responseElements"`
	RequestID       string         `json:"requestID,omitempty"`
	EventID         string         `json:"eventID"`
	ReadOnly        bool           `json:"readOnly"`
	Type            string         `json:"eventType"`
	ManagementEvent bool           `json:"managementEvent"`
	Recipient       string         `json:"recipientAccountId"`
	Category        string         `json:"eventCategory"`

	ServiceEventDetails map[string]any `json:"serviceEventDetails,omitempty"`
}

type trailIdentity struct {
	Type        string `json:"type,omitempty"`
	PrincipalID string `json:"principalId,omitempty"`
	ARN         string `json:"arn,omitempty"`
	Account     string `json:"accountId"`
	InvokedBy   string `json:"invokedBy,omitempty"`
}

func newTrailEvent(change model.Change) trailEvent {
	return trailEvent{
		Version: "1.11",
		UserIdentity: trailIdentity{
			Type: identityType(change.Caller.ARN), PrincipalID: change.Caller.UserID,
			ARN: change.Caller.ARN, Account: change.Caller.Account,
		},
		Time:         change.Time.UTC().Format(time.RFC3339),
		Source:       "bedrock-agentcore.amazonaws.com",
		Name:         change.Event,
		Region:       change.Region,
		SourceIP:     "127.0.0.1",
		UserAgent:    change.Caller.UserAgent,
		ErrorCode:    change.ErrorCode,
		ErrorMessage: change.ErrorMessage,
		Request:      change.Request, Response: change.Response,
		RequestID: newUUID(), EventID: newUUID(),
		Type: "AwsApiCall", ManagementEvent: true,
		Recipient: change.Caller.Account, Category: "Management",
	}
}

func identityType(arn string) string {
	switch {
	case strings.Contains(arn, ":assumed-role/"):
		return "AssumedRole"
	case strings.HasSuffix(arn, ":root"):
		return "Root"
	default:
		return "IAMUser"
	}
}

func newUUID() string {
	b := random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

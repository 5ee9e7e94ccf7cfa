package memory

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// callEvent is a call to Organizations, as CloudTrail records it and
// EventBridge delivers it: from the management account, in us-east-1.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_cloudtrail-integration.html
func (o *Organization) callEvent(name string, request map[string]any) json.RawMessage {
	return o.event("AWS API Call via CloudTrail", map[string]any{
		"eventName": name, "eventType": "AwsApiCall", "sourceIPAddress": "192.0.2.10", "userAgent": "aws-cli/2",
		"userIdentity": map[string]any{
			"type": "AssumedRole", "accountId": o.management,
			"arn": "arn:aws:sts::" + o.management + ":assumed-role/Admin/alice",
		},
		"requestParameters": request, "responseElements": nil,
	})
}

// serviceEvent is something that AWS did by itself.
func (o *Organization) serviceEvent(name string, details map[string]any) json.RawMessage {
	return o.event("AWS Service Event via CloudTrail", map[string]any{
		"eventName": name, "eventType": "AwsServiceEvent", "sourceIPAddress": "AWS Internal", "userAgent": "AWS Internal",
		"userIdentity":      map[string]any{"accountId": o.management, "invokedBy": "AWS Internal"},
		"requestParameters": nil, "responseElements": nil, "serviceEventDetails": details,
	})
}

func (o *Organization) event(detailType string, detail map[string]any) json.RawMessage {
	o.sent++
	at := o.now().UTC().Format(time.RFC3339)
	maps.Copy(detail, map[string]any{
		"eventVersion": "1.08", "eventTime": at, "eventSource": "organizations.amazonaws.com", "awsRegion": "us-east-1",
		"eventID":  fmt.Sprintf("00000000-0000-4000-8000-%012d", o.sent),
		"readOnly": false, "managementEvent": true, "recipientAccountId": o.management, "eventCategory": "Management",
	})
	event, err := json.Marshal(map[string]any{
		"version": "0", "id": fmt.Sprintf("00000000-0000-4000-9000-%012d", o.sent),
		"detail-type": detailType, "source": "aws.organizations",
		"account": o.management, "time": at, "region": "us-east-1", "resources": []string{}, "detail": detail,
	})
	if err != nil {
		panic(fmt.Sprintf("an event of plain values did not encode: %v", err))
	}
	return event
}

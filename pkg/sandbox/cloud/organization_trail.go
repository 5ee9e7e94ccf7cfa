package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// OrganizationTrail puts what changes in the organization on the default bus of its
// management account, where CloudTrail delivers it and nowhere else. As with Trail,
// an event is there before the call is answered.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_cloudtrail-integration.html
//
// AccountJoinedOrganization and AccountDepartedOrganization, which AWS sends as
// well, are left out: their members are not documented.
// https://aws.amazon.com/about-aws/whats-new/2026/05/aws-organizations-cloudtrail/
type OrganizationTrail struct {
	bus          *eventbridge.Client
	organization *organizations.Client
	management   string
	now          func() time.Time
	log          *slog.Logger

	mu       sync.Mutex
	versions map[string]int // of accounts' tags
}

// organizationRegion is where Organizations tells of itself.
// https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-organizations.html
const organizationRegion = "us-east-1"

// NewOrganizationTrail makes the trail of the organization that the account manages.
func NewOrganizationTrail(moto *Moto, management string, now func() time.Time, log *slog.Logger) *OrganizationTrail {
	config := moto.Config(management, organizationRegion)
	return &OrganizationTrail{
		bus: eventbridge.NewFromConfig(config), organization: organizations.NewFromConfig(config),
		management: management, now: now, log: log, versions: map[string]int{},
	}
}

// Record publishes what a call has changed; it is for Upstream.OrganizationCalled.
func (t *OrganizationTrail) Record(ctx context.Context, call OrganizationCall) {
	response, changes := t.recorded(call)
	if !changes {
		return
	}
	// The caller may leave: what happened has happened.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	t.publish(ctx, "aws.organizations", "AWS API Call via CloudTrail", nil, t.callEvent(call, response))
	if call.ErrorCode != "" {
		return
	}
	if name, details := t.outcome(call); name != "" {
		t.publish(ctx, "aws.organizations", "AWS Service Event via CloudTrail", nil, t.serviceEvent(name, details))
	}
	if keys := changedTags(call); len(keys) > 0 {
		t.tagsChanged(ctx, call, keys)
	}
}

// recorded is what CloudTrail keeps of the answer to a call, and whether it is a
// call that changes accounts.
func (t *OrganizationTrail) recorded(call OrganizationCall) (response map[string]any, changes bool) {
	switch call.Operation {
	case "CreateAccount":
		if call.ErrorCode != "" {
			return nil, true
		}
		// An account is made after the call is answered; moto has made it by then.
		status, _ := call.Response["CreateAccountStatus"].(map[string]any)
		return map[string]any{"createAccountStatus": map[string]any{
			"id": status["Id"], "state": "IN_PROGRESS", "accountName": masked, "requestedTimestamp": t.localeTime(),
		}}, true
	case "MoveAccount", "CloseAccount", "RemoveAccountFromOrganization", "TagResource", "UntagResource":
		return nil, true
	default:
		return nil, false
	}
}

// outcome is what Organizations itself tells later of something that was asked for.
func (t *OrganizationTrail) outcome(call OrganizationCall) (name string, details map[string]any) {
	result := map[string]any{"state": "SUCCEEDED", "requestedTimestamp": t.localeTime(), "completedTimestamp": t.localeTime()}
	switch call.Operation {
	case "CreateAccount":
		status, _ := call.Response["CreateAccountStatus"].(map[string]any)
		maps.Copy(result, map[string]any{"id": status["Id"], "accountName": masked, "accountId": status["AccountId"]})
		return "CreateAccountResult", map[string]any{"createAccountStatus": result}
	case "CloseAccount":
		result["accountId"] = call.Request["AccountId"]
		return "CloseAccountResult", map[string]any{"closeAccountStatus": result}
	default:
		return "", nil
	}
}

// masked is what AWS shows of names and addresses.
const masked = "****"

func (t *OrganizationTrail) callEvent(call OrganizationCall, response map[string]any) trailEvent {
	request, _ := inTrail(call.Request).(map[string]any)
	for _, private := range []string{"email", "accountName"} {
		if _, ok := request[private]; ok {
			request[private] = masked
		}
	}
	event := t.event(call.Operation)
	event.UserIdentity = identityOf(call.Caller)
	event.SourceIP, event.UserAgent = "127.0.0.1", call.UserAgent
	event.ErrorCode, event.ErrorMessage = call.ErrorCode, call.ErrorMessage
	event.Request, event.Response = request, response
	event.RequestID, event.Type = newUUID(), "AwsApiCall"
	return event
}

func (t *OrganizationTrail) serviceEvent(name string, details map[string]any) trailEvent {
	event := t.event(name)
	event.UserIdentity = trailIdentity{Account: t.management, InvokedBy: "organizations.amazonaws.com"}
	event.SourceIP, event.UserAgent = "organizations.amazonaws.com", "organizations.amazonaws.com"
	event.Type, event.ServiceEventDetails = "AwsServiceEvent", details
	return event
}

func (t *OrganizationTrail) event(name string) trailEvent {
	return trailEvent{
		Version: "1.11", Time: t.now().UTC().Format(time.RFC3339),
		Source: "organizations.amazonaws.com", Name: name, Region: organizationRegion,
		EventID: newUUID(), ManagementEvent: true, Recipient: t.management, Category: "Management",
	}
}

// tagsChanged has Resource Groups tell of an account's tags, without CloudTrail.
// The members are documented for other resources; an account's ARN was seen.
// https://docs.aws.amazon.com/tag-editor/latest/userguide/tag-monitor.html
func (t *OrganizationTrail) tagsChanged(ctx context.Context, call OrganizationCall, keys []string) {
	id, _ := call.Request["ResourceId"].(string)
	described, err := t.organization.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: &id})
	if err != nil {
		return // units, roots and policies have tags, too
	}
	listed, err := t.organization.ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: &id})
	if err != nil {
		t.log.ErrorContext(ctx, "tag event lost", "account", id, "error", err)
		return
	}
	tags := map[string]string{}
	for _, tag := range listed.Tags {
		tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	t.mu.Lock()
	t.versions[id]++
	version := t.versions[id]
	t.mu.Unlock()
	t.publish(ctx, "aws.tag", "Tag Change on Resource", []string{aws.ToString(described.Account.Arn)}, map[string]any{
		"changed-tag-keys": keys, "service": "organizations", "resource-type": "account", "version": version, "tags": tags,
	})
}

func changedTags(call OrganizationCall) []string {
	var keys []string
	switch call.Operation {
	case "TagResource":
		tags, _ := call.Request["Tags"].([]any)
		for _, tag := range tags {
			if pair, ok := tag.(map[string]any); ok {
				keys = append(keys, fmt.Sprint(pair["Key"]))
			}
		}
	case "UntagResource":
		named, _ := call.Request["TagKeys"].([]any)
		for _, key := range named {
			keys = append(keys, fmt.Sprint(key))
		}
	}
	slices.Sort(keys)
	return keys
}

func (t *OrganizationTrail) publish(ctx context.Context, source, detailType string, resources []string, detail any) {
	text, err := json.Marshal(detail)
	if err == nil {
		var put *eventbridge.PutEventsOutput
		put, err = t.bus.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
			Source: &source, DetailType: &detailType, Resources: resources, Time: aws.Time(t.now()), Detail: aws.String(string(text)),
		}}})
		if err == nil && put.FailedEntryCount > 0 {
			err = fmt.Errorf("EventBridge answers %s", aws.ToString(put.Entries[0].ErrorMessage))
		}
	}
	if err != nil {
		t.log.ErrorContext(ctx, "event of the organization lost", "event", string(text), "error", err)
	}
}

// localeTime is a time as Organizations writes it into its service events.
func (t *OrganizationTrail) localeTime() string {
	return t.now().UTC().Format("Jan 2, 2006, 3:04:05 PM")
}

// inTrail renames the members of a request as CloudTrail does: AccountId becomes
// accountId.
func inTrail(value any) any {
	switch v := value.(type) {
	case map[string]any:
		renamed := map[string]any{}
		for name, member := range v {
			renamed[lowerFirst(name)] = inTrail(member)
		}
		return renamed
	case []any:
		elements := make([]any, len(v))
		for i := range v {
			elements[i] = inTrail(v[i])
		}
		return elements
	default:
		return value
	}
}

func lowerFirst(name string) string {
	if name == "" {
		return name
	}
	return strings.ToLower(name[:1]) + name[1:]
}

func identityOf(caller iam.Caller) trailIdentity {
	return trailIdentity{Type: identityType(caller.ARN), PrincipalID: caller.UserID, ARN: caller.ARN, Account: caller.Account}
}

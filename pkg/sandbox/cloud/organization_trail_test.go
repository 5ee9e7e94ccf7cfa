package cloud_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// told collects what a rule of a bus picks.
type told struct {
	t     *testing.T
	queue *sqs.Client
	url   *string
}

func listenTo(t *testing.T, w *world, account, bus, pattern string) *told {
	t.Helper()
	config := w.moto.Config(account, region)
	l := &told{t: t, queue: sqs.NewFromConfig(config)}
	made, err := l.queue.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("told")})
	if err != nil {
		t.Fatal(err)
	}
	l.url = made.QueueUrl
	client := eventbridge.NewFromConfig(config)
	if _, err := client.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("told"), EventBusName: &bus, EventPattern: &pattern}); err != nil {
		t.Fatal(err)
	}
	target := eventtypes.Target{Id: aws.String("told"), Arn: aws.String("arn:aws:sqs:" + region + ":" + account + ":told")}
	if _, err := client.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("told"), EventBusName: &bus, Targets: []eventtypes.Target{target}}); err != nil {
		t.Fatal(err)
	}
	return l
}

// send puts an event into the queue, where the test runs rules' targets itself.
func (l *told) send(event string) {
	if _, err := l.queue.SendMessage(l.t.Context(), &sqs.SendMessageInput{QueueUrl: l.url, MessageBody: &event}); err != nil {
		l.t.Error(err)
	}
}

// next are the events since the last look.
func (l *told) next() []map[string]any {
	l.t.Helper()
	var events []map[string]any
	for {
		received, err := l.queue.ReceiveMessage(l.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: l.url, MaxNumberOfMessages: 10})
		if err != nil {
			l.t.Fatal(err)
		}
		if len(received.Messages) == 0 {
			return events
		}
		for i := range received.Messages {
			var event map[string]any
			if err := json.Unmarshal([]byte(aws.ToString(received.Messages[i].Body)), &event); err != nil {
				l.t.Fatal(err)
			}
			events = append(events, event)
			if _, err := l.queue.DeleteMessage(l.t.Context(), &sqs.DeleteMessageInput{QueueUrl: l.url, ReceiptHandle: received.Messages[i].ReceiptHandle}); err != nil {
				l.t.Fatal(err)
			}
		}
	}
}

// form is what an event consists of: the paths of its members, without their values.
// Who called how is the affair of IAM, and told in less detail here; tags are free.
func form(path string, value any) []string {
	if path == ".detail.userIdentity" || path == ".detail.tags" {
		return []string{path}
	}
	var paths []string
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			paths = append(paths, form(path+"."+name, member)...)
		}
	case []any:
		for _, element := range v {
			paths = append(paths, form(path+"[]", element)...)
		}
	default:
		paths = []string{path}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// sample is a payload of events/, which says how sure its shape is.
func sample(t *testing.T, name string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(cloudtest.Repository(t), "events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var event map[string]any
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	return event
}

// essence is what the rules of the management account and the product look at.
func essence(event map[string]any) map[string]any {
	detail, _ := event["detail"].(map[string]any)
	kept := map[string]any{"account": event["account"], "source": event["source"], "detail-type": event["detail-type"]}
	for _, name := range []string{"eventName", "eventSource", "awsRegion", "recipientAccountId", "errorCode", "requestParameters"} {
		if value, ok := detail[name]; ok {
			kept[name] = value
		}
	}
	return kept
}

// The samples of events/ are compared with what the stand-in tells, so that what is
// tried with the one holds for the other.
func TestOrganizationEventsMatchSamples(t *testing.T) {
	w := organized(t)
	w.upstream.OrganizationCalled = cloud.NewOrganizationTrail(w.moto, management, time.Now, slog.New(slog.DiscardHandler)).Record
	client := organizations.NewFromConfig(w.as(t, management))
	l := listenTo(t, w, management, "default", `{"account":["`+management+`"],"source":["aws.organizations","aws.tag"]}`)
	check := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	made, err := client.CreateAccount(t.Context(), &organizations.CreateAccountInput{
		AccountName: aws.String("team c"), Email: aws.String("c@example.com"), Tags: []types.Tag{},
	})
	check(made, err)
	created := l.next()
	id, root := made.CreateAccountStatus.AccountId, root(t, w)
	unit, err := client.CreateOrganizationalUnit(t.Context(), &organizations.CreateOrganizationalUnitInput{Name: aws.String("agents"), ParentId: root})
	check(unit, err)
	unitID := unit.OrganizationalUnit.Id
	unasked := l.next()

	steps := []struct {
		what    string
		do      func() (any, error)
		events  []map[string]any
		samples []string
		request map[string]any
	}{
		{what: "created", events: created, samples: []string{"organizations-create-account", "organizations-create-account-result"},
			request: map[string]any{"accountName": "****", "email": "****", "tags": []any{}}},
		{what: "a unit", events: unasked},
		{what: "moved", do: func() (any, error) {
			return client.MoveAccount(t.Context(), &organizations.MoveAccountInput{AccountId: id, SourceParentId: root, DestinationParentId: unitID})
		}, samples: []string{"organizations-move-account"},
			request: map[string]any{"accountId": *id, "sourceParentId": *root, "destinationParentId": *unitID}},
		{what: "tagged", do: func() (any, error) {
			return client.TagResource(t.Context(), &organizations.TagResourceInput{ResourceId: id, Tags: []types.Tag{
				{Key: aws.String("env"), Value: aws.String("prod")}, {Key: aws.String("CostCenter"), Value: aws.String("1234")}}})
		}, samples: []string{"organizations-tag-resource", "tag-change-on-account"},
			request: map[string]any{"resourceId": *id, "tags": []any{
				map[string]any{"key": "env", "value": "prod"}, map[string]any{"key": "CostCenter", "value": "1234"}}}},
		{what: "a unit tagged", do: func() (any, error) {
			return client.TagResource(t.Context(), &organizations.TagResourceInput{ResourceId: unitID, Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("prod")}}})
		}, samples: []string{"organizations-tag-resource-on-unit"},
			request: map[string]any{"resourceId": *unitID, "tags": []any{map[string]any{"key": "env", "value": "prod"}}}},
		{what: "untagged", do: func() (any, error) {
			return client.UntagResource(t.Context(), &organizations.UntagResourceInput{ResourceId: id, TagKeys: []string{"env"}})
		}, samples: []string{"organizations-untag-resource", "tag-change-on-account"},
			request: map[string]any{"resourceId": *id, "tagKeys": []any{"env"}}},
		{what: "closed", do: func() (any, error) {
			return client.CloseAccount(t.Context(), &organizations.CloseAccountInput{AccountId: id})
		}, samples: []string{"organizations-close-account", "organizations-close-account-result"},
			request: map[string]any{"accountId": *id}},
		{what: "removed", do: func() (any, error) {
			return client.RemoveAccountFromOrganization(t.Context(), &organizations.RemoveAccountFromOrganizationInput{AccountId: id})
		}, samples: []string{"organizations-remove-account"},
			request: map[string]any{"accountId": *id}},
	}
	for _, step := range steps {
		if step.do != nil {
			check(step.do())
			step.events = l.next()
		}
		if len(step.events) != len(step.samples) {
			t.Errorf("%s: %d events, want %v: %v", step.what, len(step.events), step.samples, step.events)
			continue
		}
		for i, name := range step.samples {
			want := sample(t, name)
			if diff := cmp.Diff(form("", want), form("", step.events[i])); diff != "" {
				t.Errorf("%s: the form of %s (-sample +told):\n%s", step.what, name, diff)
			}
			expected := essence(want)
			maps.Copy(expected, map[string]any{"account": management})
			if _, ok := expected["recipientAccountId"]; ok {
				expected["recipientAccountId"] = management
			}
			if expected["requestParameters"] != nil {
				expected["requestParameters"] = step.request
			}
			if diff := cmp.Diff(expected, essence(step.events[i])); diff != "" {
				t.Errorf("%s: %s (-want +told):\n%s", step.what, name, diff)
			}
		}
	}
	if got := named(created[1], "serviceEventDetails", "createAccountStatus", "accountId"); got != *id {
		t.Errorf("CreateAccountResult is about %v, want %s", got, *id)
	}
}

// named is a member of an event's detail.
func named(event map[string]any, path ...string) any {
	value := event["detail"]
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

func TestRefusedOrganizationChangeEvent(t *testing.T) {
	w := organized(t)
	w.upstream.OrganizationCalled = cloud.NewOrganizationTrail(w.moto, management, time.Now, slog.New(slog.DiscardHandler)).Record
	l := listenTo(t, w, management, "default", `{"source":["aws.organizations"]}`)
	_, err := organizations.NewFromConfig(w.as(t, management)).CloseAccount(t.Context(), &organizations.CloseAccountInput{AccountId: aws.String(stranger)})
	want := errorCode(err)
	events := l.next()
	if want == "" || len(events) != 1 || named(events[0], "errorCode") != want || named(events[0], "errorMessage") == nil {
		t.Errorf("want one event with errorCode %s, got %v", want, events)
	}
}

func TestManagementAccountAdministersCreatedAccounts(t *testing.T) {
	w := organized(t)
	made, err := organizations.NewFromConfig(w.as(t, management)).CreateAccount(t.Context(), &organizations.CreateAccountInput{
		AccountName: aws.String("new"), Email: aws.String("new@example.com"),
	})
	if err != nil {
		t.Fatal(err)
	}
	client := awsiam.NewFromConfig(w.moto.Config(aws.ToString(made.CreateAccountStatus.AccountId), region))
	attached, err := client.ListAttachedRolePolicies(t.Context(), &awsiam.ListAttachedRolePoliciesInput{RoleName: aws.String("OrganizationAccountAccessRole")})
	if err != nil || len(attached.AttachedPolicies) != 1 || !strings.HasSuffix(aws.ToString(attached.AttachedPolicies[0].PolicyArn), "/AdministratorAccess") {
		t.Errorf("want AdministratorAccess, got %v, %v", attached, err)
	}
}

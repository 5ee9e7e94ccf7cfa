package event_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/eventtest"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

const (
	management = "111122223333"
	storyARN   = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/cross-account-test-abcde12345"
	alice      = "arn:aws:sts::111122223333:assumed-role/Admin/alice"
)

var (
	account = []string{"444455556666"}
	story   = gatewayNamed(storyARN)
	called  = time.Date(2026, 11, 20, 9, 0, 17, 0, time.UTC)
	asked   = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	tables  = event.Tables{Grants: "gateway-grants", Accounts: "gateway-grants-accounts"}
)

func gatewayNamed(arn string) grant.Gateway {
	gateway, err := grant.ParseGateway(arn)
	if err != nil {
		panic(err)
	}
	return gateway
}

func changed(name, by string) event.AccountsChanged {
	return event.AccountsChanged{Accounts: account, Sender: management, Name: name, By: by}
}

func touched(name string) event.GatewayCall {
	return event.GatewayCall{Gateway: story, Sender: management, Name: name, By: alice, At: called}
}

func ignored(name, reason string) event.Ignored { return event.Ignored{Name: name, Reason: reason} }

// parsed is each payload of events/ that comes from EventBridge or a schedule.
var parsed = map[string]struct {
	reason string
	want   event.Event
}{
	"reconcile-requested": {"a request names its gateway", event.Requested{
		Request: event.Request{Gateway: story, Cause: "sweep: due", At: asked}, Sender: management,
	}},
	"reconcile-requested-for-every-gateway": {"* stands for all of them", event.Requested{
		Request: event.Request{Every: true, Cause: "grant platform-ou added", At: asked}, Sender: management,
	}},

	"cloudtrail-create-gateway":      {"the answer names the gateway", touched("CreateGateway")},
	"cloudtrail-update-gateway":      {"the answer names the gateway", touched("UpdateGateway")},
	"cloudtrail-delete-gateway":      {"an id lives in the account and region of the event", touched("DeleteGateway")},
	"cloudtrail-put-resource-policy": {"the resource is the gateway", touched("PutResourcePolicy")},
	"cloudtrail-put-resource-policy-own": {"the caller is a role of the product", event.GatewayCall{
		Gateway: story, Sender: management, Name: "PutResourcePolicy", At: called,
		By: "arn:aws:sts::111122223333:assumed-role/gateway-grants-table-changes/gateway-grants-table-changes",
	}},
	"cloudtrail-delete-resource-policy":     {"the resource is the gateway", touched("DeleteResourcePolicy")},
	"cloudtrail-tag-resource":               {"it may be managed now", touched("TagResource")},
	"cloudtrail-untag-resource":             {"it may be managed no longer", touched("UntagResource")},
	"cloudtrail-put-resource-policy-failed": {"failed calls are delivered, too", ignored("PutResourcePolicy", "the call failed with ValidationException")},

	"controltower-create-managed-account":        {"Control Tower names the account in its status", changed("CreateManagedAccount", "")},
	"controltower-update-managed-account":        {"a creation that was retried is an update", changed("UpdateManagedAccount", "")},
	"organizations-account-departed":             {"the account is looked for, because AWS does not document where it is named", changed("AccountDepartedOrganization", "")},
	"organizations-account-joined":               {"the same", changed("AccountJoinedOrganization", "")},
	"organizations-close-account":                {"a call names its account", changed("CloseAccount", alice)},
	"organizations-close-account-result":         {"and so does its result", changed("CloseAccountResult", "")},
	"organizations-create-account":               {"a creation under way has no account yet", ignored("CreateAccount", "the event is about no account")},
	"organizations-create-account-result":        {"one that succeeded has", changed("CreateAccountResult", "")},
	"organizations-create-account-result-failed": {"one that failed never will", ignored("CreateAccountResult", "the event is about no account")},
	"organizations-move-account":                 {"a call names its account", changed("MoveAccount", alice)},
	"organizations-move-account-failed":          {"failed calls are delivered, too", ignored("MoveAccount", "the call failed with DuplicateAccountException")},
	"organizations-remove-account":               {"a call names its account", changed("RemoveAccountFromOrganization", alice)},
	"organizations-tag-resource":                 {"a selector may name the tag", changed("TagResource", alice)},
	"organizations-tag-resource-on-unit":         {"no selector means tags of units", ignored("TagResource", "the event is about no account")},
	"organizations-untag-resource":               {"a selector may name the tag", changed("UntagResource", alice)},
	"tag-change-on-account":                      {"the account ends the resource's ARN", changed("Tag Change on Resource", "")},

	"probe-gateways": {"the envelope names the sender", event.Probe{ID: "5c0de1f0a7b94e52-0", Source: event.ProbeGateways, Sender: management}},
	"probe-accounts": {"the envelope names the sender", event.Probe{ID: "5c0de1f0a7b94e52-1", Source: event.ProbeAccounts, Sender: management}},
	"probe-tags":     {"the envelope names the sender", event.Probe{ID: "5c0de1f0a7b94e52-2", Source: event.ProbeAccounts, Sender: management}},

	"schedule-due":          {"our own input", event.Schedule{Sweep: event.SweepDue}},
	"schedule-gateways":     {"our own input", event.Schedule{Sweep: event.SweepGateways}},
	"schedule-organization": {"our own input", event.Schedule{Sweep: event.SweepOrganization}},
	"schedule-rechecks":     {"our own input", event.Schedule{Sweep: event.SweepRechecks}},
}

// recorded is each payload of events/ that comes from a table's stream.
var recorded = map[string]struct {
	reason string
	want   event.Record
}{
	"dynamodb-stream-grant-inserted":          {"a row is for one gateway", event.Record{Grant: &event.GrantChange{Gateway: story, ID: "team-b", Verb: "added"}}},
	"dynamodb-stream-grant-modified":          {"a row is for one gateway", event.Record{Grant: &event.GrantChange{Gateway: story, ID: "team-b", Verb: "changed"}}},
	"dynamodb-stream-grant-removed":           {"a row is for one gateway", event.Record{Grant: &event.GrantChange{Gateway: story, ID: "team-b", Verb: "removed"}}},
	"dynamodb-stream-grant-replicated":        {"only attributes that AWS adds changed", event.Record{}},
	"dynamodb-stream-grant-for-every-gateway": {"* stands for all of them", event.Record{Grant: &event.GrantChange{Every: true, ID: "platform-ou", Verb: "added"}}},
	"dynamodb-stream-account-joined":          {"there is no image before", event.Record{Account: &event.AccountChange{After: &directory.Account{}}}},
	"dynamodb-stream-account-moved":           {"there are both images", event.Record{Account: &event.AccountChange{Before: &directory.Account{}, After: &directory.Account{}}}},
	"dynamodb-stream-account-lists":           {"an account came onto a list", event.Record{List: &event.ListChange{List: directory.TopicTrusted, Account: "444455556666", Verb: "added"}}},
	"dynamodb-stream-account-left":            {"there is no image after", event.Record{Account: &event.AccountChange{Before: &directory.Account{}}}},
}

func TestPayloadsParse(t *testing.T) {
	for _, name := range eventtest.Names(t) {
		t.Run(name, func(t *testing.T) {
			one, isEvent := parsed[name]
			two, isRecord := recorded[name]
			switch {
			case isEvent:
				got, err := event.Parse(eventtest.Payload(t, name))
				if diff := cmp.Diff(one.want, got, alike...); diff != "" || err != nil {
					t.Errorf("%s: %v, -want +got\n%s", one.reason, err, diff)
				}
			case isRecord:
				raw, err := event.Records(eventtest.Payload(t, name))
				if err != nil {
					t.Fatal(err)
				}
				got, err := event.ParseRecord(raw[0], tables)
				if diff := cmp.Diff(two.want, got, alike...); diff != "" || err != nil || got.Sequence == "" {
					t.Errorf("%s: sequence %q, %v, -want +got\n%s", two.reason, got.Sequence, err, diff)
				}
			case !strings.HasPrefix(name, "echo-"):
				t.Error("this payload has no case")
			}
		})
	}
}

// alike leaves out what differs by payload and decides nothing. What an image
// says of an account is for the tests of package directory.
var alike = []cmp.Option{
	cmpopts.IgnoreFields(event.GatewayCall{}, "ID", "UserAgent"),
	cmpopts.IgnoreFields(event.AccountsChanged{}, "ID"),
	cmpopts.IgnoreFields(event.Record{}, "Sequence", "At", "Row"),
	cmp.Comparer(func(a, b grant.Gateway) bool { return a == b }),
	cmp.Comparer(func(a, b *directory.Account) bool { return (a == nil) == (b == nil) }),
}

func TestOwnCallsAreKnownByUserAgent(t *testing.T) {
	own, err := event.Parse(eventtest.Payload(t, "cloudtrail-put-resource-policy-own"))
	if call, is := own.(event.GatewayCall); err != nil || !is || !slices.Contains(strings.Fields(call.UserAgent), "app/gateway-grants") {
		t.Errorf("got %+v, %v", own, err)
	}
}

func TestUnknownEventIsIgnoredWithReason(t *testing.T) {
	for name, raw := range map[string]string{
		"another service":     `{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification","account":"111122223333","detail":{"state":"running"}}`,
		"another detail-type": `{"source":"aws.bedrock-agentcore","detail-type":"Memory Extracted","account":"111122223333","detail":{}}`,
		"a notice of our own": `{"source":"gateway-grants","detail-type":"Policy Applied","detail":{"gateway":"` + storyARN + `"}}`,
		"a call that is new":  `{"source":"aws.bedrock-agentcore","detail-type":"AWS API Call via CloudTrail","detail":{"eventName":"FrobnicateGateway"}}`,
		"another resource":    `{"source":"aws.bedrock-agentcore","detail-type":"AWS API Call via CloudTrail","detail":{"eventName":"PutResourcePolicy","requestParameters":{"resourceArn":"arn:aws:bedrock-agentcore:us-east-1:111122223333:runtime/r-1"}}}`,
		"no account's event":  `{"source":"aws.organizations","account":"111122223333","detail":{"eventName":"EffectivePolicyValidation"}}`,
		"an instance's tags":  `{"source":"aws.tag","account":"111122223333","resources":["arn:aws:ec2:us-east-1:111122223333:instance/i-0"],"detail":{"service":"ec2","resource-type":"instance"}}`,
		"a unit's tags":       `{"source":"aws.tag","account":"111122223333","resources":["arn:aws:organizations::111122223333:ou/o-exampleorgid/ou-ab12-11111111"],"detail":{"service":"organizations","resource-type":"ou"}}`,
		"the same name":       `{"source":"aws.sso","account":"111122223333","detail":{"eventName":"TagResource","requestParameters":{"resourceId":"444455556666"}}}`,
		"more than expected":  `{"source":"aws.organizations","account":"111122223333","version":7,"detail":{"eventName":"ListRoots","requestParameters":[1,2]}}`,
	} {
		got, err := event.Parse([]byte(raw))
		if ignored, is := got.(event.Ignored); err != nil || !is || ignored.Reason == "" {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestMalformedPayloadIsCodedError(t *testing.T) {
	call := func(detail string) string {
		return `{"source":"aws.bedrock-agentcore","detail-type":"AWS API Call via CloudTrail","account":"111122223333","region":"us-east-1","detail":` + detail + `}`
	}
	request := func(detail string) string {
		return `{"source":"gateway-grants","detail-type":"Reconcile Requested","account":"111122223333","detail":` + detail + `}`
	}
	for name, c := range map[string]struct {
		raw  string
		want grant.Code
	}{
		"no JSON":                  {`{"source":`, event.CodeUnreadable},
		"no object":                {`[]`, event.CodeUnreadable},
		"empty":                    {`{}`, event.CodeUnreadable},
		"names nothing":            {`{"detail":{}}`, event.CodeUnreadable},
		"no detail":                {`{"source":"aws.organizations"}`, event.CodeMalformed},
		"detail is text":           {`{"source":"aws.organizations","detail":"x"}`, event.CodeMalformed},
		"detail is null":           {`{"source":"aws.organizations","detail":null}`, event.CodeMalformed},
		"tag without detail":       {`{"source":"aws.tag"}`, event.CodeMalformed},
		"call with text as detail": {call(`"x"`), event.CodeMalformed},
		"call of no gateway":       {call(`{"eventName":"PutResourcePolicy","requestParameters":{}}`), event.CodeMalformed},
		"call of no id":            {call(`{"eventName":"UpdateGateway","requestParameters":{"gatewayIdentifier":"a b/c"}}`), event.CodeMalformed},
		"call of no ARN":           {call(`{"eventName":"TagResource","requestParameters":{"resourceArn":"arn:aws:bedrock-agentcore:us-east-1:1:gateway/x"}}`), event.CodeMalformed},
		"request of nothing":       {request(`{}`), event.CodeMalformed},
		"request of a list":        {request(`{"gateway":["*"]}`), event.CodeMalformed},
		"request of no object":     {request(`[]`), event.CodeMalformed},
	} {
		got, err := event.Parse([]byte(c.raw))
		if got != nil || grant.CodeOf(err) != c.want || len(err.Error()) > 1000 {
			t.Errorf("%s: got %+v, %v, want %s", name, got, err, c.want)
		}
	}
}

func TestMalformedRecordIsCodedError(t *testing.T) {
	record := func(stream, change string) string {
		return `{"eventName":"INSERT","eventSourceARN":"arn:aws:dynamodb:us-east-1:111122223333:table/` + stream + `/stream/x","dynamodb":` + change + `}`
	}
	for name, raw := range map[string]string{
		"no object":           `[]`,
		"no sequence":         record("gateway-grants", `{"Keys":{"gateway":{"S":"*"},"grant":{"S":"a"}}}`),
		"another table":       record("other", `{"SequenceNumber":"1"}`),
		"no keys":             record("gateway-grants", `{"SequenceNumber":"1"}`),
		"a key that is none":  record("gateway-grants", `{"SequenceNumber":"1","Keys":{"gateway":{"N":"1"},"grant":{"S":"a"}}}`),
		"no gateway":          record("gateway-grants", `{"SequenceNumber":"1","Keys":{"gateway":{"S":"tools"},"grant":{"S":"a"}}}`),
		"an account unimaged": record("gateway-grants-accounts", `{"SequenceNumber":"1","Keys":{"pk":{"S":"ACCOUNT#444455556666"},"sk":{"S":"ACCOUNT"}}}`),
	} {
		got, err := event.ParseRecord([]byte(raw), tables)
		if grant.CodeOf(err) != event.CodeMalformed || got.Grant != nil || got.Account != nil {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	for name, raw := range map[string]string{"none": `{"Records":[]}`, "no object": `[]`, "an event": `{"source":"aws.ec2"}`} {
		if got, err := event.Records([]byte(raw)); grant.CodeOf(err) != event.CodeUnreadable {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestRecordsOfNoAccessAreIgnored(t *testing.T) {
	for name, change := range map[string]string{
		"the sentinel": `"table":"gateway-grants","Keys":{"gateway":{"S":"*"},"grant":{"S":"` + grant.SentinelID + `"}}`,
		"a membership": `"table":"gateway-grants-accounts","Keys":{"pk":{"S":"OU#ou-ab12-11111111"},"sk":{"S":"444455556666"}}`,
		"a note":       `"table":"gateway-grants-accounts","Keys":{"pk":{"S":"SYNC"},"sk":{"S":"SYNC"}}`,
	} {
		table, keys, _ := strings.Cut(strings.TrimPrefix(change, `"table":"`), `",`)
		raw := `{"eventName":"MODIFY","eventSourceARN":"arn:aws:dynamodb:us-east-1:111122223333:table/` + table + `/stream/x","dynamodb":{"SequenceNumber":"1",` + keys + `}}`
		got, err := event.ParseRecord([]byte(raw), tables)
		if err != nil || got.Grant != nil || got.Account != nil || got.Sequence != "1" {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestApprovalRequestsItsGateway(t *testing.T) {
	const arn = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij"
	for subject, want := range map[string]string{
		arn + "#takeover": arn,
		arn + "#role#arn:aws:iam::444455556666:role/Agent": arn,
		"departure#444455556666":                           "",
		"someone's note":                                   "",
	} {
		raw := `{"eventName":"INSERT","eventSourceARN":"arn:aws:dynamodb:us-east-1:111122223333:table/gateway-grants/stream/x","dynamodb":{"SequenceNumber":"1",` +
			`"Keys":{"gateway":{"S":"` + grant.ApprovalsScope + `"},"grant":{"S":"` + subject + `"}}}}`
		got, err := event.ParseRecord([]byte(raw), tables)
		if err != nil || got.Row != nil || (got.Grant == nil) != (want == "") || got.Grant != nil && (got.Grant.Gateway.ARN() != want || got.Grant.Every) {
			t.Errorf("%s: got %+v, %v", subject, got.Grant, err)
		}
		got, err = event.ParseRecord([]byte(strings.Replace(raw, "INSERT", "REMOVE", 1)), tables)
		if err != nil || got.Row != nil || got.Grant != nil {
			t.Errorf("%s, deleted: got %+v, %v", subject, got, err)
		}
	}
}

func TestRecordKeepsOldRow(t *testing.T) {
	for name, test := range map[string]struct {
		reason   string
		verb, by string
		was, is  string // part of it
	}{
		"dynamodb-stream-grant-inserted":          {"there was none", "added", "", "", `"principal":{"S":"444455556666"}`},
		"dynamodb-stream-grant-modified":          {"both are kept", "changed", "", `"principal":{"S":"444455556666"}`, `"principal":{"S":"444455556666"}`},
		"dynamodb-stream-grant-removed":           {"it can be put back", "removed", "", `"role":{"S":"AgentRole"}`, ""},
		"dynamodb-stream-grant-for-every-gateway": {"* is a key as any other", "added", "", "", `"gateway":{"S":"*"}`},
	} {
		raw, err := event.Records(eventtest.Payload(t, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := event.ParseRecord(raw[0], tables)
		if err != nil || got.Row == nil || got.Row.Verb() != test.verb || got.Row.By != test.by || got.Row.Sequence != got.Sequence || !got.Row.At.Equal(got.At) {
			t.Fatalf("%s: %s: %+v, %v", name, test.reason, got.Row, err)
		}
		if (got.Row.Was == "") != (test.was == "") || !strings.Contains(got.Row.Was, test.was) || (got.Row.Is == "") != (test.is == "") || !strings.Contains(got.Row.Is, test.is) {
			t.Errorf("%s: %s: was %s, is %s", name, test.reason, got.Row.Was, got.Row.Is)
		}
	}
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
	expired := strings.Replace(string(eventtest.Payload(t, "dynamodb-stream-grant-removed")), `"eventName": "REMOVE",`,
		`"eventName": "REMOVE", "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},`, 1)
	raw, err := event.Records([]byte(expired))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := event.ParseRecord(raw[0], tables); err != nil || got.Row == nil || got.Row.By != "dynamodb.amazonaws.com" {
		t.Errorf("a row that DynamoDB deleted: %+v, %v", got.Row, err)
	}
}

func TestSentinelIsNoRowChange(t *testing.T) {
	sentinel := `{"eventName":"REMOVE","eventSourceARN":"arn:aws:dynamodb:us-east-1:111122223333:table/gateway-grants/stream/x","dynamodb":{"SequenceNumber":"1","Keys":{"gateway":{"S":"*"},"grant":{"S":"` + grant.SentinelID + `"}}}}`
	replicated, err := event.Records(eventtest.Payload(t, "dynamodb-stream-grant-replicated"))
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range [][]byte{[]byte(sentinel), replicated[0]} {
		if got, err := event.ParseRecord(raw, tables); err != nil || got.Row != nil {
			t.Errorf("got %+v, %v", got.Row, err)
		}
	}
}

package handler_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/eventtest"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// callEvent is a CloudTrail call as EventBridge delivers it.
func callEvent(detail string) []byte {
	return []byte(`{"id":"e-1","source":"aws.bedrock-agentcore","detail-type":"AWS API Call via CloudTrail","account":"111122223333","region":"us-east-1","detail":` + detail + `}`)
}

func TestGatewayOfCloudTrailCall(t *testing.T) {
	cases := map[string]struct{ reason, detail, want string }{
		"resource ARN":       {"calls on policies and tags", `{"eventName":"PutResourcePolicy","requestParameters":{"resourceArn":"` + storyARN + `"}}`, storyARN},
		"escaped ARN":        {"it is part of the call's URL", `{"eventName":"PutResourcePolicy","requestParameters":{"resourceArn":"` + strings.NewReplacer("/", "%2F", ":", "%3A").Replace(storyARN) + `"}}`, storyARN},
		"gateway ARN":        {"an identifier may be an ARN", `{"eventName":"UpdateGateway","requestParameters":{"gatewayIdentifier":"` + storyARN + `"}}`, storyARN},
		"gateway id":         {"an id lives where the event does", `{"eventName":"UpdateGateway","requestParameters":{"gatewayIdentifier":"cross-account-test-abcde12345"}}`, storyARN},
		"of its own region":  {"the record's region goes before the envelope's", `{"eventName":"UpdateGateway","awsRegion":"eu-west-1","requestParameters":{"gatewayIdentifier":"gw-0123456789"}}`, "arn:aws:bedrock-agentcore:eu-west-1:111122223333:gateway/gw-0123456789"},
		"in China":           {"a region shows its partition", `{"eventName":"DeleteGateway","awsRegion":"cn-north-1","requestParameters":{"gatewayIdentifier":"gw-0123456789"}}`, "arn:aws-cn:bedrock-agentcore:cn-north-1:111122223333:gateway/gw-0123456789"},
		"in GovCloud":        {"a region shows its partition", `{"eventName":"DeleteGateway","awsRegion":"us-gov-west-1","requestParameters":{"gatewayIdentifier":"gw-0123456789"}}`, "arn:aws-us-gov:bedrock-agentcore:us-gov-west-1:111122223333:gateway/gw-0123456789"},
		"the answer":         {"a creation has no id before", `{"eventName":"CreateGateway","requestParameters":{"name":"***"},"responseElements":{"gatewayArn":"` + storyARN + `"}}`, storyARN},
		"odd parameters":     {"what is odd about the rest does not matter", `{"eventName":"CreateGateway","requestParameters":"***","responseElements":{"gatewayArn":"` + storyARN + `"}}`, storyARN},
		"no time, no caller": {"nor who and when", `{"eventName":"CreateGateway","eventTime":"just now","responseElements":{"gatewayArn":"` + storyARN + `"}}`, storyARN},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := invoke(t.Context(), w.gatewayEvents().Handle, callEvent(c.detail))
			check(t, err)
			if diff := cmp.Diff([]string{c.want}, w.reconciler.reconciled()); diff != "" {
				t.Errorf("%s: -want +got\n%s\n%s", c.reason, diff, w.log.String())
			}
		})
	}
}

func TestCauseNamesActorAndAction(t *testing.T) {
	const detail = `{"eventName":"DeleteResourcePolicy","eventID":"7a72f1e2","eventTime":"2026-11-20T09:00:17Z","userAgent":"AGENT",
		"userIdentity":{"arn":"arn:aws:sts::111122223333:assumed-role/Admin/alice"},"requestParameters":{"resourceArn":"` + storyARN + `"}}`
	const alice = "arn:aws:sts::111122223333:assumed-role/Admin/alice"
	cases := map[string]struct{ reason, agent, text, by string }{
		"by hand":       {"a call of others", "aws-cli/2.31.0", "DeleteResourcePolicy (CloudTrail event 7a72f1e2)", alice},
		"our own":       {"our clients name the product, and whatever drifted is not its doing", "aws-sdk-go-v2/1.47.7 os/linux app/gateway-grants m/E", "own DeleteResourcePolicy (CloudTrail event 7a72f1e2)", ""},
		"resembling us": {"a name that only begins like ours is another's", "aws-sdk-go-v2/1.47.7 app/gateway-grants-other", "DeleteResourcePolicy (CloudTrail event 7a72f1e2)", alice},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := invoke(t.Context(), w.gatewayEvents().Handle, callEvent(strings.Replace(detail, "AGENT", c.agent, 1)))
			check(t, err)
			want := map[string][]reconcile.Cause{storyARN: {{
				Text: c.text, By: c.by,
				RequestedAt: time.Date(2026, 11, 20, 9, 0, 17, 0, time.UTC),
			}}}
			if diff := cmp.Diff(want, w.reconciler.causes); diff != "" {
				t.Errorf("%s: -want +got\n%s", c.reason, diff)
			}
		})
	}
}

func TestEventsOfNoGatewayAreDropped(t *testing.T) {
	cases := map[string]struct {
		reason string
		raw    string
		count  string
	}{
		"a call that reads":        {"it touches nothing", string(callEvent(`{"eventName":"GetGateway"}`)), "EventsIgnored"},
		"a target":                 {"targets have no policy", string(callEvent(`{"eventName":"CreateGatewayTarget","requestParameters":{"gatewayIdentifier":"gw-0123456789"}}`)), "EventsIgnored"},
		"a call that is new":       {"AWS adds calls", string(callEvent(`{"eventName":"FrobnicateGateway"}`)), "EventsIgnored"},
		"a call that failed":       {"it touched nothing", string(callEvent(`{"eventName":"DeleteGateway","errorCode":"AccessDenied","requestParameters":{"gatewayIdentifier":"gw-0123456789"}}`)), "EventsIgnored"},
		"a runtime's policy":       {"other resources have policies, too", string(callEvent(`{"eventName":"PutResourcePolicy","requestParameters":{"resourceArn":"arn:aws:bedrock-agentcore:us-east-1:111122223333:runtime/r-1"}}`)), "EventsIgnored"},
		"another service":          {"a rule may match too much", `{"source":"aws.ec2","detail-type":"AWS API Call via CloudTrail","detail":{"eventName":"CreateGateway"}}`, "EventsIgnored"},
		"a notice of our own":      {"notices drive nothing", `{"source":"gateway-grants","detail-type":"Policy Applied","detail":{"gateway":"` + storyARN + `"}}`, "EventsIgnored"},
		"a request from elsewhere": {"only our own source asks", `{"source":"someone","detail-type":"Reconcile Requested","detail":{"gateway":"` + storyARN + `"}}`, "EventsIgnored"},
		"a call without a gateway": {"it must name one", string(callEvent(`{"eventName":"PutResourcePolicy","requestParameters":{}}`)), "EventsMalformed"},
		"an id that is none":       {"it must be one", string(callEvent(`{"eventName":"UpdateGateway","requestParameters":{"gatewayIdentifier":"a b/c"}}`)), "EventsMalformed"},
		"a gateway that is none":   {"its ARN must be one", string(callEvent(`{"eventName":"TagResource","requestParameters":{"resourceArn":"arn:aws:bedrock-agentcore:us-east-1:1:gateway/x"}}`)), "EventsMalformed"},
		"no detail":                {"there is nothing in it", `{"source":"aws.bedrock-agentcore","detail-type":"AWS API Call via CloudTrail"}`, "EventsMalformed"},
		"detail of another type":   {"a detail is an object", string(callEvent(`"x"`)), "EventsMalformed"},
		"a request for nothing":    {"it must name a gateway", `{"source":"gateway-grants","detail-type":"Reconcile Requested","detail":{}}`, "EventsMalformed"},
		"a request for everything": {"it is for the sweep to take apart", `{"source":"gateway-grants","detail-type":"Reconcile Requested","detail":{"gateway":"*"}}`, "EventsIgnored"},
		"a request of other types": {"a gateway is text", `{"source":"gateway-grants","detail-type":"Reconcile Requested","detail":{"gateway":["x"]}}`, "EventsMalformed"},
		"no object":                {"an event is an object", `[]`, "EventsMalformed"},
		"empty":                    {"an event says what it is", `{}`, "EventsMalformed"},
		"large":                    {"an event says what it is", `{"x":"` + strings.Repeat("x", 1<<20) + `"}`, "EventsMalformed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if _, err := invoke(t.Context(), w.gatewayEvents().Handle, []byte(c.raw)); err != nil {
				t.Errorf("%s: %v would come again and again", c.reason, err)
			}
			if diff := cmp.Diff(map[string]int{c.count: 1}, w.metrics.counts); diff != "" || len(w.reconciler.causes) > 0 {
				t.Errorf("%s: reconciled %v, counts -want +got\n%s", c.reason, w.reconciler.reconciled(), diff)
			}
			if lines := strings.Count(w.log.String(), "\n"); lines != 1 || w.log.Len() > 1500 {
				t.Errorf("%s: want one line that says so, got %d: %.2000s", c.reason, lines, w.log.String())
			}
		})
	}
}

// An owner may send events about its own gateways only, and only the hub
// requests reconciles, whatever the policy of the bus lets through.
func TestEventOfWrongAccountIsDropped(t *testing.T) {
	const hub, owner, listed, stranger = "111122223333", "444455556666", "777788889999", "999900001111"
	call := func(sender, account string) string {
		return `{"source":"aws.bedrock-agentcore","detail-type":"AWS API Call via CloudTrail","account":"` + sender + `","region":"us-east-1","detail":
			{"eventName":"PutResourcePolicy","requestParameters":{"resourceArn":"` + gatewayOf(account) + `"}}}`
	}
	request := func(sender, account string) string {
		return `{"source":"gateway-grants","detail-type":"Reconcile Requested","account":"` + sender + `","detail":{"gateway":"` + gatewayOf(account) + `"}}`
	}
	cases := map[string]struct {
		reason string
		owners []string
		raw    string
		want   string // account of the gateway that is reconciled; "" for none
	}{
		"owner, its own":           {"it may", []string{owner}, call(owner, owner), owner},
		"hub, its own":             {"the hub is always an owner", []string{owner}, call(hub, hub), hub},
		"any owner, where all may": {"no owners are named", nil, call(stranger, stranger), stranger},
		"owner, another's":         {"the gateway is in the hub", []string{hub, owner}, call(owner, hub), ""},
		"hub, another's":           {"CloudTrail delivers a call in the account of its gateway", []string{owner}, call(hub, owner), ""},
		"listed, its own":          {"it is on the list of owners", []string{owner}, call(listed, listed), listed},
		"listed, another's":        {"the gateway is in the hub", []string{owner}, call(listed, hub), ""},
		"stranger, a listed's":     {"it is no owner", []string{owner}, call(stranger, listed), ""},
		"stranger, its own":        {"it is no owner", []string{owner}, call(stranger, stranger), ""},
		"stranger, an owner's":     {"it is no owner", []string{owner}, call(stranger, owner), ""},
		"no account":               {"an envelope names its account", nil, call("", hub), ""},
		"hub requests":             {"it may for any owner", []string{owner}, request(hub, owner), owner},
		"owner requests":           {"only the hub does", []string{owner}, request(owner, owner), ""},
		"stranger requests":        {"only the hub does", nil, request(stranger, stranger), ""},
		"request of no account":    {"an envelope names its account", nil, request("", hub), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			check(t, w.accounts.AddToList(t.Context(), directory.TopicOwner, []directory.Note{{ID: listed, At: at}}))
			body := w.gatewayEvents()
			body.Owners = c.owners
			ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{InvokedFunctionArn: "arn:aws:lambda:us-east-1:" + hub + ":function:gateway-grants-gateway-events"})
			check(t, body.Handle(ctx, []byte(c.raw)))
			var want []string
			if c.want != "" {
				want = []string{gatewayOf(c.want)}
			}
			if diff := cmp.Diff(want, w.reconciler.reconciled()); diff != "" {
				t.Errorf("%s: -want +got\n%s\n%s", c.reason, diff, w.log.String())
			}
			dropped := w.metrics.counts["EventsMalformed"] == 1 && strings.Contains(w.log.String(), string(handler.CodeWrongSender))
			if dropped != (c.want == "") {
				t.Errorf("%s: counts %v, log %s", c.reason, w.metrics.counts, w.log.String())
			}
		})
	}
}

// An event that may be an owner's is not dropped because the list cannot be read.
func TestEventWaitsForListOfOwners(t *testing.T) {
	w := newWorld(t)
	body := w.gatewayEvents()
	body.Owners, body.Listed = []string{management}, memory.NewAccounts(memory.Config{})
	payload := `{"source":"aws.bedrock-agentcore","detail-type":"AWS API Call via CloudTrail","account":"444455556666","region":"us-east-1","detail":
		{"eventName":"PutResourcePolicy","requestParameters":{"resourceArn":"` + gatewayOf("444455556666") + `"}}}`
	if _, err := invoke(t.Context(), body.Handle, []byte(payload)); err == nil {
		t.Errorf("it was dropped: %s", w.log.String())
	}
}

func gatewayOf(account string) string {
	return "arn:aws:bedrock-agentcore:us-east-1:" + account + ":gateway/tools-0123456789"
}

func TestEventFailsOnlyIfUnrecorded(t *testing.T) {
	cases := map[string]struct {
		reason string
		fault  func(*reconciler)
		fails  bool
		counts map[string]int
	}{
		"settled": {"the outcome is recorded", func(*reconciler) {}, false, map[string]int{
			"GatewaysReconciled": 1, "ReconcilePasses": 2, "PoliciesWritten": 1,
			"HeadroomBytes": 20480, "HeadroomStatements": 100, "GrantsQuarantined": 0, "GrantsWithoutRoom": 0, "GrantsInvalid": 0,
		}},
		"failing": {
			"so is a failure, which is tried again by itself", func(r *reconciler) { r.failing = &grant.Error{Code: "Throttled"} }, false,
			map[string]int{"GatewaysReconciled": 1, "ReconcilePasses": 2, "ReconcilesFailing": 1, "PoliciesWritten": 1},
		},
		"unrecorded": {
			"the same event may do better later", func(r *reconciler) { r.fails = map[string]error{storyARN: errors.New("no state table")} }, true,
			nil,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.fault(&w.reconciler)
			if _, err := invoke(t.Context(), w.gatewayEvents().Handle, eventtest.Payload(t, "reconcile-requested")); (err != nil) != c.fails {
				t.Errorf("%s: error %v", c.reason, err)
			}
			if diff := cmp.Diff(c.counts, w.metrics.of[storyARN]); diff != "" || (w.metrics.counts["OutcomesLost"] == 1) != c.fails {
				t.Errorf("%s: -want +got\n%s", c.reason, diff)
			}
		})
	}
}

package event_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/eventtest"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// accountsChanged parses an event about accounts; false where it is Ignored.
func accountsChanged(raw string) (event.AccountsChanged, bool, error) {
	got, err := event.Parse([]byte(raw))
	about, is := got.(event.AccountsChanged)
	return about, is, err
}

func TestMembershipEvents(t *testing.T) {
	cases := map[string]struct {
		reason string
		detail string
		want   []string
	}{
		"nested":           {"the path is not documented", `{"eventName":"AccountJoinedOrganization","serviceEventDetails":{"membership":{"account":{"id":"444455556666"}}}}`, account},
		"in a list":        {"nor is its kind", `{"eventName":"AccountJoinedOrganization","serviceEventDetails":{"accounts":["111122223333","444455556666"]}}`, account},
		"as a parameter":   {"nor that it is a service event", `{"eventName":"AccountDepartedOrganization","requestParameters":{"accountId":"444455556666"}}`, account},
		"in an answer":     {"nor that it is a service event", `{"eventName":"AccountDepartedOrganization","responseElements":{"accountId":"444455556666"}}`, account},
		"repeated":         {"one account is read once", `{"eventName":"AccountDepartedOrganization","requestParameters":{"a":"444455556666"},"serviceEventDetails":{"b":"444455556666"}}`, account},
		"management's own": {"creating an organization says that its management account joined", `{"eventName":"AccountJoinedOrganization","serviceEventDetails":{"accountId":"111122223333"}}`, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, is, err := accountsChanged(`{"source":"aws.organizations","detail-type":"x","account":"111122223333","detail":` + c.detail + `}`)
			if err != nil {
				t.Fatalf("%s: %v", c.reason, err)
			}
			if diff := cmp.Diff(c.want, got.Accounts); diff != "" || is != (c.want != nil) {
				t.Errorf("%s: ignored %t, -want +got\n%s", c.reason, !is, diff)
			}
		})
	}
}

// Something happened to some account: AWS may have changed the form of the event.
func TestMalformedOrganizationEventConcernsAll(t *testing.T) {
	many := make([]string, 11)
	for i := range many {
		many[i] = `"4444555566` + string(rune('0'+i/10)) + string(rune('0'+i%10)) + `"`
	}
	for name, raw := range map[string]string{
		"no account":        `{"source":"aws.organizations","detail":{"eventName":"MoveAccount","requestParameters":{}}}`,
		"null parameters":   `{"source":"aws.organizations","detail":{"eventName":"MoveAccount","requestParameters":null}}`,
		"parameters a list": `{"source":"aws.organizations","detail":{"eventName":"CloseAccount","requestParameters":["444455556666"]}}`,
		"account is no id":  `{"source":"aws.organizations","detail":{"eventName":"MoveAccount","requestParameters":{"accountId":"44445555666"}}}`,
		"account is number": `{"source":"aws.organizations","detail":{"eventName":"MoveAccount","requestParameters":{"accountId":444455556666}}}`,
		"untagged nothing":  `{"source":"aws.organizations","detail":{"eventName":"UntagResource","requestParameters":{"tagKeys":["env"]}}}`,
		"result of nothing": `{"source":"aws.organizations","detail":{"eventName":"CreateAccountResult","serviceEventDetails":{"createAccountStatus":{"state":"SUCCEEDED"}}}}`,
		"joined no one":     `{"source":"aws.organizations","detail":{"eventName":"AccountJoinedOrganization","serviceEventDetails":{}}}`,
		"enrolled no one":   `{"source":"aws.controltower","detail":{"eventName":"CreateManagedAccount","serviceEventDetails":{"createManagedAccountStatus":{"state":"SUCCEEDED"}}}}`,
		"no resource":       `{"source":"aws.tag","resources":[],"detail":{"service":"organizations","resource-type":"account"}}`,
		"odd resource":      `{"source":"aws.tag","resources":["arn:aws:organizations::111122223333:account/o-exampleorgid/x"],"detail":{"service":"organizations","resource-type":"account"}}`,
		"a crowd":           `{"source":"aws.organizations","detail":{"eventName":"AccountJoinedOrganization","serviceEventDetails":{"ids":[` + strings.Join(many, ",") + `]}}}`,
		"odd identity too":  `{"source":"aws.organizations","detail":{"eventName":"MoveAccount","userIdentity":7}}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := accountsChanged(raw)
			if err != nil || !got.All || got.Fault == "" || len(got.Accounts) > 0 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestFailedCallConcernsNoAccount(t *testing.T) {
	for name, raw := range map[string]string{
		"a creation":        `{"source":"aws.organizations","detail":{"eventName":"CreateAccountResult","serviceEventDetails":{"createAccountStatus":{"state":"FAILED"}}}}`,
		"a closure":         `{"source":"aws.organizations","detail":{"eventName":"CloseAccountResult","serviceEventDetails":{"closeAccountStatus":{"state":"FAILED","accountId":"444455556666"}}}}`,
		"an enrolment":      `{"source":"aws.controltower","detail":{"eventName":"CreateManagedAccount","serviceEventDetails":{"createManagedAccountStatus":{"state":"FAILED","account":{"accountId":"444455556666"}}}}}`,
		"an update":         `{"source":"aws.controltower","detail":{"eventName":"UpdateManagedAccount","serviceEventDetails":{"updateManagedAccountStatus":{"state":"FAILED","account":{"accountId":"444455556666"}}}}}`,
		"a call":            `{"source":"aws.organizations","detail":{"eventName":"CloseAccount","errorCode":"AccessDenied","requestParameters":{"accountId":"444455556666"}}}`,
		"an odd failure":    `{"source":"aws.organizations","detail":{"eventName":"CloseAccount","errorCode":{"code":1},"requestParameters":{"accountId":"444455556666"}}}`,
		"a call, malformed": `{"source":"aws.organizations","detail":{"eventName":"MoveAccount","errorCode":"AccessDenied","requestParameters":null}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, is, err := accountsChanged(raw); err != nil || is {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

var twelveDigits = regexp.MustCompile(`^\d{12}$`)

func FuzzParse(f *testing.F) {
	for name := range parsed {
		f.Add(eventtest.Payload(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := event.Parse(raw)
		if err != nil {
			if code := grant.CodeOf(err); code != event.CodeUnreadable && code != event.CodeMalformed {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		switch e := got.(type) {
		case event.AccountsChanged:
			if (len(e.Accounts) == 0) != e.All || e.All != (e.Fault != "") {
				t.Errorf("%+v names neither accounts nor why it does not", e)
			}
			if slices.ContainsFunc(e.Accounts, func(id string) bool { return !twelveDigits.MatchString(id) }) {
				t.Errorf("%v are not all account ids", e.Accounts)
			}
		case event.GatewayCall:
			if _, err := grant.ParseGateway(e.Gateway.ARN()); err != nil {
				t.Errorf("%+v names no gateway: %v", e, err)
			}
		case event.Requested:
			if _, err := grant.ParseGateway(e.Request.Scope()); err != nil && !e.Request.Every {
				t.Errorf("%+v names no gateway: %v", e, err)
			}
		case event.Ignored:
			if e.Reason == "" {
				t.Errorf("%+v does not say why", e)
			}
		}
	})
}

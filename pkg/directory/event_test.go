package directory_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

const (
	management = "111122223333"
	alice      = "arn:aws:sts::111122223333:assumed-role/Admin/alice"
)

var account = []string{"444455556666"}

// Each payload in events/ that may concern an account.
var hints = map[string]struct {
	reason string
	want   directory.Hint
}{
	"controltower-create-managed-account": {"Control Tower names the account in its status", directory.Hint{Event: "CreateManagedAccount", Accounts: account}},
	"controltower-update-managed-account": {"a creation that was retried is an update", directory.Hint{Event: "UpdateManagedAccount", Accounts: account}},
	"organizations-account-departed":      {"the account is looked for, since AWS does not say where it stands", directory.Hint{Event: "AccountDepartedOrganization", Accounts: account}},
	"organizations-account-joined":        {"the same", directory.Hint{Event: "AccountJoinedOrganization", Accounts: account}},
	"organizations-close-account":         {"a call names its account", directory.Hint{Event: "CloseAccount", Accounts: account, By: alice}},
	"organizations-close-account-result":  {"and so does its result", directory.Hint{Event: "CloseAccountResult", Accounts: account}},
	"organizations-create-account": {
		"a creation under way has no account yet", directory.Hint{Event: "CreateAccount", By: alice, Ignored: "no event about an account"},
	},
	"organizations-create-account-result": {"one that succeeded has", directory.Hint{Event: "CreateAccountResult", Accounts: account}},
	"organizations-create-account-result-failed": {
		"one that failed never will", directory.Hint{Event: "CreateAccountResult", Ignored: "names no account"},
	},
	"organizations-move-account": {"a call names its account", directory.Hint{Event: "MoveAccount", Accounts: account, By: alice}},
	"organizations-move-account-failed": {
		"failed calls are delivered, too", directory.Hint{Event: "MoveAccount", By: alice, Ignored: "the call failed with DuplicateAccountException"},
	},
	"organizations-remove-account": {"a call names its account", directory.Hint{Event: "RemoveAccountFromOrganization", Accounts: account, By: alice}},
	"organizations-tag-resource":   {"a tag may be one that selects", directory.Hint{Event: "TagResource", Accounts: account, By: alice}},
	"organizations-tag-resource-on-unit": {
		"tags of units select nobody", directory.Hint{Event: "TagResource", By: alice, Ignored: "names no account"},
	},
	"organizations-untag-resource": {"nor do tags that are gone", directory.Hint{Event: "UntagResource", Accounts: account, By: alice}},
	"tag-change-on-account":        {"the account ends the resource's ARN", directory.Hint{Event: "Tag Change on Resource", Accounts: account}},
}

func TestEveryEventHintsAtItsAccount(t *testing.T) {
	for _, pattern := range []string{"organizations-*", "controltower-*", "tag-*"} {
		files, err := filepath.Glob("../../events/" + pattern + ".json")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".json")
			t.Run(name, func(t *testing.T) {
				c, ok := hints[name]
				if !ok {
					t.Fatal("this payload has no case")
				}
				got, err := directory.ReadEvent(payload(t, name))
				if err != nil {
					t.Fatalf("%s: %v", c.reason, err)
				}
				c.want.Sender = management
				if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(directory.Hint{}, "ID")); diff != "" || got.ID == "" {
					t.Errorf("%s: id %q, -want +got\n%s", c.reason, got.ID, diff)
				}
			})
		}
	}
}

func TestMembershipEventsAreReadHoweverTheyNameTheirAccount(t *testing.T) {
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
			got, err := directory.ReadEvent([]byte(`{"source":"aws.organizations","detail-type":"x","account":"111122223333","detail":` + c.detail + `}`))
			if err != nil {
				t.Fatalf("%s: %v", c.reason, err)
			}
			if diff := cmp.Diff(c.want, got.Accounts); diff != "" || (got.Ignored == "") != (c.want != nil) {
				t.Errorf("%s: ignored %q, -want +got\n%s", c.reason, got.Ignored, diff)
			}
		})
	}
}

func TestEventsOfOthersAreIgnored(t *testing.T) {
	for name, raw := range map[string]string{
		"another service":    `{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification","account":"111122223333","detail":{"state":"running"}}`,
		"another event":      `{"source":"aws.organizations","account":"111122223333","detail":{"eventName":"EffectivePolicyValidation"}}`,
		"another resource":   `{"source":"aws.tag","account":"111122223333","resources":["arn:aws:ec2:us-east-1:111122223333:instance/i-0"],"detail":{"service":"ec2","resource-type":"instance"}}`,
		"a unit's tags":      `{"source":"aws.tag","account":"111122223333","resources":["arn:aws:organizations::111122223333:ou/o-exampleorgid/ou-ab12-11111111"],"detail":{"service":"organizations","resource-type":"ou"}}`,
		"the same name":      `{"source":"aws.sso","account":"111122223333","detail":{"eventName":"TagResource","requestParameters":{"resourceId":"444455556666"}}}`,
		"nothing in it":      `{"detail":{}}`,
		"more than expected": `{"source":"aws.organizations","account":"111122223333","version":7,"detail":{"eventName":"ListRoots","requestParameters":[1,2]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			hint, err := directory.ReadEvent([]byte(raw))
			if err != nil || hint.Ignored == "" || len(hint.Accounts) > 0 {
				t.Errorf("got %+v, %v", hint, err)
			}
		})
	}
}

func TestWhatIsNoEventIsMalformed(t *testing.T) {
	for name, raw := range map[string]string{
		"no JSON":            `{"source":`,
		"no object":          `[]`,
		"no detail":          `{"source":"aws.organizations"}`,
		"detail is text":     `{"source":"aws.organizations","detail":"x"}`,
		"detail is null":     `{"source":"aws.organizations","detail":null}`,
		"tag without detail": `{"source":"aws.tag"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if hint, err := directory.ReadEvent([]byte(raw)); !errors.Is(err, directory.ErrMalformed) {
				t.Errorf("got %+v, %v", hint, err)
			}
		})
	}
}

// Something happened to some account: AWS may have changed how it tells.
func TestAnEventThatShouldBeUnderstoodAndIsNotHintsAtAll(t *testing.T) {
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
		"joined nobody":     `{"source":"aws.organizations","detail":{"eventName":"AccountJoinedOrganization","serviceEventDetails":{}}}`,
		"enrolled nobody":   `{"source":"aws.controltower","detail":{"eventName":"CreateManagedAccount","serviceEventDetails":{"createManagedAccountStatus":{"state":"SUCCEEDED"}}}}`,
		"no resource":       `{"source":"aws.tag","resources":[],"detail":{"service":"organizations","resource-type":"account"}}`,
		"odd resource":      `{"source":"aws.tag","resources":["arn:aws:organizations::111122223333:account/o-exampleorgid/x"],"detail":{"service":"organizations","resource-type":"account"}}`,
		"a crowd":           `{"source":"aws.organizations","detail":{"eventName":"AccountJoinedOrganization","serviceEventDetails":{"ids":[` + strings.Join(many, ",") + `]}}}`,
		"odd identity too":  `{"source":"aws.organizations","detail":{"eventName":"MoveAccount","userIdentity":7}}`,
	} {
		t.Run(name, func(t *testing.T) {
			hint, err := directory.ReadEvent([]byte(raw))
			if err != nil || !hint.All || hint.Fault == "" || hint.Ignored != "" || len(hint.Accounts) > 0 {
				t.Errorf("got %+v, %v", hint, err)
			}
		})
	}
}

func TestWhatFailedHintsAtNothing(t *testing.T) {
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
			hint, err := directory.ReadEvent([]byte(raw))
			if err != nil || hint.All || hint.Ignored == "" || len(hint.Accounts) > 0 {
				t.Errorf("got %+v, %v", hint, err)
			}
		})
	}
}

var twelveDigits = regexp.MustCompile(`^\d{12}$`)

func FuzzReadEvent(f *testing.F) {
	for name := range hints {
		f.Add(payload(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		hint, err := directory.ReadEvent(raw)
		if err != nil {
			if !errors.Is(err, directory.ErrMalformed) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		if (len(hint.Accounts) == 0) != (hint.All || hint.Ignored != "") || hint.All == (hint.Fault == "") || hint.All && hint.Ignored != "" {
			t.Errorf("%+v either hints or says why not", hint)
		}
		if slices.ContainsFunc(hint.Accounts, func(id string) bool { return !twelveDigits.MatchString(id) }) {
			t.Errorf("%v are not all account ids", hint.Accounts)
		}
	})
}

func payload(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile("../../events/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

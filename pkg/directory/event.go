package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Hint is what an event says may have changed. Events are best effort, come
// late, twice and out of order, so a hint only names accounts to read anew.
type Hint struct {
	Accounts []string // 12-digit ids; none where the event concerns no account, or All
	All      bool     // it concerns some account and does not say which in a way that is known
	Sender   string   // the account that the event came from
	Event    string   // its name, such as MoveAccount
	ID       string   // of the event, to find it in CloudTrail
	By       string   // ARN of who did it; "" for AWS itself or where unknown
	Ignored  string   // why there is nothing to read; "" where there is
	Fault    string   // why All
}

// ErrMalformed marks an event that does not have the shape of its kind.
var ErrMalformed = errors.New("malformed event")

// ReadEvent reads an event as EventBridge delivers it. An event that it does
// not know, or of a call that failed, is a hint that says so. One that it knows
// and cannot understand hints at All: something happened, and AWS may have
// changed how it tells. What is no such event at all is an error, ErrMalformed.
// https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-organizations.html
func ReadEvent(raw []byte) (Hint, error) {
	var event envelope
	if err := json.Unmarshal(raw, &event); err != nil {
		return Hint{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if event.Source == "aws.tag" {
		return event.tagChange()
	}
	return event.call()
}

type envelope struct {
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// detail is a CloudTrail record. All of it stays open: its shape is partly
// undocumented, and one odd field must not hide the rest.
type detail map[string]any

func (d detail) text(path ...string) string {
	text, _ := at(map[string]any(d), path...).(string)
	return text
}

// finders say where the events of each source name their account. Each returns
// nil where the event rightly names none.
var finders = map[string]func(detail, string) ([]string, error){
	"aws.organizations/CreateAccountResult":           result("createAccountStatus", "accountId"),
	"aws.organizations/CloseAccountResult":            result("closeAccountStatus", "accountId"),
	"aws.organizations/CloseAccount":                  inRequest("accountId"),
	"aws.organizations/MoveAccount":                   inRequest("accountId"),
	"aws.organizations/RemoveAccountFromOrganization": inRequest("accountId"),
	"aws.organizations/TagResource":                   taggedAccount,
	"aws.organizations/UntagResource":                 taggedAccount,
	"aws.organizations/AccountJoinedOrganization":     anyAccount,
	"aws.organizations/AccountDepartedOrganization":   anyAccount,
	"aws.controltower/CreateManagedAccount":           result("createManagedAccountStatus", "account", "accountId"),
	"aws.controltower/UpdateManagedAccount":           result("updateManagedAccountStatus", "account", "accountId"),
}

func (e envelope) call() (Hint, error) {
	var d detail
	if err := json.Unmarshal(e.Detail, &d); err != nil || d == nil {
		return Hint{}, fmt.Errorf("%w: detail of %q from %q is no object: %w", ErrMalformed, e.DetailType, e.Source, errors.Join(err))
	}
	hint := Hint{Sender: e.Account, Event: d.text("eventName"), ID: d.text("eventID"), By: d.text("userIdentity", "arn")}
	find, known := finders[e.Source+"/"+hint.Event]
	failure, failed := d["errorCode"]
	switch {
	case !known:
		hint.Ignored = "no event about an account"
		return hint, nil
	case failed && failure != nil && failure != "":
		hint.Ignored = fmt.Sprintf("the call failed with %.100v", failure)
		return hint, nil
	}
	accounts, err := find(d, e.Account)
	switch {
	case err != nil:
		hint.All, hint.Fault = true, err.Error()
	case len(accounts) == 0:
		hint.Ignored = "names no account"
	}
	hint.Accounts = accounts
	return hint, nil
}

// tagChange reads a Tag Change on Resource, whose account is the last part of
// the resource's ARN.
// https://docs.aws.amazon.com/tag-editor/latest/userguide/tag-monitor.html
func (e envelope) tagChange() (Hint, error) {
	hint := Hint{Sender: e.Account, Event: e.DetailType, ID: e.ID}
	var d struct {
		Service      string `json:"service"`
		ResourceType string `json:"resource-type"`
	}
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		return Hint{}, fmt.Errorf("%w: detail of %q: %w", ErrMalformed, e.DetailType, err)
	}
	if d.Service != "organizations" || d.ResourceType != "account" {
		hint.Ignored = "no event about an account"
		return hint, nil
	}
	hint.All = len(e.Resources) == 0
	hint.Fault = "it names no resource"
	for _, arn := range e.Resources {
		id := arn[strings.LastIndex(arn, "/")+1:]
		if !accountID.MatchString(id) {
			hint.All, hint.Accounts = true, nil
			hint.Fault = fmt.Sprintf("resource %.200q ends in no account id", arn)
			return hint, nil
		}
		hint.Accounts = append(hint.Accounts, id)
	}
	if !hint.All {
		hint.Fault = ""
	}
	return hint, nil
}

func inRequest(path ...string) func(detail, string) ([]string, error) {
	return func(d detail, _ string) ([]string, error) {
		return accountAt(d["requestParameters"], "requestParameters", path)
	}
}

// result knows that what failed changed no account.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_cloudtrail-integration.html
func result(status string, path ...string) func(detail, string) ([]string, error) {
	return func(d detail, _ string) ([]string, error) {
		if d.text("serviceEventDetails", status, "state") == "FAILED" {
			return nil, nil
		}
		return accountAt(d["serviceEventDetails"], "serviceEventDetails", append([]string{status}, path...))
	}
}

// taggedAccount knows that units, roots and policies have tags, too.
func taggedAccount(d detail, _ string) ([]string, error) {
	id, ok := at(d["requestParameters"], "resourceId").(string)
	if !ok {
		return nil, errors.New("requestParameters.resourceId is missing or no string")
	}
	if !accountID.MatchString(id) {
		return nil, nil
	}
	return []string{id}, nil
}

// anyAccount looks for account ids wherever they are, other than the management
// account's: AWS does not document where the membership events name theirs.
// https://aws.amazon.com/about-aws/whats-new/2026/05/aws-organizations-cloudtrail/
func anyAccount(d detail, management string) ([]string, error) {
	const most = 10 // such an event is about one account; more is no such event
	var ids []string
	for _, part := range []string{"serviceEventDetails", "requestParameters", "responseElements"} {
		ids = append(ids, accountsIn(d[part], management)...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > most {
		return nil, fmt.Errorf("names %d accounts, which no membership event does", len(ids))
	}
	if len(ids) == 0 && !names(d, management) {
		return nil, errors.New("names no account anywhere")
	}
	return ids, nil
}

// names tells whether an event is about the management account itself, which
// joins as the organization is made and leaves as it is deleted.
func names(d detail, management string) bool {
	return slices.Contains(accountsIn(d["serviceEventDetails"], ""), management) ||
		slices.Contains(accountsIn(d["requestParameters"], ""), management)
}

func accountsIn(value any, except string) []string {
	var ids []string
	switch v := value.(type) {
	case string:
		if accountID.MatchString(v) && v != except {
			ids = append(ids, v)
		}
	case []any:
		for _, element := range v {
			ids = append(ids, accountsIn(element, except)...)
		}
	case map[string]any:
		for _, element := range v {
			ids = append(ids, accountsIn(element, except)...)
		}
	}
	return ids
}

func accountAt(part any, name string, path []string) ([]string, error) {
	id, _ := at(part, path...).(string)
	if !accountID.MatchString(id) {
		return nil, fmt.Errorf("%s.%s is no 12-digit account id", name, strings.Join(path, "."))
	}
	return []string{id}, nil
}

func at(value any, path ...string) any {
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

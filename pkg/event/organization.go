package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// AccountsChanged is an event about accounts of an organization. Such events are
// best effort and arrive late, twice and out of order, so it only names accounts
// to read again.
type AccountsChanged struct {
	Accounts []string // 12-digit ids; at least one, or All
	All      bool     // it concerns an account that it does not name in a known way
	Fault    string   // why All
	Sender   string   // account that the event came from
	Name     string   // of the call, such as MoveAccount
	ID       string   // of the event, to find it in CloudTrail
	By       string   // ARN of the caller; "" for AWS itself or where unknown
}

var accountID = regexp.MustCompile(`^\d{12}$`)

// detail is a CloudTrail record. All of it stays open: its shape is partly
// undocumented, and one odd field must not hide the rest.
type detail map[string]any

func (d detail) text(path ...string) string {
	text, _ := at(map[string]any(d), path...).(string)
	return text
}

// finders say where the events of each source name their account. Each returns
// nil where the event rightly names none.
var finders = map[kind]func(detail, string) ([]string, error){
	{"aws.organizations", "CreateAccountResult"}:           result("createAccountStatus", "accountId"),
	{"aws.organizations", "CloseAccountResult"}:            result("closeAccountStatus", "accountId"),
	{"aws.organizations", "CloseAccount"}:                  inRequest("accountId"),
	{"aws.organizations", "MoveAccount"}:                   inRequest("accountId"),
	{"aws.organizations", "RemoveAccountFromOrganization"}: inRequest("accountId"),
	{"aws.organizations", "TagResource"}:                   taggedAccount,
	{"aws.organizations", "UntagResource"}:                 taggedAccount,
	{"aws.organizations", "AccountJoinedOrganization"}:     anyAccount,
	{"aws.organizations", "AccountDepartedOrganization"}:   anyAccount,
	{"aws.controltower", "CreateManagedAccount"}:           result("createManagedAccountStatus", "account", "accountId"),
	{"aws.controltower", "UpdateManagedAccount"}:           result("updateManagedAccountStatus", "account", "accountId"),
}

const noAccount = "the event is about no account"

// parseAccountCall reads a call about an account, or the result of one. One that
// is known and names its account in no known way concerns All: something happened,
// and AWS may have changed the form of its events.
func parseAccountCall(e envelope) (Event, error) {
	var d detail
	if err := json.Unmarshal(e.Detail, &d); err != nil || d == nil {
		return nil, e.malformed("its detail is no object", err)
	}
	changed := AccountsChanged{Sender: e.Account, Name: d.text("eventName"), ID: d.text("eventID"), By: d.text("userIdentity", "arn")}
	find, known := finders[kind{e.Source, changed.Name}]
	if !known {
		return ignored(changed.Name, noAccount)
	}
	if failure, failed := d["errorCode"]; failed && failure != nil && failure != "" {
		return ignored(changed.Name, fmt.Sprintf("the call failed with %.100v", failure))
	}
	accounts, err := find(d, e.Account)
	switch {
	case err != nil:
		changed.All, changed.Fault = true, err.Error()
	case len(accounts) == 0:
		return ignored(changed.Name, noAccount)
	default:
		changed.Accounts = accounts
	}
	return changed, nil
}

// parseTagChange reads a Tag Change on Resource, whose account is the last part of
// the resource's ARN.
// https://docs.aws.amazon.com/tag-editor/latest/userguide/tag-monitor.html
func parseTagChange(e envelope) (Event, error) {
	var d struct {
		Service      string `json:"service"`
		ResourceType string `json:"resource-type"`
	}
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		return nil, e.malformed("its detail is no object", err)
	}
	if d.Service != "organizations" || d.ResourceType != "account" {
		return ignored(e.DetailType, noAccount)
	}
	changed := AccountsChanged{Sender: e.Account, Name: e.DetailType, ID: e.ID}
	resources := e.resources()
	if len(resources) == 0 {
		changed.All, changed.Fault = true, "it names no resource"
		return changed, nil
	}
	for _, arn := range resources {
		id := arn[strings.LastIndex(arn, "/")+1:]
		if !accountID.MatchString(id) {
			changed.All, changed.Accounts = true, nil
			changed.Fault = fmt.Sprintf("resource %.200q ends in no account id", arn)
			return changed, nil
		}
		changed.Accounts = append(changed.Accounts, id)
	}
	return changed, nil
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

// names reports whether an event is about the management account itself, which
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

package infra

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// deployment is what deployed.py finds.
type deployment struct {
	Status    string
	Reasons   map[string]string
	Listed    map[string]string // types by logical id
	Resources map[string]struct {
		Type       string
		Want, Have any
	}
}

// asked is what a stack is deployed with. The conditions say what the parameters
// make of those of the template.
type asked struct {
	Parameters map[string]string `json:"parameters"`
	Conditions map[string]bool   `json:"conditions"`
}

func deployTo(t *testing.T, endpoint, path string, with asked) deployment {
	t.Helper()
	var d deployment
	python(t, with, &d, "deployed.py", endpoint, path)
	return d
}

// check says what a deployed stack lacks of its template.
func (d deployment) check(t *testing.T) {
	t.Helper()
	if !strings.HasSuffix(d.Status, "_COMPLETE") || strings.Contains(d.Status, "ROLLBACK") {
		t.Fatalf("it ended as %s: %v", d.Status, d.Reasons)
	}
	types := make(map[string]string, len(d.Resources))
	for id, resource := range d.Resources {
		types[id] = resource.Type
	}
	if diff := cmp.Diff(types, d.Listed); diff != "" {
		t.Errorf("the stack's resources: -template +stack\n%s", diff)
	}
	for _, id := range slices.Sorted(maps.Keys(d.Resources)) {
		resource := d.Resources[id]
		if resource.Have == nil {
			t.Errorf("%s (%s) vanished", id, resource.Type)
			continue
		}
		for _, lost := range lost(id, resource.Want, resource.Have) {
			t.Error(lost)
		}
	}
}

// lost lists what is wanted and not there: every property, down to the last one.
// Services write names and numbers in their own way, and documents as text.
func lost(path string, want, have any) []string {
	if text, is := want.(string); is {
		if document, is := parsed(text); is {
			want = document
		}
	}
	if text, is := have.(string); is {
		if document, is := parsed(text); is {
			have = document
		}
	}
	var all []string
	switch want := want.(type) {
	case map[string]any:
		members, _ := have.(map[string]any)
		for name, value := range want {
			all = append(all, lost(path+"."+name, value, member(members, name))...)
		}
	case []any:
		elements, _ := have.([]any)
		if len(elements) != len(want) {
			return []string{fmt.Sprintf("%s: want %v, have %v", path, want, have)}
		}
		for i, value := range want {
			all = append(all, lost(fmt.Sprintf("%s[%d]", path, i), value, elements[i])...)
		}
	default:
		if !same(want, have) {
			all = append(all, fmt.Sprintf("%s: want %v, have %v", path, want, have))
		}
	}
	return all
}

// parsed reads a document, which is an object.
func parsed(text string) (document map[string]any, is bool) {
	return document, strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &document) == nil
}

func member(members map[string]any, name string) any {
	for have, value := range members {
		if strings.EqualFold(have, name) {
			return value
		}
	}
	return nil
}

func same(want, have any) bool {
	one, other := fmt.Sprint(want), fmt.Sprint(have)
	number, wantErr := strconv.ParseFloat(one, 64)
	haveNumber, haveErr := strconv.ParseFloat(other, 64)
	return one == other || wantErr == nil && haveErr == nil && number == haveNumber
}

func TestNothingOfATemplateIsLostOnDeployment(t *testing.T) {
	alone := map[string]bool{
		"HasRegions": false, "HasOwners": false, "HasOwnerRole": false, "HasOrganization": false, "HasOrganizationId": false,
		"ListsManagement": false, "ListsOwners": false, "HasAlarmTopic": false, "HasAlarmEmail": false, "Notifies": false, "HasDashboard": false,
	}
	everything := map[string]bool{
		"HasRegions": true, "HasOwners": true, "HasOwnerRole": true, "HasOrganization": true, "HasOrganizationId": false,
		"ListsManagement": true, "ListsOwners": true, "HasAlarmTopic": true, "HasAlarmEmail": true, "Notifies": true, "HasDashboard": true,
	}
	inOrganization := maps.Clone(everything)
	inOrganization["HasOrganizationId"], inOrganization["ListsManagement"], inOrganization["ListsOwners"] = true, false, false
	whole := map[string]string{
		"GatewayRegions": "us-east-1,eu-west-1", "OwnerAccounts": "111122223333,444455556666", "OwnerRoleName": "Owner", "OwnerExternalId": "xy",
		"ManagementAccountId": "999988887777", "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms", "ReconcileConcurrency": "2", "AlarmEmail": "platform@example.com", "MakeDashboard": "yes",
		"LogRetentionDays": "30", "SweepMinutes": "5",
	}
	endpoint := cloudtest.Moto(t).Endpoint()
	t.Run("template.yaml", func(t *testing.T) {
		deployTo(t, endpoint, "../template.yaml", asked{Conditions: alone}).check(t)
		t.Log("parameters turn every condition")
		deployTo(t, endpoint, "../template.yaml", asked{Parameters: whole, Conditions: everything}).check(t)
		t.Log("and one statement takes the place of listed accounts")
		withID := maps.Clone(whole)
		withID["OrganizationId"] = "o-exampleorg1"
		deployTo(t, endpoint, "../template.yaml", asked{Parameters: withID, Conditions: inOrganization}).check(t)
		t.Log("and back")
		deployTo(t, endpoint, "../template.yaml", asked{Conditions: alone}).check(t)
	})
	bus := "arn:aws:events:us-east-1:999999999999:event-bus/gateway-grants"
	cases := map[string]asked{
		"caller-role.yaml": {
			Parameters: map[string]string{"GatewayArns": "arn:aws:bedrock-agentcore:us-east-1:999999999999:gateway/*"},
			Conditions: map[string]bool{"HasService": true, "HasPrincipals": false, "HasBoundary": false},
		},
		"organization-events.yaml": {
			Parameters: map[string]string{"HubBusArn": bus, "HubAccountId": "999999999999", "HubAdminRoles": "arn:aws:iam::999999999999:role/Admin"},
			Conditions: map[string]bool{"TellsOfAccounts": true, "TellsOfControlTower": true, "TakesProbes": true, "Delegates": true},
		},
		"owner-account.yaml": {
			Parameters: map[string]string{"HubAccountId": "999999999999", "HubBusArn": bus, "ExternalId": "said-by-the-hub-only", "HubAdminRoles": "arn:aws:iam::999999999999:role/Admin,arn:aws:iam::999999999999:role/team/*"},
			Conditions: map[string]bool{"MakesRole": true, "HasAdmins": true},
		},
	}
	for path, with := range cases {
		t.Run(path, func(t *testing.T) { deployTo(t, endpoint, path, with).check(t) })
	}
}

func TestWhatIsLostOfAPropertyIsFound(t *testing.T) {
	cases := map[string]struct {
		want, have string
		lost       []string
	}{
		"another case, number or document": {want: `{"Name": "n", "Is": 0, "Policy": {"A": ["x"]}}`, have: `{"name": "n", "is": "0.0", "policy": "{\"A\": [\"x\"]}", "more": 1}`},
		"a property":                       {want: `{"A": {"B": 1}}`, have: `{"A": {}}`, lost: []string{"r.A.B: want 1, have <nil>"}},
		"an element":                       {want: `{"A": [1, 2]}`, have: `{"A": [1]}`, lost: []string{"r.A: want [1 2], have [1]"}},
		"a value":                          {want: `{"A": true}`, have: `{"A": false}`, lost: []string{"r.A: want true, have false"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var want, have any
			if err := errors.Join(json.Unmarshal([]byte(c.want), &want), json.Unmarshal([]byte(c.have), &have)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.lost, lost("r", want, have)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

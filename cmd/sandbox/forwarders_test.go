package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// deployForwarders has account B own gateways, and the management account take probes, of
// admins of account A.
func (p patient) deployForwarders(t *testing.T) {
	t.Helper()
	newAWSCLI(t, p.s, "account-b").deploy(t, "gateway-grants-owner", "owner-account.yaml",
		"HubAccountId="+accountA, "HubBusArn="+p.s.output(t, "EventBusArn"), "ExternalId="+ownerID, "HubAdminRoles="+adminRole)
	newAWSCLI(t, p.s, "management").deploy(t, "gateway-grants-organization-events", "organization-events.yaml", "HubAdminRoles="+adminRole)
	p.s.update(t, map[string]string{"OwnerAccounts": accountB, "OwnerRoleName": "gateway-grants-owner", "OwnerExternalId": ownerID})
}

// forwarderFault keeps events of one forwarder from the hub.
type forwarderFault struct {
	plant, want string
	account     string // in which the finding's command mends it; "" for the mend here
	mend        string
}

// Whatever keeps an account's events from the hub, the doctor's probe does not arrive.
func TestTheDoctorFindsForwardersThatDoNotDeliver(t *testing.T) {
	p := newPatient(t)
	if found := p.forwarders(t, "1m"); len(found) > 0 {
		t.Errorf("where no account forwards that the admin may send a probe in, it finds %v", found)
	}
	p.deployForwarders(t)
	if found := p.forwarders(t, "2m"); len(found) > 0 {
		t.Fatalf("where all events are forwarded it finds %v", found)
	}
	const owners, organization = "calls on gateways of account " + accountB + ", us-east-1, do not arrive", " of account " + management + ", us-east-1, do not arrive"
	for name, faults := range map[string][]forwarderFault{
		"rules are off": {
			{plant: "AWS_PROFILE=account-b aws events disable-rule --name gateway-grants-owner-events", want: owners, account: "account-b"},
			{plant: "AWS_PROFILE=management aws events disable-rule --name gateway-grants-organization-accounts", want: "events of the organization" + organization, account: "management"},
		},
		"roles lost their rights": {
			{
				plant: "AWS_PROFILE=account-b aws iam delete-role-policy --role-name gateway-grants-owner-events-us-east-1 --policy-name forward", want: owners,
				mend: `AWS_PROFILE=account-b aws iam put-role-policy --role-name gateway-grants-owner-events-us-east-1 --policy-name forward --policy-document '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "events:PutEvents", "Resource": "` + p.s.output(t, "EventBusArn") + `"}]}'`,
			},
			{plant: "AWS_PROFILE=management aws events disable-rule --name gateway-grants-organization-tags", want: "changes of accounts' tags" + organization, account: "management"},
		},
		"the hub's bus does not let the owner in": {{
			plant: "aws events remove-permission --statement-id owners --event-bus-name gateway-grants", want: owners,
			mend: "aws events put-permission --statement-id owners --event-bus-name gateway-grants --action events:PutEvents --principal " + accountB,
		}},
	} {
		t.Run(name, func(t *testing.T) { p.losesEvents(t, faults) })
	}
}

// losesEvents plants faults together, has the doctor find each and no other, and mends them.
func (p patient) losesEvents(t *testing.T, faults []forwarderFault) {
	t.Helper()
	for _, fault := range faults {
		p.shell(t, fault.plant)
	}
	found := p.forwarders(t, "20s")
	if len(found) != len(faults) {
		t.Fatalf("found %q", found)
	}
	for _, fault := range faults {
		i := slices.IndexFunc(found, func(f string) bool { return strings.HasPrefix(f, fault.want) })
		if i < 0 {
			t.Fatalf("found %q, want %q", found, fault.want)
		}
		mend := fault.mend
		if mend != "" {
			why := p.shell(t, "export AWS_PROFILE=account-b\n"+whyLost(t))
			if !strings.Contains(why, "NO_PERMISSIONS") {
				t.Errorf("why an event was not delivered is said as %s", why)
			}
		} else {
			_, command, _ := strings.Cut(found[i], ": aws ")
			command, _, _ = strings.Cut(command, ", and if")
			mend = "AWS_PROFILE=" + fault.account + " aws " + command
		}
		p.shell(t, mend)
	}
	if found := p.forwarders(t, "2m"); len(found) > 0 {
		t.Errorf("once mended it still finds %v", found)
	}
}

// whyLost is the command of docs/operations.md that says why events are not delivered.
func whyLost(t *testing.T) string {
	t.Helper()
	text := string(read(t, filepath.Join(cloudtest.Repository(t), "docs", "operations.md")))
	_, section, _ := strings.Cut(text, "\n## Forwarded events\n")
	_, block, _ := strings.Cut(section, "```sh\n")
	command, _, found := strings.Cut(block, "```")
	if !found {
		t.Fatal("docs/operations.md has no command that reads lost events")
	}
	return command
}

// forwarders are the findings of an admin about forwarders, after waiting for probes so
// long at most.
func (p patient) forwarders(t *testing.T, timeout string) []string {
	t.Helper()
	e := p.examine(t, "admin", "--timeout", timeout)
	if unread := e.unread("forwarders"); len(unread) > 0 {
		t.Fatalf("not looked at: %v", unread)
	}
	return e.findings("forwarders")
}

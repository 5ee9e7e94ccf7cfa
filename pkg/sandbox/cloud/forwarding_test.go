package cloud_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

const hubBus = "arn:aws:events:" + region + ":" + accountA + ":event-bus/hub"

// forwarded is an organization whose management account has deployed
// infra/organization-events.yaml, and account A's bus that it forwards to. It is account
// B that it lets read the organization: A may anyhow.
type forwarded struct {
	*world
	hub      *told
	forwards chan error // what came of each event that a rule picked for a bus
}

func newForwarded(t *testing.T) *forwarded {
	t.Helper()
	f := &forwarded{forwards: make(chan error, 10)}
	var forwarding *cloud.Forwarding
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var match cloud.RuleMatch
		err := json.NewDecoder(r.Body).Decode(&match)
		switch {
		case err == nil && strings.HasPrefix(match.Target, "arn:aws:sqs:"):
			f.hub.send(string(match.Event))
			return
		case err == nil:
			err = forwarding.Forward(r.Context(), match)
		}
		f.forwards <- err
	}))
	t.Cleanup(receiver.Close)
	f.world = organizedWith(t, receiver.URL)
	forwarding = &cloud.Forwarding{Moto: f.moto, Identities: f.identities, Decider: iam.Decider{Policies: f.identities}}
	f.upstream.OrganizationCalled = cloud.NewOrganizationTrail(f.moto, management, time.Now, slog.New(slog.DiscardHandler)).Record

	bus := eventbridge.NewFromConfig(f.moto.Config(accountA, region))
	if _, err := bus.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("hub")}); err != nil {
		t.Fatal(err)
	}
	// As the rule of template.yaml picks them: those that the management account tells of.
	f.hub = listenTo(t, f.world, accountA, "hub", `{"account":["`+management+`"],"source":["aws.organizations"]}`)
	f.deployOrganizationEvents(t)
	return f
}

// deployOrganizationEvents does so with the AWS CLI, as the management account.
func (f *forwarded) deployOrganizationEvents(t *testing.T) {
	t.Helper()
	key, err := f.identities.StartSession(t.Context(), "arn:aws:iam::"+management+":role/Admin", "session", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	deploy := exec.Command(filepath.Join(filepath.Dir(cloudtest.Python(t)), "aws"), "cloudformation", "deploy",
		"--template-file", filepath.Join(cloudtest.Repository(t), "infra", "organization-events.yaml"),
		"--stack-name", "organization-events", "--capabilities", "CAPABILITY_NAMED_IAM",
		"--parameter-overrides", "HubBusArn="+hubBus, "HubAccountId="+accountB)
	deploy.Env = append(os.Environ(), "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_REGION="+region, "AWS_DEFAULT_REGION="+region, "AWS_ENDPOINT_URL="+f.endpoint, "AWS_PAGER=",
		"AWS_ACCESS_KEY_ID="+key.ID, "AWS_SECRET_ACCESS_KEY="+key.Secret, "AWS_SESSION_TOKEN="+key.SessionToken)
	if output, err := deploy.CombinedOutput(); err != nil {
		t.Fatalf("deploying organization-events.yaml: %v: %s", err, output)
	}
}

// permit has the bus take events from an account.
func (f *forwarded) permit(t *testing.T, account string) {
	t.Helper()
	_, err := eventbridge.NewFromConfig(f.moto.Config(accountA, region)).PutPermission(t.Context(), &eventbridge.PutPermissionInput{
		EventBusName: aws.String("hub"), StatementId: aws.String("forward"), Action: aws.String("events:PutEvents"), Principal: &account,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// permitMembers has the hub's bus take events of an organization's accounts.
func (f *forwarded) permitMembers(t *testing.T, organization string) {
	t.Helper()
	document := `{"Version":"2012-10-17","Statement":[{"Sid":"forward","Effect":"Allow","Principal":"*","Action":"events:PutEvents",
		"Resource":"arn:aws:events:` + region + `:` + accountA + `:event-bus/hub","Condition":{"StringEquals":{"aws:PrincipalOrgID":"` + organization + `"}}}]}`
	_, err := eventbridge.NewFromConfig(f.moto.Config(accountA, region)).PutPermission(t.Context(), &eventbridge.PutPermissionInput{
		EventBusName: aws.String("hub"), Policy: &document,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// createAccount gives the new account's id.
func (f *forwarded) createAccount(t *testing.T, name string) string {
	t.Helper()
	made, err := organizations.NewFromConfig(f.as(t, management)).CreateAccount(t.Context(), &organizations.CreateAccountInput{
		AccountName: &name, Email: aws.String(name + "@example.com"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(made.CreateAccountStatus.AccountId)
}

func TestAnEventIsForwardedIfBothSidesAgree(t *testing.T) {
	f := newForwarded(t)
	f.permit(t, management)
	id := f.createAccount(t, "let-through")
	if err := <-f.forwards; err != nil {
		t.Fatalf("the hub's bus takes events of the management account: %v", err)
	}
	var events []map[string]any
	eventually(t, "the event is on the hub's bus", func() bool {
		events = append(events, f.hub.next()...)
		return len(events) > 0
	})
	if len(events) != 1 || events[0]["account"] != management || events[0]["detail-type"] != "AWS Service Event via CloudTrail" ||
		named(events[0], "serviceEventDetails", "createAccountStatus", "accountId") != id {
		t.Errorf("want CreateAccountResult of %s about %s, got %v", management, id, events)
	}

	refused := func(reason, name string) {
		t.Helper()
		f.createAccount(t, name)
		if err := <-f.forwards; !errors.Is(err, cloud.ErrNotForwarded) {
			t.Errorf("%s: want ErrNotForwarded, got %v", reason, err)
		}
		if events := f.hub.next(); len(events) > 0 {
			t.Errorf("%s: the hub has %v all the same", reason, events)
		}
	}
	f.permit(t, accountB) // instead
	refused("the hub's bus takes events of another account only", "kept-out")
	f.permitMembers(t, "o-ofothers00")
	refused("the hub's bus takes events of another organization only", "kept-out-too")
	described, err := organizations.NewFromConfig(f.as(t, management)).DescribeOrganization(t.Context(), &organizations.DescribeOrganizationInput{})
	if err != nil {
		t.Fatal(err)
	}
	f.permitMembers(t, aws.ToString(described.Organization.Id))
	f.createAccount(t, "of-the-organization")
	if err := <-f.forwards; err != nil {
		t.Errorf("the hub's bus takes events of the organization: %v", err)
	}
	eventually(t, "the event of the organization is on the hub's bus", func() bool { return len(f.hub.next()) == 1 })

	f.permit(t, management)
	client := awsiam.NewFromConfig(f.moto.Config(management, region))
	listed, err := client.ListRoles(t.Context(), &awsiam.ListRolesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range listed.Roles {
		if strings.Contains(aws.ToString(listed.Roles[i].RoleName), "gateway-grants-") {
			_, err = client.DeleteRolePolicy(t.Context(), &awsiam.DeleteRolePolicyInput{RoleName: listed.Roles[i].RoleName, PolicyName: aws.String("forward")})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	refused("the role may not put events anywhere", "not-permitted")
}

func TestDelegationPolicyAllowsReads(t *testing.T) {
	f := newForwarded(t)
	client := organizations.NewFromConfig(f.as(t, accountB))
	listed, err := client.ListAccounts(t.Context(), &organizations.ListAccountsInput{})
	if err != nil || len(listed.Accounts) != 3 {
		t.Errorf("account B lists the accounts: %v, %v", listed, err)
	}
	for reason, call := range map[string]func() error{
		"the policy does not name this one": func() error {
			_, err := client.ListPolicies(t.Context(), &organizations.ListPoliciesInput{Filter: types.PolicyTypeServiceControlPolicy})
			return err
		},
		"it is to read": func() error {
			_, err := client.CloseAccount(t.Context(), &organizations.CloseAccountInput{AccountId: aws.String(accountA)})
			return err
		},
	} {
		if err := call(); errorCode(err) != "AccessDeniedException" {
			t.Errorf("%s: want AccessDeniedException, got %v", reason, err)
		}
	}

	_, err = organizations.NewFromConfig(f.as(t, management)).DeleteResourcePolicy(t.Context(), &organizations.DeleteResourcePolicyInput{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.ListAccounts(t.Context(), &organizations.ListAccountsInput{}); errorCode(err) != "AccessDeniedException" {
		t.Errorf("without the policy: want AccessDeniedException, got %v", err)
	}
}

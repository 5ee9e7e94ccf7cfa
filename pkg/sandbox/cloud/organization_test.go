package cloud_test

import (
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

const management = "999900001111"

// organized is a moto whose organization has accounts A and B, in which A is a
// delegated administrator.
func organized(t *testing.T) *world {
	t.Helper()
	return organizedWith(t, "")
}

// organizedWith hands what rules pick to a URL.
func organizedWith(t *testing.T, events string) *world {
	t.Helper()
	moto, err := cloud.StartMoto(t.Context(), cloud.Options{
		Python: cloudtest.Python(t), Log: filepath.Join(t.TempDir(), "moto.log"),
		Accounts: []string{management, accountA, accountB}, Events: events,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := moto.Stop(); err != nil {
			t.Error(err)
		}
	})
	client := organizations.NewFromConfig(moto.Config(management, region))
	if _, err := client.CreateOrganization(t.Context(), &organizations.CreateOrganizationInput{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if _, err := client.CreateAccount(t.Context(), &organizations.CreateAccountInput{AccountName: &name, Email: aws.String(name + "@example.com")}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = client.RegisterDelegatedAdministrator(t.Context(), &organizations.RegisterDelegatedAdministratorInput{
		AccountId: aws.String(accountA), ServicePrincipal: aws.String("ssm.amazonaws.com"),
	})
	if err != nil {
		t.Fatal(err)
	}
	identities := cloud.NewIdentities(moto, region, management, []string{management}, time.Now)
	upstream, err := cloud.NewUpstream(moto, &sigv4.Verifier{Keys: identities, Now: time.Now}, identities)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(upstream)
	t.Cleanup(server.Close)
	w := &world{moto: moto, identities: identities, upstream: upstream, endpoint: server.URL}
	for _, account := range []string{management, accountA, accountB} {
		w.createRole(t, awsiam.NewFromConfig(moto.Config(account, region)), "Admin", account)
	}
	return w
}

func TestOrganizationReadersAndWriters(t *testing.T) {
	w := organized(t)
	cases := map[string]struct {
		reason, account string
		create          bool
		want            string // error code
	}{
		"management reads":   {reason: "the organization is its own", account: management},
		"delegated reads":    {reason: "any delegated administrator may", account: accountA},
		"member reads":       {reason: "a member may not", account: accountB, want: "AccessDeniedException"},
		"management creates": {reason: "the organization is its own", account: management, create: true},
		"delegated creates":  {reason: "delegation is to read", account: accountA, create: true, want: "AccessDeniedException"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := organizations.NewFromConfig(w.as(t, c.account))
			if c.create {
				_, err := client.CreateOrganizationalUnit(t.Context(), &organizations.CreateOrganizationalUnitInput{Name: aws.String("agents"), ParentId: root(t, w)})
				if got := errorCode(err); got != c.want {
					t.Errorf("%s: want %q, got %v", c.reason, c.want, err)
				}
				return
			}
			listed, err := client.ListAccounts(t.Context(), &organizations.ListAccountsInput{})
			if got := errorCode(err); got != c.want || err != nil && c.want == "" {
				t.Fatalf("%s: want %q, got %v", c.reason, c.want, err)
			}
			if c.want != "" {
				return
			}
			var ids []string
			for i := range listed.Accounts {
				ids = append(ids, aws.ToString(listed.Accounts[i].Id))
			}
			if diff := cmp.Diff([]string{management, accountA, accountB}, ids); diff != "" {
				t.Errorf("%s: accounts (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

func root(t *testing.T, w *world) *string {
	t.Helper()
	roots, err := organizations.NewFromConfig(w.moto.Config(management, region)).ListRoots(t.Context(), &organizations.ListRootsInput{})
	if err != nil {
		t.Fatal(err)
	}
	return roots.Roots[0].Id
}

func TestANewMemberOfTheOrganizationExists(t *testing.T) {
	w := organized(t)
	made, err := organizations.NewFromConfig(w.as(t, management)).CreateAccount(t.Context(), &organizations.CreateAccountInput{
		AccountName: aws.String("new"), Email: aws.String("new@example.com"),
	})
	if err != nil {
		t.Fatal(err)
	}
	id := aws.ToString(made.CreateAccountStatus.AccountId)
	if got, err := w.identities.UniqueID("arn:aws:iam::" + id + ":root"); err != nil || got != id {
		t.Errorf("the new account's root: want %s, got %q, %v", id, got, err)
	}
	if got, err := w.identities.UniqueID("arn:aws:iam::" + stranger + ":root"); err != nil || got != "" {
		t.Errorf("an account that does not exist: want none, got %q, %v", got, err)
	}
}

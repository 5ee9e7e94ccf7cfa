package organizations_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/organizations"
)

// service answers as Organizations does over the wire: each operation's answers
// one after the other, by the token asked for.
type service map[string]map[string]string // operation, then NextToken, to body

func (s service) client(t *testing.T) *organizations.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		var asked struct {
			NextToken string `json:"NextToken"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
		body, ok := s[operation][asked.NextToken]
		if !ok {
			t.Errorf("%s with token %q was not expected", operation, asked.NextToken)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if strings.Contains(body, "__type") {
			w.WriteHeader(http.StatusBadRequest)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return organizations.New(sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	}), (&ticking{}).clock())
}

// ticking is a clock that only waiting moves.
type ticking struct{ elapsed time.Duration }

func (c *ticking) clock() organizations.Clock {
	return organizations.Clock{
		Now: func() time.Time { return time.Unix(0, 0).Add(c.elapsed) },
		Sleep: func(ctx context.Context, d time.Duration) error {
			c.elapsed += d
			return ctx.Err()
		},
	}
}

// everyone lists page after page.
func everyone(ctx context.Context, client *organizations.Client) (members []dirsync.Member, err error) {
	for token := ""; ; {
		page, err := client.Members(ctx, token)
		members = append(members, page.Members...)
		if token = page.Next; err != nil || token == "" {
			return members, err
		}
	}
}

func TestMemberHasStateAndPaths(t *testing.T) {
	client := service{"DescribeAccount": {"": `{"Account":{"Id":"444455556666","Name":"Tools","State":"PENDING_CLOSURE","Status":"ACTIVE",
		"Paths":["o-exampleorgid/r-ab12/ou-ab12-11111111/444455556666/"]}}`}}.client(t)
	got, found, err := client.Member(t.Context(), "444455556666")
	if err != nil || !found {
		t.Fatal(found, err)
	}
	want := dirsync.Member{
		ID: "444455556666", Name: "Tools", State: directory.StatePendingClosure,
		Paths: []string{"o-exampleorgid/r-ab12/ou-ab12-11111111/444455556666/"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestUnknownMemberIsNoError(t *testing.T) {
	client := service{"DescribeAccount": {"": `{"__type":"AccountNotFoundException","Message":"You specified an account that doesn't exist."}`}}.client(t)
	if member, found, err := client.Member(t.Context(), "444455556666"); found || err != nil {
		t.Errorf("got %+v, %v, %v", member, found, err)
	}
}

func TestAllPagesAreReadThoughSomeAreEmpty(t *testing.T) {
	client := service{
		"ListAccounts": {
			"":  `{"Accounts":[{"Id":"111122223333","State":"ACTIVE"}],"NextToken":"a"}`,
			"a": `{"Accounts":[],"NextToken":"b"}`,
			"b": `{"Accounts":[{"Id":"444455556666","Name":"Tools","State":"SUSPENDED"}]}`,
		},
		"ListTagsForResource": {
			"":  `{"Tags":[],"NextToken":"a"}`,
			"a": `{"Tags":[{"Key":"env","Value":"prod"},{"Key":"empty","Value":""}]}`,
		},
		"ListParents": {"": `{"Parents":[],"NextToken":"a"}`, "a": `{"Parents":[{"Id":"r-ab12","Type":"ROOT"}]}`},
	}.client(t)

	members, err := everyone(t.Context(), client)
	want := []dirsync.Member{{ID: "111122223333", State: directory.StateActive}, {ID: "444455556666", Name: "Tools", State: directory.StateSuspended}}
	if diff := cmp.Diff(want, members); err != nil || diff != "" {
		t.Errorf("members: %v, -want +got\n%s", err, diff)
	}
	tags, err := client.Tags(t.Context(), "444455556666")
	if diff := cmp.Diff(map[string]string{"env": "prod", "empty": ""}, tags); err != nil || diff != "" {
		t.Errorf("tags: %v, -want +got\n%s", err, diff)
	}
	if parent, err := client.Parent(t.Context(), "444455556666"); err != nil || parent != "r-ab12" {
		t.Errorf("parent: %q, %v", parent, err)
	}
}

func TestOrganizationNamesManagementAccount(t *testing.T) {
	client := service{"DescribeOrganization": {"": `{"Organization":{"Id":"o-exampleorgid","MasterAccountId":"111122223333"}}`}}.client(t)
	got, err := client.Organization(t.Context())
	if diff := cmp.Diff(dirsync.Organization{ID: "o-exampleorgid", Management: "111122223333"}, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got\n%s", err, diff)
	}
}

func TestIncompleteAnswerIsAnError(t *testing.T) {
	const throttled = `{"__type":"TooManyRequestsException","Message":"slow down"}`
	ctx := t.Context()
	cases := map[string]struct {
		reason string
		answer service
		ask    func(*organizations.Client) error
	}{
		"second page fails": {
			"half a list is none",
			service{"ListAccounts": {"": `{"Accounts":[{"Id":"111122223333","State":"ACTIVE"}],"NextToken":"a"}`, "a": throttled}},
			func(c *organizations.Client) error { _, err := everyone(ctx, c); return err },
		},
		"account without id": {
			"no account can be meant", service{"ListAccounts": {"": `{"Accounts":[{"State":"ACTIVE"}]}`}},
			func(c *organizations.Client) error { _, err := everyone(ctx, c); return err },
		},
		"no account":       {"an empty answer", service{"DescribeAccount": {"": `{}`}}, func(c *organizations.Client) error { _, _, err := c.Member(ctx, "444455556666"); return err }},
		"throttled":        {"not the same as gone", service{"DescribeAccount": {"": throttled}}, func(c *organizations.Client) error { _, _, err := c.Member(ctx, "444455556666"); return err }},
		"no parent":        {"everything is somewhere", service{"ListParents": {"": `{"Parents":[]}`}}, func(c *organizations.Client) error { _, err := c.Parent(ctx, "444455556666"); return err }},
		"no organization":  {"an empty answer", service{"DescribeOrganization": {"": `{}`}}, func(c *organizations.Client) error { _, err := c.Organization(ctx); return err }},
		"not in use":       {"there is none", service{"DescribeOrganization": {"": `{"__type":"AWSOrganizationsNotInUseException","Message":"no"}`}}, func(c *organizations.Client) error { _, err := c.Organization(ctx); return err }},
		"tags are refused": {"no permission is not no tags", service{"ListTagsForResource": {"": `{"__type":"AccessDeniedException","Message":"no"}`}}, func(c *organizations.Client) error { _, err := c.Tags(ctx, "444455556666"); return err }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if err := c.ask(c.answer.client(t)); err == nil {
				t.Errorf("%s: no error", c.reason)
			}
		})
	}
}

package cloud

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// account is all that IAM holds in one account, read at one moment.
type account struct {
	users    []types.UserDetail
	groups   []types.GroupDetail
	roles    []types.RoleDetail
	policies map[string]types.ManagedPolicyDetail // the account's own, by ARN

	mu     sync.Mutex
	parsed map[string][]*policy.Document // identity policies, by the ARN of their holder
}

// principal is a user or role with what is attached to it.
type principal struct {
	kind     iam.Kind
	name     string
	uniqueID string
	trust    string // of a role
	inline   []types.PolicyDetail
	attached []types.AttachedPolicy
}

func readAccount(ctx context.Context, client *awsiam.Client, id string) (*account, error) {
	read := &account{policies: map[string]types.ManagedPolicyDetail{}}
	pages := awsiam.NewGetAccountAuthorizationDetailsPaginator(client, &awsiam.GetAccountAuthorizationDetailsInput{
		// AWS's own policies are a thousand and more: those that are attached are read one by one.
		Filter: []types.EntityType{types.EntityTypeUser, types.EntityTypeGroup, types.EntityTypeRole, types.EntityTypeLocalManagedPolicy},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading IAM of account %s: %w", id, err)
		}
		read.users = append(read.users, page.UserDetailList...)
		read.groups = append(read.groups, page.GroupDetailList...)
		read.roles = append(read.roles, page.RoleDetailList...)
		for i := range page.Policies {
			read.policies[aws.ToString(page.Policies[i].Arn)] = page.Policies[i]
		}
	}
	return read, nil
}

func (a *account) find(arn string) (principal, bool) {
	for i := range a.roles {
		if role := &a.roles[i]; aws.ToString(role.Arn) == arn {
			return principal{
				kind: iam.KindAssumedRole, name: aws.ToString(role.RoleName), uniqueID: aws.ToString(role.RoleId),
				trust: aws.ToString(role.AssumeRolePolicyDocument), inline: role.RolePolicyList, attached: role.AttachedManagedPolicies,
			}, true
		}
	}
	for i := range a.users {
		if user := &a.users[i]; aws.ToString(user.Arn) == arn {
			inline, attached := a.groupPolicies(user.GroupList)
			return principal{
				kind: iam.KindUser, name: aws.ToString(user.UserName), uniqueID: userID(aws.ToString(user.UserId)),
				inline: append(inline, user.UserPolicyList...), attached: append(attached, user.AttachedManagedPolicies...),
			}, true
		}
	}
	return principal{}, false
}

// arn finds the ARN of a role, user, group or policy of the account's by its name;
// "" if there is none.
func (a *account) arn(kind, name string) string {
	switch kind {
	case "role":
		for i := range a.roles {
			if aws.ToString(a.roles[i].RoleName) == name {
				return aws.ToString(a.roles[i].Arn)
			}
		}
	case "user":
		for i := range a.users {
			if aws.ToString(a.users[i].UserName) == name {
				return aws.ToString(a.users[i].Arn)
			}
		}
	case "group":
		for i := range a.groups {
			if aws.ToString(a.groups[i].GroupName) == name {
				return aws.ToString(a.groups[i].Arn)
			}
		}
	case "policy":
		for arn, own := range a.policies {
			if aws.ToString(own.PolicyName) == name {
				return arn
			}
		}
	}
	return ""
}

func (a *account) groupPolicies(names []string) ([]types.PolicyDetail, []types.AttachedPolicy) {
	var inline []types.PolicyDetail
	var attached []types.AttachedPolicy
	for _, name := range names {
		for i := range a.groups {
			if group := &a.groups[i]; aws.ToString(group.GroupName) == name {
				inline = append(inline, group.GroupPolicyList...)
				attached = append(attached, group.AttachedManagedPolicies...)
			}
		}
	}
	return inline, attached
}

// userID gives moto's unique id of a user the form that AWS's have.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func userID(id string) string {
	const prefix, length = "AIDA", 20
	if strings.HasPrefix(id, prefix) {
		return id
	}
	id = prefix + strings.ToUpper(id)
	return id[:min(len(id), length)]
}

// parsePolicy reads a document as IAM returns it: JSON, percent-encoded.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyDetail.html
func parsePolicy(name, encoded string) (*policy.Document, error) {
	text, err := url.PathUnescape(encoded)
	if err != nil {
		return nil, fmt.Errorf("decoding policy %s: %w", name, err)
	}
	document, err := policy.Parse([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("parsing policy %s: %w", name, err)
	}
	return document, nil
}

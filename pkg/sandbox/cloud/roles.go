package cloud

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// ErrAttached says that a role has managed policies, of which it cannot be asked
// that all in them is used.
var ErrAttached = errors.New("the role has managed policies attached")

// Roles reads roles of an account with their inline policies, for iam.LeastPrivilege.
// They are given by the name that they have in IAM, each with the one to call it by,
// such as a stack's physical and logical ids. A role that is not there is
// iam.ErrNotFound.
func Roles(ctx context.Context, client *awsiam.Client, account string, names map[string]string) ([]iam.Role, error) {
	held, err := readAccount(ctx, client, account)
	if err != nil {
		return nil, err
	}
	var roles []iam.Role
	for _, name := range slices.Sorted(maps.Keys(names)) {
		arn := held.arn("role", name)
		found, ok := held.find(arn)
		if !ok {
			return nil, fmt.Errorf("role %s: %w", name, iam.ErrNotFound)
		}
		if len(found.attached) > 0 {
			return nil, fmt.Errorf("role %s: %w", name, ErrAttached)
		}
		role := iam.Role{Name: names[name], ARN: arn}
		for _, inline := range found.inline {
			document, err := parsePolicy(aws.ToString(inline.PolicyName), aws.ToString(inline.PolicyDocument))
			if err != nil {
				return nil, err
			}
			role.Policies = append(role.Policies, document)
		}
		roles = append(roles, role)
	}
	return roles, nil
}

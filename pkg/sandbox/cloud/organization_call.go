package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// OrganizationCall is a call to AWS Organizations with its answer, in the names of
// the API.
type OrganizationCall struct {
	Operation string // such as MoveAccount
	Caller    iam.Caller
	UserAgent string
	Request   map[string]any
	Response  map[string]any
	// ErrorCode and ErrorMessage are those of a refusal; "" for a success.
	ErrorCode, ErrorMessage string
}

type organizationCallKey struct{}

// noteOrganizationCall keeps what a verified request to Organizations asks for until
// it is answered.
func noteOrganizationCall(r *http.Request, caller iam.Caller) *http.Request {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	call := OrganizationCall{Operation: operation, Caller: caller, UserAgent: r.UserAgent()}
	body, err := io.ReadAll(r.Body) // out of memory, where its verification has put it
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil || json.Unmarshal(body, &call.Request) != nil {
		call.Request = nil // moto says what is wrong with it
	}
	return r.WithContext(context.WithValue(r.Context(), organizationCallKey{}, call))
}

// organizationAnswered looks at what moto answers to a call to Organizations before
// the caller gets it.
func (u *Upstream) organizationAnswered(answer *http.Response) error {
	ctx := answer.Request.Context()
	call, noted := ctx.Value(organizationCallKey{}).(OrganizationCall)
	if !noted {
		return nil
	}
	body, err := bodyOf(answer)
	if err != nil {
		return err
	}
	if json.Unmarshal(body, &call.Response) != nil {
		call.Response = nil // most operations answer nothing
	}
	if answer.StatusCode != http.StatusOK {
		code, _ := call.Response["__type"].(string)
		call.ErrorCode = code[strings.LastIndex(code, "#")+1:]
		call.ErrorMessage, _ = call.Response["Message"].(string) // moto writes it large
		call.Response = nil
	}
	if err := u.identities.completeAccount(ctx, call); err != nil {
		return err
	}
	if u.OrganizationCalled != nil {
		u.OrganizationCalled(ctx, call)
	}
	return nil
}

// completeAccount lets the management account do everything in an account that it
// has made: moto makes the role for that, and leaves its policy out.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_access-cross-account-role.html
func (i *Identities) completeAccount(ctx context.Context, call OrganizationCall) error {
	if call.Operation != "CreateAccount" || call.ErrorCode != "" {
		return nil
	}
	status, _ := call.Response["CreateAccountStatus"].(map[string]any)
	id, _ := status["AccountId"].(string)
	role, named := call.Request["RoleName"].(string)
	if !named {
		role = "OrganizationAccountAccessRole"
	}
	_, err := i.client(id).AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{
		RoleName: &role, PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess"),
	})
	if err != nil {
		return fmt.Errorf("completing account %s: %w", id, err)
	}
	return nil
}

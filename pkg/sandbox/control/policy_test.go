package control_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// grantTo is the policy of the story: account B may call the gateway.
func grantTo(arn string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},`+
		`"Action":"bedrock-agentcore:InvokeGateway","Resource":%q}]}`, arn)
}

func put(t *testing.T, client *bedrockagentcorecontrol.Client, arn, text string) (int, error) {
	t.Helper()
	out, err := client.PutResourcePolicy(t.Context(), &bedrockagentcorecontrol.PutResourcePolicyInput{ResourceArn: &arn, Policy: &text})
	if err != nil {
		return status(t, middleware.Metadata{}, err), err
	}
	return status(t, out.ResultMetadata, nil), nil
}

func TestAPolicyLivesThroughTheSDK(t *testing.T) {
	s := start(t)
	client, ctx := s.owner(), t.Context()
	g := s.gateway(client, "tools")
	get := &bedrockagentcorecontrol.GetResourcePolicyInput{ResourceArn: g.GatewayArn}
	remove := &bedrockagentcorecontrol.DeleteResourcePolicyInput{ResourceArn: g.GatewayArn}

	none, err := client.GetResourcePolicy(ctx, get)
	if code := status(t, none.ResultMetadata, err); code != http.StatusOK || none.Policy != nil {
		t.Errorf("GetResourcePolicy without one: %d, %v", code, none.Policy)
	}
	_, err = client.DeleteResourcePolicy(ctx, remove)
	if code := status(t, middleware.Metadata{}, err); code != http.StatusNotFound {
		t.Errorf("DeleteResourcePolicy without one: %d, %s", code, said(err))
	}

	want := grantTo(*g.GatewayArn)
	if code, err := put(t, client, *g.GatewayArn, want); code != http.StatusCreated {
		t.Fatalf("PutResourcePolicy: %d, %v", code, err)
	}
	got, err := client.GetResourcePolicy(ctx, get)
	if code := status(t, got.ResultMetadata, err); code != http.StatusOK || *got.Policy != want {
		t.Errorf("GetResourcePolicy: %d, %s", code, *got.Policy)
	}
	effective, err := s.model.EffectivePolicy(*g.GatewayArn)
	if err != nil || effective.String() != want {
		t.Errorf("effective is %s, %v", effective, err)
	}
	gone, err := client.DeleteResourcePolicy(ctx, remove)
	if code := status(t, gone.ResultMetadata, err); code != http.StatusNoContent {
		t.Errorf("DeleteResourcePolicy: %d", code)
	}
}

func TestThePolicyQuirksReachTheSDK(t *testing.T) {
	s := start(t, func(o *model.Options) {
		o.Quirks = model.Quirks{model.GetWithoutPolicyNotFound, model.DeleteWithoutPolicySucceeds}
	})
	client := s.owner()
	g := s.gateway(client, "tools")
	_, err := client.GetResourcePolicy(t.Context(), &bedrockagentcorecontrol.GetResourcePolicyInput{ResourceArn: g.GatewayArn})
	if missing := (*types.ResourceNotFoundException)(nil); !errors.As(err, &missing) {
		t.Errorf("GetResourcePolicy: %v", err)
	}
	gone, err := client.DeleteResourcePolicy(t.Context(), &bedrockagentcorecontrol.DeleteResourcePolicyInput{ResourceArn: g.GatewayArn})
	if code := status(t, gone.ResultMetadata, err); code != http.StatusNoContent {
		t.Errorf("DeleteResourcePolicy: %d", code)
	}
}

// documented are the refusals that anybody who tries the stand-in may look for.
var documented = map[string]struct {
	reason string
	policy func(arn string) string
	want   string
}{
	"Everything":    {`Resource "*"`, swap(`"ARN"`, `"*"`), wrongResource},
	"OtherGateway":  {"another gateway's ARN", swap(`"ARN"`, `"arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/other-0123456789"`), wrongResource},
	"ARNList":       {"a list of ARNs", swap(`"ARN"`, `["ARN","arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/other-0123456789"]`), wrongResource},
	"20481Bytes":    {"20,481 bytes", func(arn string) string { return grantTo(arn) + strings.Repeat(" ", 20481-len(grantTo(arn))) }, "Member must have length less than or equal to 20480"},
	"101Statements": {"101 statements", statements(101), "maximum of 100"},
	"BrokenJSON":    {"broken JSON", func(arn string) string { return grantTo(arn)[1:] }, "This policy contains invalid Json"},
	"NoStatement":   {"no statement", func(string) string { return `{"Version":"2012-10-17"}` }, "Policy has no statements"},
	"NoPrincipal":   {"no principal", swap(`"Principal":{"AWS":"arn:aws:iam::444455556666:root"},`, ""), "Missing required field Principal"},
	"ForeignAction": {"a foreign action", swap("bedrock-agentcore:InvokeGateway", "s3:GetObject"), "Policy has invalid action"},
	"Nobody":        {"a principal that does not exist", swap("arn:aws:iam::444455556666:root", "arn:aws:iam::444455556666:role/Nobody"), "Invalid principal in policy"},
}

const wrongResource = "Policy statement block must contain exactly one resource ARN that matches the provided resource ARN"

func swap(old, with string) func(string) string {
	return func(arn string) string {
		return strings.ReplaceAll(strings.Replace(grantTo("ARN"), old, with, 1), "ARN", arn)
	}
}

func statements(n int) func(string) string {
	return func(arn string) string {
		one := fmt.Sprintf(`{"Effect":"Deny","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":%q}`, arn)
		return `{"Version":"2012-10-17","Statement":[` + strings.Repeat(one+",", n-1) + one + "]}"
	}
}

func TestTheSDKReadsEveryDocumentedRefusal(t *testing.T) {
	s := start(t)
	client := s.owner()
	g := s.gateway(client, "tools")
	for name, test := range documented {
		t.Run(name, func(t *testing.T) {
			code, err := put(t, client, *g.GatewayArn, test.policy(*g.GatewayArn))
			var refused *types.ValidationException
			if !errors.As(err, &refused) || code != http.StatusBadRequest {
				t.Fatalf("%s: %d, %v", test.reason, code, err)
			}
			if !strings.Contains(refused.ErrorMessage(), test.want) {
				t.Errorf("%s: got %q, want %q", test.reason, refused.ErrorMessage(), test.want)
			}
			want := types.ValidationExceptionReasonFieldValidationFailed
			if name == "BrokenJSON" {
				want = types.ValidationExceptionReasonCannotParse
			}
			if refused.Reason != want {
				t.Errorf("%s: reason %q, want %q", test.reason, refused.Reason, want)
			}
		})
	}
}

func TestAViolationNamesItsField(t *testing.T) {
	s := start(t)
	_, err := s.owner().CreateGateway(t.Context(), gatewayNamed("no_such_name"))
	var refused *types.ValidationException
	if !errors.As(err, &refused) || len(refused.FieldList) != 1 || aws.ToString(refused.FieldList[0].Name) != "name" {
		t.Errorf("%v: %+v", err, refused)
	}
}

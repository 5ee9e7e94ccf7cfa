package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const agentcore = "bedrock-agentcore-control"

// clients are the programs that users have, as account A.
func clients(t *testing.T, s *sandbox) map[string]client {
	t.Helper()
	return map[string]client{
		"Go SDK":  newGoSDK(t, s, "account-a"),
		"AWS CLI": newAWSCLI(t, s, "account-a"),
		"boto3":   newBoto3(t, s, "account-a"),
	}
}

// served is a gateway with the echo tool.
type served struct{ id, arn, url string }

// serveGateway makes a gateway with the echo tool as its target, tagged as
// managed.
func serveGateway(t *testing.T, s *sandbox, c client, name string) served {
	t.Helper()
	made := must(t, c, agentcore, "CreateGateway", map[string]any{
		"name": name, "roleArn": s.output(t, "GatewayServiceRoleArn"),
		"protocolType": "MCP", "authorizerType": "AWS_IAM", "tags": map[string]string{"gateway-grants:managed": "true"},
	})
	g := served{}
	g.id, _ = made["gatewayId"].(string)
	g.arn, _ = made["gatewayArn"].(string)
	g.url, _ = made["gatewayUrl"].(string)
	if got := must(t, c, agentcore, "GetGateway", map[string]any{"gatewayIdentifier": g.id}); got["status"] != "READY" {
		t.Fatalf("the gateway is %v, want READY", got["status"])
	}
	target := must(t, c, agentcore, "CreateGatewayTarget", map[string]any{
		"gatewayIdentifier": g.id, "name": "echo-tools",
		"targetConfiguration": map[string]any{"mcp": map[string]any{"lambda": map[string]any{
			"lambdaArn": functionARN("gateway-grants-echo"),
			"toolSchema": map[string]any{"inlinePayload": []any{map[string]any{
				"name": "echo_message", "description": "Echo back a message for testing",
				"inputSchema": map[string]any{
					"type": "object", "properties": map[string]any{"message": map[string]any{"type": "string"}}, "required": []string{"message"},
				},
			}}},
		}}},
		"credentialProviderConfigurations": []any{map[string]any{"credentialProviderType": "GATEWAY_IAM_ROLE"}},
	})
	ready := must(t, c, agentcore, "GetGatewayTarget", map[string]any{"gatewayIdentifier": g.id, "targetId": target["targetId"]})
	if ready["status"] != "READY" {
		t.Fatalf("the target is %v, want READY", ready["status"])
	}
	return g
}

// statement allows account B to call the gateway.
func statement(gateway string) map[string]any {
	return map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"AWS": "arn:aws:iam::" + accountB + ":root"},
		"Action": "bedrock-agentcore:InvokeGateway", "Resource": gateway,
	}
}

func document(t *testing.T, statements ...map[string]any) string {
	t.Helper()
	if statements == nil {
		statements = []map[string]any{}
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func with(statement map[string]any, name string, value any) map[string]any {
	statement[name] = value
	return statement
}

func without(statement map[string]any, name string) map[string]any {
	delete(statement, name)
	return statement
}

func TestEveryClientPutsGetsAndDeletesAPolicy(t *testing.T) {
	s := standInFor(t)
	for name, c := range clients(t, s) {
		t.Run(name, func(t *testing.T) {
			g := serveGateway(t, s, c, "policy-"+strings.ToLower(strings.ReplaceAll(name, " ", "-")))
			on := map[string]any{"resourceArn": g.arn}
			text := document(t, statement(g.arn))

			if before := must(t, c, agentcore, "GetResourcePolicy", on); before["policy"] != nil {
				t.Errorf("before any is put: got policy %v", before["policy"])
			}
			must(t, c, agentcore, "PutResourcePolicy", map[string]any{"resourceArn": g.arn, "policy": text})
			got, _ := must(t, c, agentcore, "GetResourcePolicy", on)["policy"].(string)
			if diff := cmp.Diff(decoded(t, text), decoded(t, got)); diff != "" {
				t.Errorf("the policy that was put (-want +got):\n%s", diff)
			}
			must(t, c, agentcore, "DeleteResourcePolicy", on)
			if after := must(t, c, agentcore, "GetResourcePolicy", on); after["policy"] != nil {
				t.Errorf("after it is deleted: got policy %v", after["policy"])
			}
			if _, refusal := c.call(t, agentcore, "DeleteResourcePolicy", on); refusal == nil || refusal.Code != "ResourceNotFoundException" {
				t.Errorf("deleting what is not there: want ResourceNotFoundException, got %v", refusal)
			}
		})
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("reading %q: %v", text, err)
	}
	return value
}

func TestBadPolicyErrorsOfEveryClient(t *testing.T) {
	s := standInFor(t)
	for name, c := range clients(t, s) {
		t.Run(name, func(t *testing.T) {
			slug := strings.ToLower(strings.ReplaceAll(name, " ", "-"))
			g, other := serveGateway(t, s, c, "r-"+slug), serveGateway(t, s, c, "o-"+slug)
			const oneResource = "Policy statement block must contain exactly one resource ARN that matches the provided resource ARN"
			many := make([]map[string]any, 101)
			for i := range many {
				// Short, so that their number is all that is wrong.
				many[i] = with(statement(g.arn), "Principal", map[string]any{"AWS": accountB})
			}
			small := document(t, statement(g.arn))
			cases := map[string]struct {
				reason, policy, want string
			}{
				"any resource":        {"the gateway's ARN must be named", document(t, with(statement(g.arn), "Resource", "*")), oneResource},
				"another gateway":     {"and no other", document(t, with(statement(g.arn), "Resource", other.arn)), oneResource},
				"a list of ARNs":      {"nor others beside it", document(t, with(statement(g.arn), "Resource", []string{g.arn, other.arn})), oneResource},
				"20,481 bytes":        {"one more than the limit", small + strings.Repeat(" ", 20481-len(small)), "Member must have length less than or equal to 20480"},
				"101 statements":      {"one more than the limit", document(t, many...), "100"},
				"broken JSON":         {"it ends early", small[:len(small)-1], "This policy contains invalid Json"},
				"no statement":        {"the list is empty", document(t), "Policy has no statements"},
				"no principal":        {"it must be said who", document(t, without(statement(g.arn), "Principal")), "Missing required field Principal"},
				"a foreign action":    {"only calls of the gateway can be allowed", document(t, with(statement(g.arn), "Action", "s3:GetObject")), "Policy has invalid action"},
				"a missing principal": {"a principal that does not exist cannot be named", document(t, with(statement(g.arn), "Principal", map[string]any{"AWS": "arn:aws:iam::" + accountB + ":role/Nobody"})), "Invalid principal in policy"},
			}
			for name, tc := range cases {
				t.Run(name, func(t *testing.T) {
					_, refusal := c.call(t, agentcore, "PutResourcePolicy", map[string]any{"resourceArn": g.arn, "policy": tc.policy})
					if refusal == nil || refusal.Code != "ValidationException" || !strings.Contains(refusal.Message, tc.want) {
						t.Errorf("%s: want ValidationException with %q, got %v", tc.reason, tc.want, refusal)
					}
				})
			}
			if kept := must(t, c, agentcore, "GetResourcePolicy", map[string]any{"resourceArn": g.arn}); kept["policy"] != nil {
				t.Errorf("a refused policy was kept: %v", kept["policy"])
			}
		})
	}
}

func TestAPrincipalIsAcceptedOnceItExists(t *testing.T) {
	s := standInFor(t)
	a, b := newAWSCLI(t, s, "account-a"), newAWSCLI(t, s, "account-b")
	g := serveGateway(t, s, a, "new-principal")
	put := map[string]any{
		"resourceArn": g.arn,
		"policy":      document(t, with(statement(g.arn), "Principal", map[string]any{"AWS": "arn:aws:iam::" + accountB + ":role/NewAgent"})),
	}
	if _, refusal := a.call(t, agentcore, "PutResourcePolicy", put); refusal == nil {
		t.Error("a role that does not exist was accepted")
	}
	must(t, b, "iam", "CreateRole", map[string]any{"RoleName": "NewAgent", "AssumeRolePolicyDocument": trusting(`{"AWS":"` + accountB + `"}`)})
	must(t, a, agentcore, "PutResourcePolicy", put)
}

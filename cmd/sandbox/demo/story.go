package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// story is the play: who does what, and how it should end.
type story struct {
	*teller
	stage      *stage
	admin      *control.Client // of account A
	gatewayARN string
	gatewayURL string
}

func (t *story) tell(ctx context.Context) error {
	for _, scene := range []func(context.Context) error{
		t.createGateway, t.callAsOwner, t.callAsStranger,
		t.grantAccount, t.deletePolicyByHand, t.addForeignStatement, t.revokeAccount,
		t.grantRole, t.grantUnit, t.grantForAMoment, t.takeStock,
	} {
		if err := scene(ctx); err != nil {
			return fmt.Errorf("step %d: %w", t.steps, err)
		}
	}
	return nil
}

func (t *story) createGateway(ctx context.Context) error {
	t.step("Account A (%s) creates a gateway with IAM authentication and an echo tool", accountA)
	config, err := t.stage.config("arn:aws:iam::"+accountA+":role/AdminRole", "session")
	if err != nil {
		return err
	}
	t.admin = control.NewFromConfig(config)
	setup := agentcore.Setup{Control: t.admin, Clock: quickClock(), Waiting: func(what, status string) { t.aside("%s is %s", what, status) }}
	made, err := setup.Gateway(ctx, agentcore.GatewaySpec{
		Name: "cross-account-test", Description: "Cross-account access test gateway",
		RoleARN: "arn:aws:iam::" + accountA + ":role/AgentCoreGatewayServiceRole",
	})
	if err != nil {
		return err
	}
	target, _, err := setup.Target(ctx, made.ID, agentcore.TargetSpec{Name: "echo-tools", LambdaARN: echoARN, Tools: echoTools()})
	if err != nil {
		return err
	}
	t.gatewayARN, t.gatewayURL = made.ARN, made.URL
	t.say("Gateway ARN: %s", made.ARN)
	t.say("Gateway URL: %s", made.URL)
	t.say("Target ID:   %s", target)
	t.check(made.Created && made.URL != "", "gateway and target are READY")
	return t.stage.settle()
}

func (t *story) callAsOwner(ctx context.Context) error {
	t.step("Account A calls its own gateway")
	o, err := t.call(ctx, accountA, "AdminRole")
	t.check(o.in(), "the owner is let in by its own side alone")
	return err
}

func (t *story) callAsStranger(ctx context.Context) error {
	t.step("Account B (%s) calls it", accountB)
	o, err := t.call(ctx, accountB, "AdminRole")
	t.check(o.refused(), "another account is refused, whatever its own side allows")
	return err
}

func (t *story) grantAccount(ctx context.Context) error {
	t.step("An admin writes one row: account B may call the gateway")
	if err := t.grant(ctx, "account-b", accountB); err != nil {
		return err
	}
	o, err := t.call(ctx, accountB, "AdminRole")
	t.check(o.in(), "account B lists the tool and calls it")
	return err
}

func (t *story) deletePolicyByHand(ctx context.Context) error {
	t.step("An operator deletes the gateway's policy by hand")
	if _, err := t.admin.DeleteResourcePolicy(ctx, &control.DeleteResourcePolicyInput{ResourceArn: &t.gatewayARN}); err != nil {
		return fmt.Errorf("delete the policy: %w", err)
	}
	t.say("aws bedrock-agentcore-control delete-resource-policy --resource-arn %s", t.gatewayARN)
	repaired, err := t.settle(plan.DriftRepaired)
	if err != nil {
		return err
	}
	t.check(repaired, "CloudTrail recorded it, and the policy was put back")
	o, err := t.call(ctx, accountB, "AdminRole")
	t.check(o.in(), "account B is still let in")
	return err
}

// partnerStatement is a foreign statement: the product must leave every byte of it.
func (t *story) partnerStatement() string {
	return `{"Sid":"PartnersOwnBusiness","Effect":"Deny","Principal":"*","Action":["bedrock-agentcore:InvokeGateway"],"Resource":"` +
		t.gatewayARN + `","Condition":{"IpAddress":{"aws:SourceIp":["203.0.113.0/24"]}}}`
}

func (t *story) addForeignStatement(ctx context.Context) error {
	t.step("Another team adds a statement of its own to the same policy")
	document, err := t.policy(ctx)
	if err != nil {
		return err
	}
	theirs, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":` + t.partnerStatement() + `}`))
	if err != nil {
		return err
	}
	both := document.WithStatements(append(theirs.Statements, document.Statements...)...)
	if _, err := t.admin.PutResourcePolicy(ctx, &control.PutResourcePolicyInput{ResourceArn: &t.gatewayARN, Policy: aws.String(both.String())}); err != nil {
		return fmt.Errorf("put the policy: %w", err)
	}
	t.say("%s", t.partnerStatement())
	repaired, err := t.settle(plan.DriftRepaired)
	t.check(!repaired, "that is their business: nothing is repaired")
	return err
}

func (t *story) revokeAccount(ctx context.Context) error {
	t.step("The admin deletes the row")
	if err := t.revoke(ctx, "account-b"); err != nil {
		return err
	}
	o, err := t.call(ctx, accountB, "AdminRole")
	t.check(o.refused(), "account B is refused again")
	return err
}

func (t *story) grantRole(ctx context.Context) error {
	t.step("A grant narrowed to one role")
	if err := t.grant(ctx, "agents", accountB, "role", "AgentRole"); err != nil {
		return err
	}
	o, err := t.call(ctx, accountB, "AgentRole")
	if err != nil {
		return err
	}
	t.check(o.in(), "AgentRole is let in")
	o, err = t.call(ctx, accountB, "ReportRole")
	if err != nil {
		return err
	}
	t.check(o.refused(), "ReportRole of the same account is kept out")
	return t.revoke(ctx, "agents")
}

func (t *story) grantUnit(ctx context.Context) error {
	t.step("A standing grant for an organizational unit, and then a new account")
	unit, err := t.stage.organization.CreateUnit(t.stage.organization.Root())
	if err != nil {
		return err
	}
	if err := t.stage.organization.CreateAccount(accountB); err != nil {
		return err
	}
	if err := t.listOrganization(); err != nil {
		return err
	}
	if err := t.grant(ctx, "agents-unit", unit, "role", "AgentRole"); err != nil {
		return err
	}

	if err := t.stage.role(accountC, "AgentRole", "", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"bedrock-agentcore:InvokeGateway","Resource":"*"}]}`); err != nil {
		return err
	}
	if err := t.stage.organization.CreateAccount(accountC); err != nil {
		return err
	}
	if err := t.stage.organization.MoveAccount(accountC, unit); err != nil {
		return err
	}
	t.say("account %s is created and moved to %s; the table is not touched", accountC, unit)
	if _, err := t.settle(plan.PolicyApplied); err != nil {
		return err
	}
	o, err := t.call(ctx, accountC, "AgentRole")
	if err != nil {
		return err
	}
	t.check(o.in(), "the new account is let in by itself")
	if err := t.stage.organization.RemoveAccount(accountC); err != nil {
		return err
	}
	return t.revoke(ctx, "agents-unit")
}

func (t *story) grantForAMoment(ctx context.Context) error {
	t.step("A grant that expires")
	expires := time.Now().Add(3 * time.Second).Truncate(time.Second)
	if err := t.grant(ctx, "for-a-moment", accountB, "expires", expires.UTC().Format(time.RFC3339)); err != nil {
		return err
	}
	o, err := t.call(ctx, accountB, "AgentRole")
	if err != nil {
		return err
	}
	t.check(o.in(), "until then, account B is let in")
	t.aside("…")
	select {
	case <-time.After(time.Until(expires)):
	case <-ctx.Done():
		return ctx.Err()
	}
	o, err = t.call(ctx, accountB, "AgentRole")
	if err != nil {
		return err
	}
	t.check(o.refused(), "at that moment the policy itself refuses")

	t.stage.deliveries.call(t.stage.deliveries.sweep, []byte(`{"sweep":"due"}`))
	applied, err := t.settle(plan.PolicyApplied)
	t.check(applied, "and the next sweep takes the principal out")
	return err
}

func (t *story) takeStock(ctx context.Context) error {
	t.step("What is left in the policy")
	document, err := t.policy(ctx)
	if err != nil {
		return err
	}
	t.say("%s", document)
	t.check(document != nil && len(document.Statements) == 1 && document.Statements[0].String() == t.partnerStatement(),
		"the statement of others survived it all, byte for byte, and nothing else did")
	return nil
}

// grant writes a row, as an admin does by console or CLI.
func (t *story) grant(ctx context.Context, id, principal string, pairs ...string) error {
	attributes := grant.Attributes{grant.AttrGateway: t.gatewayARN, grant.AttrGrant: id, grant.AttrPrincipal: principal}
	line := []string{"+ grant " + id, "principal " + principal}
	for pair := range slices.Chunk(pairs, 2) {
		attributes[pair[0]] = pair[1]
		line = append(line, strings.Join(pair, " "))
	}
	t.say("%s", strings.Join(line, "  "))
	if err := t.stage.grants.Put(ctx, attributes, true); err != nil {
		return err
	}
	_, err := t.settle(plan.PolicyApplied)
	return err
}

func (t *story) revoke(ctx context.Context, id string) error {
	t.say("- grant %s", id)
	if _, err := t.stage.grants.Delete(ctx, grant.Key{Gateway: t.gatewayARN, ID: id}); err != nil {
		return err
	}
	_, err := t.settle(plan.PolicyApplied)
	return err
}

// listOrganization is the schedule that reads the whole organization.
func (t *story) listOrganization() error {
	t.stage.deliveries.call(t.stage.deliveries.organization, []byte(`{"sweep":"organization"}`))
	return t.stage.settle()
}

// settle waits until the product has handled every event, prints what it reports, and
// returns whether it published a notice of the given type.
func (t *story) settle(wanted plan.NoticeType) (bool, error) {
	if err := t.stage.settle(); err != nil {
		return false, err
	}
	notices := t.stage.deliveries.take()
	for _, notice := range notices {
		if detail, ok := notice.Detail.(plan.AppliedDetail); ok {
			t.aside("%s: %s (%s)", notice.Type, effect(detail), size(detail))
		}
	}
	return slices.ContainsFunc(notices, func(n plan.Notice) bool { return n.Type == wanted }), nil
}

func size(d plan.AppliedDetail) string {
	switch d.Statements {
	case 0:
		return "no policy left"
	case 1:
		return fmt.Sprintf("%d bytes, 1 statement", d.Bytes)
	default:
		return fmt.Sprintf("%d bytes, %d statements", d.Bytes, d.Statements)
	}
}

func effect(d plan.AppliedDetail) string {
	var parts []string
	for _, principal := range d.Added {
		parts = append(parts, "+ "+principal)
	}
	for _, principal := range d.Removed {
		parts = append(parts, "- "+principal)
	}
	return strings.Join(parts, ", ")
}

// policy reads the gateway's policy as an admin sees it.
func (t *story) policy(ctx context.Context) (*policy.Document, error) {
	out, err := t.admin.GetResourcePolicy(ctx, &control.GetResourcePolicyInput{ResourceArn: &t.gatewayARN})
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	return policy.Parse([]byte(aws.ToString(out.Policy)))
}

// echoTools is the tool schema of the target, as the seed has it.
func echoTools() []types.ToolDefinition {
	tool := handler.EchoTool()
	message := tool.InputSchema.Properties["message"]
	return []types.ToolDefinition{{
		Name:        &tool.Name,
		Description: &tool.Description,
		InputSchema: &types.SchemaDefinition{
			Type:       types.SchemaTypeObject,
			Properties: map[string]types.SchemaDefinition{"message": {Type: types.SchemaTypeString, Description: &message.Description}},
			Required:   tool.InputSchema.Required,
		},
	}}
}

// quickClock looks for READY more often than is polite to AWS.
func quickClock() agentcore.Clock {
	clock := agentcore.SystemClock()
	sleep := clock.Sleep
	clock.Sleep = func(ctx context.Context, _ time.Duration) error { return sleep(ctx, 50*time.Millisecond) }
	return clock
}

// Package agentcore is the control plane of Amazon Bedrock AgentCore Gateway:
// gateways and their resource policies as a reconcile needs them, and the
// set-up of a gateway with its target as the command line needs it.
package agentcore

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// Control is what this package calls to read gateways and keep their policies.
// The SDK's client of the service is one.
type Control interface {
	GetGateway(ctx context.Context, in *control.GetGatewayInput, options ...func(*control.Options)) (*control.GetGatewayOutput, error)
	ListGateways(ctx context.Context, in *control.ListGatewaysInput, options ...func(*control.Options)) (*control.ListGatewaysOutput, error)
	ListTagsForResource(ctx context.Context, in *control.ListTagsForResourceInput, options ...func(*control.Options)) (*control.ListTagsForResourceOutput, error)
	GetResourcePolicy(ctx context.Context, in *control.GetResourcePolicyInput, options ...func(*control.Options)) (*control.GetResourcePolicyOutput, error)
	PutResourcePolicy(ctx context.Context, in *control.PutResourcePolicyInput, options ...func(*control.Options)) (*control.PutResourcePolicyOutput, error)
	DeleteResourcePolicy(ctx context.Context, in *control.DeleteResourcePolicyInput, options ...func(*control.Options)) (*control.DeleteResourcePolicyOutput, error)
}

// callTimeout bounds one call with its retries. The SDK sets no limit on how
// long an answer may take, and a call that hangs would use up a whole run.
const callTimeout = 20 * time.Second

// Gateways are the gateways that the caller's account owns, in any number of
// regions. Every error is a *grant.Error with a code of package reconcile. It is
// safe for concurrent use.
type Gateways struct {
	regions []string
	connect func(region string) Control
	clock   Clock
	timeout time.Duration

	mu      sync.Mutex
	clients map[string]Control
}

var _ reconcile.Gateways = (*Gateways)(nil)

// New reaches gateways with the given configuration. Managed looks in the given
// regions, or in that of the configuration if there are none; the other calls go
// to the region that a gateway's ARN names.
func New(config aws.Config, regions []string) *Gateways {
	if len(regions) == 0 {
		regions = []string{config.Region}
	}
	return &Gateways{
		regions: regions,
		connect: func(region string) Control {
			return control.NewFromConfig(config, func(o *control.Options) { o.Region = region })
		},
		clock:   SystemClock(),
		timeout: callTimeout,
		clients: map[string]Control{},
	}
}

// client is the one of the region, made on first use.
func (g *Gateways) client(region string) Control {
	g.mu.Lock()
	defer g.mu.Unlock()
	client, ok := g.clients[region]
	if !ok {
		client = g.connect(region)
		g.clients[region] = client
	}
	return client
}

// Describe reads the gateway and its tags. A gateway that is not there, or not
// the caller's, is described with Exists false.
func (g *Gateways) Describe(ctx context.Context, gateway grant.Gateway) (plan.Observed, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	client := g.client(gateway.Region())
	absent := plan.Observed{Gateway: gateway}

	answer, err := client.GetGateway(ctx, &control.GetGatewayInput{GatewayIdentifier: aws.String(gateway.ID())})
	if isNotFound(err) || isInvalid(err) {
		// The id is all that was sent: one that AWS finds malformed names no gateway.
		return absent, nil
	}
	if err != nil {
		return plan.Observed{}, readFailure("read gateway "+gateway.ARN(), err)
	}
	if aws.ToString(answer.GatewayArn) != gateway.ARN() {
		return absent, nil // the id is one of ours, but the ARN asked for names another owner
	}
	managed, exists, err := isManaged(ctx, client, gateway.ARN())
	if err != nil {
		return plan.Observed{}, err
	}
	if !exists {
		return absent, nil
	}
	return plan.Observed{
		Gateway:    gateway,
		Exists:     true,
		Authorizer: string(answer.AuthorizerType),
		Status:     string(answer.Status),
		Managed:    managed,
	}, nil
}

// isManaged reads the tags, which GetGateway does not tell.
func isManaged(ctx context.Context, client Control, arn string) (managed, exists bool, err error) {
	answer, err := client.ListTagsForResource(ctx, &control.ListTagsForResourceInput{ResourceArn: aws.String(arn)})
	if isNotFound(err) {
		return false, false, nil
	}
	if err != nil {
		return false, false, readFailure("read tags of gateway "+arn, err)
	}
	return answer.Tags[plan.ManagedTag] == plan.ManagedValue, true, nil
}

// Policy reads the resource policy, nil for none. A document that cannot be
// understood fails with reconcile.CodeReadFailed: taken for none, it would be
// overwritten.
func (g *Gateways) Policy(ctx context.Context, gateway grant.Gateway) (*policy.Document, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	op := "read the resource policy of " + gateway.ARN()

	answer, err := g.client(gateway.Region()).GetResourcePolicy(ctx, &control.GetResourcePolicyInput{ResourceArn: aws.String(gateway.ARN())})
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, readFailure(op, err)
	}
	// Without a policy AWS was seen to answer 200 and no document on a runtime;
	// for a gateway neither this nor the 404 above is documented.
	text := strings.TrimSpace(aws.ToString(answer.Policy))
	if text == "" {
		return nil, nil
	}
	document, err := policy.Parse([]byte(text))
	if err != nil {
		return nil, &grant.Error{Code: reconcile.CodeReadFailed, Op: op, Hint: "it is left as it is until somebody corrects it", Err: err}
	}
	return document, nil
}

// PutPolicy replaces the whole resource policy.
func (g *Gateways) PutPolicy(ctx context.Context, gateway grant.Gateway, document *policy.Document) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	_, err := g.client(gateway.Region()).PutResourcePolicy(ctx, &control.PutResourcePolicyInput{
		ResourceArn: aws.String(gateway.ARN()),
		Policy:      aws.String(string(document.Bytes())),
	}, once)
	return putFailure("put the resource policy of "+gateway.ARN(), err)
}

// DeletePolicy removes the resource policy; that there is none is no error.
func (g *Gateways) DeletePolicy(ctx context.Context, gateway grant.Gateway) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	_, err := g.client(gateway.Region()).DeleteResourcePolicy(ctx, &control.DeleteResourcePolicyInput{
		ResourceArn: aws.String(gateway.ARN()),
	}, once)
	if isNotFound(err) {
		return nil
	}
	return writeFailure("delete the resource policy of "+gateway.ARN(), err)
}

// once keeps the SDK from sending a write again by itself. A policy has no
// revision to compare: a repetition could overwrite what somebody else wrote in
// between, so whoever tries again has to read again first.
func once(o *control.Options) { o.Retryer = aws.NopRetryer{} }

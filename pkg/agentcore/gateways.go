// Package agentcore is the control plane of Amazon Bedrock AgentCore Gateway:
// gateways and their resource policies as a reconcile needs them, and the
// set-up of a gateway with its target as the command line needs it.
package agentcore

import (
	"cmp"
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

// Gateways are those of any number of regions and accounts. Every error is a
// *grant.Error with a code of package reconcile. It is safe for concurrent use.
type Gateways struct {
	config     aws.Config
	regions    []string
	owners     []string                                // "" for the caller's own account
	listed     func(context.Context) ([]string, error) // more owners; nil for none
	role       string                                  // assumed in other accounts than the caller's; "" for none
	externalID string
	rate       float64 // of policy calls a second, in each place
	connect    func(to place) Control
	clock      Clock
	timeout    time.Duration

	mu      sync.Mutex
	own     struct{ account, partition string } // of the caller; empty until asked for
	sites   map[place]*site
	assumes map[string]aws.CredentialsProvider // by owner
}

var _ reconcile.Gateways = (*Gateways)(nil)

// Deployment says which gateways there are to keep and how to reach them. The
// zero Deployment is the caller's own account in the configuration's region.
type Deployment struct {
	Regions []string // in which gateways are looked for
	Owners  []string // 12-digit ids of the accounts whose gateways are looked for

	// Role is the name, with its path, of the role that is assumed in each owner's
	// account but the caller's own; ExternalID is what its trust policy asks for.
	// Without a role every call is made with the caller's own credentials, and only
	// the caller's own gateways are found.
	Role, ExternalID string

	// PolicyRate is how many calls on resource policies are made a second in a
	// region of an account, however many gateways wait. Zero is DefaultPolicyRate.
	PolicyRate float64
}

// New reaches the gateways of a deployment. They are looked for in its regions, or
// in that of the configuration if it names none; the other calls go to the region
// that a gateway's ARN names. It makes no call yet.
func New(config aws.Config, d Deployment) *Gateways {
	g := &Gateways{
		config:  config,
		regions: orOne(d.Regions, config.Region), owners: orOne(d.Owners, ""),
		role: d.Role, externalID: d.ExternalID,
		rate:    cmp.Or(d.PolicyRate, DefaultPolicyRate),
		clock:   SystemClock(),
		timeout: callTimeout,
		sites:   map[place]*site{},
		assumes: map[string]aws.CredentialsProvider{},
	}
	if d.Role == "" {
		g.owners = []string{""} // no other account's gateways are in sight
	}
	g.connect = g.dial
	return g
}

// On has pacing go by another clock than the machine's. It is for before the first
// call.
func (g *Gateways) On(clock Clock) *Gateways {
	g.clock = clock
	return g
}

// WithOwners has gateways looked for in more accounts, which are read each time. Without
// a role no other account's gateways are in sight. It is for before the first call.
func (g *Gateways) WithOwners(listed func(context.Context) ([]string, error)) *Gateways {
	if g.role != "" {
		g.listed = listed
	}
	return g
}

func orOne(list []string, otherwise string) []string {
	if len(list) == 0 {
		return []string{otherwise}
	}
	return list
}

// of is the site of a gateway.
func (g *Gateways) of(ctx context.Context, gateway grant.Gateway) (*site, error) {
	return g.site(ctx, place{gateway.Account(), gateway.Region()})
}

// Describe reads the gateway and its tags. A gateway that is not there, or not
// the caller's, is described with Exists false.
func (g *Gateways) Describe(ctx context.Context, gateway grant.Gateway) (plan.Observed, error) {
	client, err := g.of(ctx, gateway)
	if err != nil {
		return plan.Observed{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
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

// isManaged reads the tags, which GetGateway does not return.
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
// understood fails with reconcile.CodeUnreadablePolicy: taken for none, it would
// be overwritten, and with it what others stated.
func (g *Gateways) Policy(ctx context.Context, gateway grant.Gateway) (*policy.Document, error) {
	op := "read the resource policy of " + gateway.ARN()
	client, err := g.of(ctx, gateway)
	if err != nil {
		return nil, err
	}
	var answer *control.GetResourcePolicyOutput
	err = client.policies.read(ctx, func(ctx context.Context) (err error) {
		answer, err = client.GetResourcePolicy(ctx, &control.GetResourcePolicyInput{ResourceArn: aws.String(gateway.ARN())}, once)
		return err
	})
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
		return nil, &grant.Error{
			Code: reconcile.CodeUnreadablePolicy, Op: op,
			Hint: "it is left as it is, revocations included, until an admin of the gateway corrects it or deletes it (aws bedrock-agentcore-control get-resource-policy shows it); the next sweep then puts the grants back", Err: err,
		}
	}
	return document, nil
}

// PutPolicy replaces the whole resource policy.
func (g *Gateways) PutPolicy(ctx context.Context, gateway grant.Gateway, document *policy.Document) error {
	client, err := g.of(ctx, gateway)
	if err != nil {
		return err
	}
	err = client.policies.write(ctx, func(ctx context.Context) error {
		_, err := client.PutResourcePolicy(ctx, &control.PutResourcePolicyInput{
			ResourceArn: aws.String(gateway.ARN()),
			Policy:      aws.String(string(document.Bytes())),
		}, once)
		return err
	})
	return putFailure("put the resource policy of "+gateway.ARN(), err)
}

// DeletePolicy removes the resource policy; that there is none is no error.
func (g *Gateways) DeletePolicy(ctx context.Context, gateway grant.Gateway) error {
	client, err := g.of(ctx, gateway)
	if err != nil {
		return err
	}
	err = client.policies.write(ctx, func(ctx context.Context) error {
		_, err := client.DeleteResourcePolicy(ctx, &control.DeleteResourcePolicyInput{ResourceArn: aws.String(gateway.ARN())}, once)
		return err
	})
	if isNotFound(err) {
		return nil
	}
	return writeFailure("delete the resource policy of "+gateway.ARN(), err)
}

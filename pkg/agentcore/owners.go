package agentcore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// place is where gateways are: a region of an account, "" for the caller's own.
type place struct{ account, region string }

func (p place) String() string {
	if p.account == "" {
		return p.region
	}
	return "account " + p.account + ", " + p.region
}

// site is how the gateways of one place are reached.
type site struct {
	Control

	policies *policyCalls
}

// sessionName shows in the owner's CloudTrail which function assumed the role.
const sessionName = "gateway-grants"

// newerThan is how long before their end credentials are replaced, so that no
// call is signed with such as end under way.
const newerThan = 5 * time.Minute

// site is the one of the place, made on first use.
func (g *Gateways) site(ctx context.Context, at place) (*site, error) {
	account, err := g.assumed(ctx, at.account)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	known, ok := g.sites[at]
	if !ok {
		known = &site{Control: g.connect(place{account, at.region}), policies: &policyCalls{
			pace: newPace(g.clock, g.rate, max(1, int(g.rate)-1)), timeout: g.timeout,
		}}
		g.sites[at] = known
	}
	return known, nil
}

// assumed is the account in which a role is assumed to reach what the given
// account owns; "" where the caller's own credentials do.
func (g *Gateways) assumed(ctx context.Context, owner string) (string, error) {
	if owner == "" || g.role == "" {
		return "", nil
	}
	own, err := g.self(ctx)
	if err != nil {
		return "", readFailure("find out which account this is", err)
	}
	if owner == own {
		return "", nil
	}
	return owner, nil
}

// self asks once which account the caller's own is.
func (g *Gateways) self(ctx context.Context) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.own.account != "" {
		return g.own.account, nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	answer, err := sts.NewFromConfig(g.config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", fmt.Errorf("GetCallerIdentity: %w", err)
	}
	g.own.account = aws.ToString(answer.Account)
	if part := strings.SplitN(aws.ToString(answer.Arn), ":", 3); len(part) == 3 {
		g.own.partition = part[1] // roles are assumed within a partition only
	}
	return g.own.account, nil
}

// dial makes a client, which acts in the account by the role that it assumes
// there. Roles are assumed when they are first needed.
func (g *Gateways) dial(to place) Control {
	config := g.config.Copy()
	config.Region = to.region
	if to.account != "" {
		config.Credentials = g.credentials(to.account)
	}
	return control.NewFromConfig(config)
}

// credentials of the owner's role, shared by the clients of all its regions. The
// external id keeps others who could have this deployment act for them from
// naming the role of another owner.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
// The caller holds g.mu.
func (g *Gateways) credentials(owner string) aws.CredentialsProvider {
	known, ok := g.assumes[owner]
	if !ok {
		arn := "arn:" + g.own.partition + ":iam::" + owner + ":role/" + strings.TrimPrefix(g.role, "/")
		known = aws.NewCredentialsCache(
			stscreds.NewAssumeRoleProvider(sts.NewFromConfig(g.config), arn, func(o *stscreds.AssumeRoleOptions) {
				o.RoleSessionName = sessionName
				if g.externalID != "" {
					o.ExternalID = aws.String(g.externalID)
				}
			}),
			func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = newerThan },
		)
		g.assumes[owner] = known
	}
	return known
}

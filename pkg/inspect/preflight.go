package inspect

import (
	"context"
	"errors"
	"net"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/gateway-grants/gateway-grants/pkg/doctor"
)

// Plan is a deployment to be.
type Plan struct {
	Stack, Name string
	Regions     []string // of gateways
	Concurrency int
	Actions     []string // that deploying needs
	Principal   string   // the role or user that deploys
	Account     string
}

// Before reads what a deployment will meet. It changes nothing.
func (r *Reader) Before(ctx context.Context, p Plan) doctor.Before {
	b := doctor.Before{Region: r.Config.Region, Account: p.Account, Name: p.Name, Concurrency: p.Concurrency}
	b.Stack = read(r, "read stack "+p.Stack, func() (doctor.Stack, error) { return r.Stack(ctx, p.Stack) })
	b.Taken = read(r, "look for tables", func() ([]string, error) { return r.taken(ctx, p.Name) })
	for _, region := range p.Regions {
		b.Regions = append(b.Regions, doctor.Offer{Region: region, Offered: read(r, "list gateways in "+region, func() (bool, error) { return r.offers(ctx, region) })})
	}
	b.Denied = read(r, "simulate the permissions of "+p.Principal, func() ([]string, error) { return r.denied(ctx, p.Principal, p.Actions) })
	b.Lambda = read(r, "read the account's settings of Lambda", func() (int, error) { return r.executions(ctx) })
	b.RoleRoom = read(r, "read the account's summary of IAM", func() (int, error) { return r.roleRoom(ctx) })
	b.Trails = read(r, "read trails", func() ([]doctor.Trail, error) { return r.trails(ctx) })
	return b
}

// offers reports whether AgentCore answers in the Region. Where there is no such host, there
// is no such service.
func (r *Reader) offers(ctx context.Context, region string) (bool, error) {
	_, err := control.NewFromConfig(r.Config, func(o *control.Options) { o.Region = region }).ListGateways(ctx, &control.ListGatewaysInput{MaxResults: aws.Int32(1)})
	if host, ok := errors.AsType[*net.DNSError](err); ok && host.IsNotFound {
		return false, nil
	}
	return err == nil, err
}

func (r *Reader) taken(ctx context.Context, name string) ([]string, error) {
	client := dynamodb.NewFromConfig(r.Config)
	var taken []string
	for _, table := range []string{name, name + "-accounts", name + "-state"} {
		_, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table})
		switch {
		case hasCode(err, "ResourceNotFoundException"):
		case err != nil:
			return nil, err
		default:
			taken = append(taken, table)
		}
	}
	return taken, nil
}

// atOnce is how many actions one simulation takes.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
const atOnce = 100

func (r *Reader) denied(ctx context.Context, principal string, actions []string) ([]string, error) {
	client := iam.NewFromConfig(r.Config)
	var denied []string
	for some := range slices.Chunk(actions, atOnce) {
		pages := iam.NewSimulatePrincipalPolicyPaginator(client, &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &principal, ActionNames: some})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, result := range page.EvaluationResults {
				if result.EvalDecision != iamtypes.PolicyEvaluationDecisionTypeAllowed {
					denied = append(denied, aws.ToString(result.EvalActionName))
				}
			}
		}
	}
	slices.Sort(denied)
	return denied, nil
}

func (r *Reader) executions(ctx context.Context) (int, error) {
	answer, err := lambda.NewFromConfig(r.Config).GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil {
		return 0, err
	}
	if answer.AccountLimit == nil || answer.AccountLimit.UnreservedConcurrentExecutions == nil {
		return 0, errors.New("no limit of concurrent executions in the answer")
	}
	return int(*answer.AccountLimit.UnreservedConcurrentExecutions), nil
}

func (r *Reader) roleRoom(ctx context.Context) (int, error) {
	answer, err := iam.NewFromConfig(r.Config).GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
	if err != nil {
		return 0, err
	}
	most, known := answer.SummaryMap["RolesQuota"]
	if !known {
		return 0, errors.New("no quota of roles in the answer")
	}
	return int(most - answer.SummaryMap["Roles"]), nil
}

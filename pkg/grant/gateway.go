package grant

import (
	"strings"
)

// EveryGateway is the gateway key of a grant for every managed gateway.
const EveryGateway = "*"

// Gateway names one AgentCore gateway by what its ARN says. The zero Gateway
// names none; ParseGateway makes the others.
type Gateway struct {
	partition, region, account, id string
}

// The form of a gateway's ARN:
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_bedrock-agentcore.html
// Regions of newer partitions begin with more than two letters (eusc-de-east-1),
// so the form is wider than the names that are known today.
var gatewayARN = lazy(`^arn:(aws(?:-[a-z]+)*):bedrock-agentcore:([a-z]{2,8}(?:-[a-z]+)+-[1-9]\d?):(\d{12}):gateway/([0-9a-zA-Z](?:-?[0-9a-zA-Z]){0,119})$`)

const gatewayHint = "write arn:aws:bedrock-agentcore:REGION:ACCOUNT:gateway/ID, or * for every managed gateway"

// ParseGateway reads a gateway's ARN. It fails with CodeInvalidGateway.
func ParseGateway(arn string) (Gateway, error) {
	part := gatewayARN().FindStringSubmatch(arn)
	if part == nil {
		return Gateway{}, &Error{
			Code: CodeInvalidGateway,
			Op:   "read gateway " + quote(arn),
			Hint: gatewayHint,
		}
	}
	return Gateway{partition: part[1], region: part[2], account: part[3], id: part[4]}, nil
}

// ARN is the gateway's full name, and the only Resource that its policy may have.
func (g Gateway) ARN() string {
	return "arn:" + g.partition + ":bedrock-agentcore:" + g.region + ":" + g.account + ":gateway/" + g.id
}

// String is the ARN.
func (g Gateway) String() string { return g.ARN() }

// Partition is aws, aws-cn, aws-us-gov or another AWS partition.
func (g Gateway) Partition() string { return g.partition }

// Region is the AWS region that serves the gateway.
func (g Gateway) Region() string { return g.region }

// Account is the 12-digit id of the account that owns the gateway.
func (g Gateway) Account() string { return g.account }

// ID is the gateway's id within its account and region.
func (g Gateway) ID() string { return g.id }

// quote shortens what an admin wrote so that a message stays one line.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return `"` + strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s) + `"`
}

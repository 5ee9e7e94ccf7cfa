package doctor

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/event"
)

// Names that the stacks of other accounts give by default.
const (
	ownersRole         = "gateway-grants-owner"        // RoleName of infra/owner-account.yaml
	organizationsNames = "gateway-grants-organization" // NamePrefix of infra/organization-events.yaml
)

// Reach is where the deployment manages gateways, and as which role in accounts of owners.
type Reach struct {
	Partition  string
	Regions    []string // empty for the Region of the deployment alone
	Role       string   // name of the owners' role, path included; "" for none
	ExternalID string   // that the role asks for; "" for none
}

// Bus is the bus of an account and Region that AWS's own events are on, and the role that
// may put probes there.
type Bus struct {
	Region     string
	Role       string // ARN; "" for the caller's own rights
	ExternalID string // that the role asks for; "" for none
}

// Route is a bus that probes are put on, and the rules there that forward them: one for
// each probe.
type Route struct {
	Bus    Bus
	Probes []event.Outgoing
	Rules  []Forwarder
	// Optional: only the roles that the stack there names may send.
	Optional bool
}

// Routes are those from the owners, from the other Regions of the deployment and from the
// management account, with probes whose ids begin with run. An owner that has not joined,
// or whose role cannot be assumed, is the matter of another check.
func Routes(f Facts, reach Reach, run string) []*Route {
	r := routing{Facts: f, Reach: reach, run: run}
	if len(r.Regions) == 0 {
		r.Regions = []string{f.Region}
	}
	for _, region := range r.Regions {
		if region != f.Region {
			r.ofGateways(f.Account, Bus{Region: region})
		}
		for _, owner := range f.Owners {
			if !owner.NotJoined && owner.Assumed.Err == "" && owner.Assumed.Value {
				r.ofGateways(owner.Account, Bus{Region: region, Role: r.role(owner.Account, strings.TrimPrefix(reach.Role, "/")), ExternalID: reach.ExternalID})
			}
		}
	}
	if management := f.Stack.Value.Parameters["ManagementAccountId"]; management != "" {
		r.ofAccounts(management)
	}
	return r.routes
}

type routing struct {
	Facts
	Reach

	run    string
	ids    int
	routes []*Route
}

func (r *routing) id() string {
	r.ids++
	return fmt.Sprintf("%s-%d", r.run, r.ids)
}

func (r *routing) role(account, name string) string {
	return "arn:" + r.Partition + ":iam::" + account + ":role/" + name
}

// ofGateways adds the route of calls on the gateways of an account and Region.
func (r *routing) ofGateways(account string, bus Bus) {
	r.routes = append(r.routes, &Route{
		Bus: bus, Probes: []event.Outgoing{event.GatewayProbe(r.id())},
		Rules: []Forwarder{{
			Account: account, Region: bus.Region, Rule: path.Base(cmp.Or(r.Role, ownersRole)) + "-events",
			Events: "calls on gateways", Template: "infra/owner-account.yaml",
		}},
	})
}

// ofAccounts adds the routes of the organization's events, in the Region where AWS
// Organizations emits them.
// https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-organizations.html
func (r *routing) ofAccounts(management string) {
	const template = "infra/organization-events.yaml"
	region := cmp.Or(map[string]string{"aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1"}[r.Partition], "us-east-1")
	probes := event.AccountProbes([2]string{r.id(), r.id()})
	r.routes = append(r.routes, &Route{
		Bus: Bus{Region: region, Role: r.role(management, organizationsNames+"-probe")}, Probes: probes[:], Optional: true,
		Rules: []Forwarder{
			{Account: management, Region: region, Rule: organizationsNames + "-accounts", Events: "events of the organization", Template: template},
			{Account: management, Region: region, Rule: organizationsNames + "-tags", Events: "changes of accounts' tags", Template: template},
		},
	})
}

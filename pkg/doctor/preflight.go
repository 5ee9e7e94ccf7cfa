package doctor

import (
	"slices"
	"strconv"
	"strings"
)

// Before is what was read before anything is made.
type Before struct {
	Region, Account string
	Name            string // of the deployment to be
	Concurrency     int    // gateways that it will reconcile together

	Stack    Reading[Stack]
	Taken    Reading[[]string] // tables of that name which are there already
	Regions  []Offer           // in which gateways will be kept
	Denied   Reading[[]string] // actions that deploying needs and the caller may not do
	Lambda   Reading[int]      // concurrent executions that are not reserved
	RoleRoom Reading[int]      // roles that the account may still make
	Trails   Reading[[]Trail]
}

// Offer reports whether a Region has AgentCore.
type Offer struct {
	Region  string
	Offered Reading[bool]
}

// What a deployment needs of an account: executions beside those that reconcile requests,
// and roles.
const (
	otherExecutions = 5 // shards of two streams, two sweeps and a call of the echo function
	roles           = 7
)

// Preflight judges whether a deployment will go through and work. A result that is advice
// stops nothing.
func Preflight(b Before) []Result {
	checks := []struct {
		name  string
		judge func(Before, *Result)
	}{
		{"region", regions}, {"permissions", permissions}, {"names", names}, {"concurrency", concurrency}, {"roles", room}, {"trail", trailBefore},
	}
	results := make([]Result, len(checks))
	for i, c := range checks {
		results[i] = Result{Check: c.name}
		c.judge(b, &results[i])
		results[i].conclude()
	}
	return results
}

// Blocked reports whether something was found that a deployment would fail for. What could
// not be looked at does not block, because to look takes more rights than to deploy.
func Blocked(results []Result) bool {
	return slices.ContainsFunc(results, func(r Result) bool { return r.Status == Found && !r.Advice })
}

func regions(b Before, r *Result) {
	for _, o := range b.Regions {
		look(r, o.Offered, func(offered bool) {
			if !offered {
				r.found("name Regions of AgentCore in GatewayRegions: https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/agentcore-regions.html",
					"Region %s has no AgentCore", o.Region)
			}
		})
	}
}

func permissions(b Before, r *Result) {
	look(r, b.Denied, func(denied []string) {
		if len(denied) > 0 {
			r.found("have infra/permissions/deploy.json attached to the role or user that deploys", "you may not do what deploying needs: %s", strings.Join(denied, ", "))
		}
	})
}

// names looks for tables of an earlier deployment, which outlive their stack.
func names(b Before, r *Result) {
	look(r, b.Stack, func(s Stack) {
		if !s.Missing {
			return
		}
		look(r, b.Taken, func(taken []string) {
			if len(taken) > 0 {
				r.found("deploy under another name with PARAMETERS=Name=…, or delete them: docs/operations.md, Deploying again",
					"tables of an earlier deployment are there: %s", strings.Join(taken, ", "))
			}
		})
	})
}

func concurrency(b Before, r *Result) {
	look(r, b.Lambda, func(free int) {
		if need := b.Concurrency + otherExecutions; free < need {
			r.found("aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000, or deploy with a lower ReconcileConcurrency",
				"Lambda has %d concurrent executions to share in %s, and %d are needed", free, b.Region, need)
		}
	})
}

func room(b Before, r *Result) {
	look(r, b.RoleRoom, func(free int) {
		if free < roles {
			r.found("aws service-quotas request-service-quota-increase --region us-east-1 --service-code iam --quota-code L-FE177D64 --desired-value 2000",
				"the account may make %s more roles, and %d are needed", strconv.Itoa(free), roles)
		}
	})
}

// trailBefore is advice: without a trail edits by hand are seen by the sweep alone.
func trailBefore(b Before, r *Result) {
	trail(Facts{Region: b.Region, Trails: b.Trails, Stack: Reading[Stack]{Value: Stack{Parameters: map[string]string{"SweepMinutes": "60"}}}}, r)
	r.Advice = true
}

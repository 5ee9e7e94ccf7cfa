package doctor

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/version"
)

// has reports whether the stack was given a parameter.
func (f Facts) has(parameter string) bool { return f.Stack.Value.Parameters[parameter] != "" }

func stack(f Facts, r *Result) {
	look(r, f.Stack, func(s Stack) {
		events := "aws cloudformation describe-stack-events --stack-name " + s.Name
		switch {
		case s.Missing:
			r.found("make deploy, or name the stack with --stack and --region", "there is no stack %s in account %s, %s", s.Name, f.Account, f.Region)
		case strings.HasSuffix(s.Status, "_IN_PROGRESS"):
			r.found("aws cloudformation wait stack-update-complete --stack-name "+s.Name, "the stack is being changed (%s)", s.Status)
		case strings.Contains(s.Status, "ROLLBACK"), strings.HasSuffix(s.Status, "_FAILED"):
			r.found(events, "the last change of the stack failed (%s)", s.Status)
		}
	})
}

// deployedVersion compares the version that is deployed with the command line, which
// decides and records by the same code.
func deployedVersion(f Facts, r *Result) {
	look(r, f.Stack, func(s Stack) {
		deployed, program := s.Outputs["Version"], f.Program
		switch {
		case deployed == "" || deployed == version.Unknown:
			r.skip("the stack does not say its version, because neither make deploy nor a release made it: its functions log it")
		case program == version.Unknown:
			r.skip("version " + deployed + " is deployed, and this command line was built without a version")
		case !sameVersion(deployed, program):
			r.found("use the command line of version "+deployed+", or deploy the version of this one (docs/operations.md)",
				"version %s is deployed, and this command line is %s", deployed, program)
		}
	})
}

// ofCommit finds the commit in what git describe and the Go tool call a version between
// releases: 1f3c2a9, v1.2.3-4-g1f3c2a9-dirty, v1.2.4-0.20261128084209-1f3c2a9d0e5b+dirty.
// https://go.dev/ref/mod#pseudo-versions
var ofCommit = regexp.MustCompile(`(?:^|-g?)([0-9a-f]{7,40})$`)

// sameVersion reports whether two builds are of the same release or commit, whichever tool
// stamped them. What was changed since the commit cannot be compared.
func sameVersion(a, b string) bool {
	plain := func(v string) string {
		return strings.TrimPrefix(strings.TrimSuffix(strings.TrimSuffix(v, "-dirty"), "+dirty"), "v")
	}
	a, b = plain(a), plain(b)
	one, other := ofCommit.FindStringSubmatch(a), ofCommit.FindStringSubmatch(b)
	if one == nil || other == nil {
		return a == b
	}
	return strings.HasPrefix(one[1], other[1]) || strings.HasPrefix(other[1], one[1])
}

func tables(f Facts, r *Result) {
	for _, t := range f.Tables {
		look(r, t.Read, func(s TableState) {
			switch {
			case s.Missing:
				r.found("restore it from a backup, or make deploy", "table %s is missing", t.Name)
				return
			case s.Status != "ACTIVE":
				r.found("aws dynamodb wait table-exists --table-name "+t.Name, "table %s is %s", t.Name, s.Status)
			}
			if !s.Protected {
				r.found("aws dynamodb update-table --table-name "+t.Name+" --deletion-protection-enabled",
					"table %s may be deleted by anyone who may delete tables", t.Name)
			}
			if !s.Recovery {
				r.found("aws dynamodb update-continuous-backups --table-name "+t.Name+" --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true",
					"table %s cannot be restored to a point in time", t.Name)
			}
			if t.Stream && !s.Streaming {
				r.found("aws dynamodb update-table --table-name "+t.Name+" --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES, then make deploy",
					"table %s has no stream: changes take effect only with the sweep", t.Name)
			}
		})
	}
}

func sentinel(f Facts, r *Result) {
	look(r, f.Sentinel, func(there bool) {
		if !there {
			r.found("aws dynamodb put-item --table-name "+f.Name+" --item file://infra/sentinel.json",
				"table %s lacks the row that proves it: no policy changes until it is there", f.Name)
		}
	})
	for _, list := range f.Lists {
		look(r, list.Proved, func(proved bool) {
			if !proved {
				r.found("aws dynamodb put-item --table-name "+list.Table+" --item file://infra/"+list.Item,
					"table %s lacks the item that proves the list of %s: the list cannot be read, and what depends on it stays as it is", list.Table, list.What)
			}
		})
	}
}

func mappings(f Facts, r *Result) {
	look(r, f.Mappings, func(all []Mapping) {
		for _, m := range all {
			if m.State != "Enabled" {
				r.found("aws lambda update-event-source-mapping --uuid "+m.ID+" --enabled", "function %s takes nothing from %s (%s)", m.Function, m.Source, orUnknown(m.State))
			} else if m.Problem != "" {
				r.found("aws logs tail /aws/lambda/"+m.Function+" --since 1h", "function %s could not take what came from %s: %s", m.Function, m.Source, m.Problem)
			}
		}
	})
}

func rules(f Facts, r *Result) {
	look(r, f.Rules, func(all []Rule) {
		for _, rule := range all {
			switch {
			case rule.Missing:
				r.found(f.recreate(), "rule %s is missing", rule.Name)
			case !rule.Enabled:
				r.found("aws events enable-rule --name "+rule.Name+" --event-bus-name "+rule.Bus, "rule %s is off", rule.Name)
			}
		}
	})
}

func schedules(f Facts, r *Result) {
	look(r, f.Schedules, func(all []Schedule) {
		for _, s := range all {
			switch {
			case s.Directory && !f.has("ManagementAccountId"):
			case s.Missing:
				r.found(f.recreate(), "schedule %s is missing", s.Name)
			case !s.Enabled:
				r.found(s.Mend, "schedule %s is off", s.Name)
			}
		}
	})
}

func queues(f Facts, r *Result) {
	for _, q := range f.Queues {
		look(r, q.Messages, func(waiting int) {
			if waiting > 0 {
				r.found(q.Mend, "queue %s holds %d %s", q.Name, waiting, q.Lost)
			}
		})
	}
}

func heartbeat(f Facts, r *Result) {
	look(r, f.Heartbeat, func(beats bool) {
		if !beats {
			r.found("aws logs tail /aws/lambda/"+f.Name+"-sweep --since 15m",
				"no sweep has ended well for ten minutes: nothing expires, and nothing is tried again")
		}
	})
}

func trail(f Facts, r *Result) {
	look(r, f.Trails, func(all []Trail) {
		for _, t := range all {
			if t.Logging && t.Management {
				return
			}
		}
		mend := "create one: aws cloudtrail create-trail --name management-events --s3-bucket-name BUCKET --is-multi-region-trail, then aws cloudtrail start-logging --name management-events"
		for _, t := range all {
			switch {
			case !t.Logging:
				mend = "aws cloudtrail start-logging --name " + t.Name
			case !t.Management:
				mend = "aws cloudtrail put-event-selectors --trail-name " + t.Name + ` --event-selectors '[{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": true}]'`
			}
		}
		r.found(mend, "no trail logs management events in %s: edits by hand are seen by the sweep alone, up to %s minutes later", f.Region, orUnknown(f.Stack.Value.Parameters["SweepMinutes"]))
	})
}

func owners(f Facts, r *Result) {
	if len(f.Owners) == 0 {
		r.skip("no other account owns gateways")
		return
	}
	var waiting []string
	for _, o := range f.Owners {
		if o.NotJoined {
			waiting = append(waiting, o.Account)
			continue
		}
		if o.Assumed.Err != "" || !o.Assumed.Value {
			r.found("deploy infra/owner-account.yaml in account "+o.Account+" with this hub and external id, and your role in HubAdminRoles (docs/operations.md)",
				"the gateways of account %s cannot be reached: %s", o.Account, o.Assumed.Err)
		}
	}
	if len(waiting) > 0 {
		r.Note = fmt.Sprintf("%d NotJoined, such as %s: gateway-grants account list --owner", len(waiting), waiting[0])
	}
}

// listedWithin is how old the last complete listing may be: it is hourly, and a large
// organization takes a while.
const listedWithin = 3 * time.Hour

func organization(f Facts, r *Result) {
	if !f.has("ManagementAccountId") {
		r.skip("the deployment has no organization")
		return
	}
	mend := "deploy infra/organization-events.yaml with Delegate=yes in the management account, then aws logs tail /aws/lambda/" + f.Name + "-organization --since 1h"
	look(r, f.Synced, func(at time.Time) {
		switch {
		case at.IsZero():
			r.found(mend, "the organization has never been listed: OUs and tags in grants let in no account")
		case f.Now.Sub(at) > listedWithin:
			r.found(mend, "the organization was last listed at %s", at.UTC().Format(time.RFC3339))
		}
	})
	look(r, f.Organization, func(readable bool) {
		if !readable {
			r.found(mend, "account %s may not read the organization", f.Account)
		}
	})
	switch {
	case len(f.Owners) == 0:
	case f.StackSets == nil:
		r.Note = "whether StackSets have trusted access, only the management account may ask: aws organizations list-aws-service-access-for-organization"
	default:
		look(r, *f.StackSets, func(trusted bool) {
			if !trusted {
				r.found("aws cloudformation activate-organizations-access, in the management account", "StackSets have no trusted access to the organization: new owner accounts do not join by themselves")
			}
		})
	}
}

func gateways(f Facts, r *Result) {
	look(r, f.Attention, func(all []Gateway) {
		for _, g := range all {
			list, tag := "gateway-grants list "+g.ARN, "aws bedrock-agentcore-control tag-resource --resource-arn "+g.ARN+" --tags gateway-grants:managed=true"
			if g.Failing {
				r.found(list, "the policy of %s may not be what its grants say", g.ARN)
			}
			if g.LeftOut > 0 {
				r.found(list, "%s left out, wholly or partly, on %s", grants(g.LeftOut), g.ARN)
			}
			if g.NearlyFull {
				r.found("grant OUs instead of accounts, or fewer roles: "+list, "the policy of %s is nearly full", g.ARN)
			}
			if g.LetsIn {
				r.found(tag+", or gateway-grants gateway detach "+g.ARN,
					"%s is not managed, and its policy still has statements of this installation", g.ARN)
			}
			if len(g.Siblings) > 0 {
				r.found("gateway-grants gateway detach "+g.ARN+" --installation-id "+g.Siblings[0]+" && "+tag,
					"%s has statements of installation %s, and a gateway belongs to one installation: detach it from that one, or revoke the grants for it here", g.ARN, strings.Join(g.Siblings, ", "))
			}
		}
	})
}

func approvals(f Facts, r *Result) {
	look(r, f.Approvals, func(waiting []string) {
		for _, what := range waiting {
			r.found("gateway-grants approve", "%s", what)
		}
	})
}

func alarms(f Facts, r *Result) {
	look(r, f.Alarms, func(all []Alarm) {
		for _, a := range all {
			if a.Ringing {
				r.found(`aws cloudwatch describe-alarm-history --history-item-type StateUpdate --alarm-name "`+a.Name+`"`, "%s is in ALARM: %s", a.Name, a.Description)
			}
			if a.Muted {
				r.found(`aws cloudwatch enable-alarm-actions --alarm-names "`+a.Name+`"`, "the actions of %s are off", a.Name)
			}
		}
	})
}

// recreate brings back what was deleted out of the stack. A plain deployment leaves
// alone what its template has not changed.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html
func (f Facts) recreate() string {
	set := " --stack-name " + f.Stack.Value.Name + " --change-set-name revert-drift"
	parameters := []string{"--parameters"}
	for _, name := range slices.Sorted(maps.Keys(f.Stack.Value.Parameters)) {
		parameters = append(parameters, "ParameterKey="+name+",UsePreviousValue=true")
	}
	return "aws cloudformation create-change-set" + set + " --use-previous-template --deployment-mode REVERT_DRIFT --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND " +
		strings.Join(parameters, " ") + " && aws cloudformation wait change-set-create-complete" + set + " && aws cloudformation execute-change-set" + set
}

func grants(n int) string {
	if n == 1 {
		return "1 grant is"
	}
	return fmt.Sprint(n, " grants are")
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}

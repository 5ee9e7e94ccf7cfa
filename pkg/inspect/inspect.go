// Package inspect reads what package doctor judges: the parts of a deployment as AWS
// describes them, with the rights of the caller. It changes nothing, and sends probes.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/smithy-go"

	"github.com/gateway-grants/gateway-grants/pkg/doctor"
)

// Reader reads a deployment.
type Reader struct {
	Config  aws.Config
	Now     func() time.Time
	Explain func(error) string // one line of what went wrong, and what to do about it

	resources map[string][]string // physical ids of the stack's, by type

	mu      sync.Mutex
	assumed map[string]aws.CredentialsProvider // by ARN of the role
}

// Deployment reads the stack of that name, in the Region and account of the
// configuration, and what it is made of. What cannot be read says so in its place.
func (r *Reader) Deployment(ctx context.Context, stack, account string) doctor.Facts {
	f := doctor.Facts{Now: r.Now(), Region: r.Config.Region, Account: account}
	f.Stack = read(r, "read stack "+stack, func() (doctor.Stack, error) { return r.Stack(ctx, stack) })
	if f.Stack.Err != "" || f.Stack.Value.Missing {
		return f
	}
	f.Name = f.Stack.Value.Parameters["Name"]
	f.Tables = r.tables(ctx, f.Stack.Value.Outputs)
	f.Sentinel = read(r, "read the sentinel row", func() (bool, error) { return r.sentinel(ctx, f.Name) })
	f.Lists = r.lists(ctx, f.Stack.Value.Outputs["AccountsTableName"])
	f.Mappings = read(r, "read event source mappings", func() ([]doctor.Mapping, error) { return r.mappings(ctx) })
	f.Rules = read(r, "read rules", func() ([]doctor.Rule, error) { return r.rules(ctx) })
	f.Schedules = read(r, "read schedules", func() ([]doctor.Schedule, error) { return r.schedules(ctx) })
	f.Queues = r.queues(ctx, f.Name, f.Stack.Value.Outputs)
	f.Heartbeat = read(r, "read the metric Heartbeat", func() (bool, error) { return r.heartbeat(ctx, f.Name) })
	f.Alarms = read(r, "read alarms", func() ([]doctor.Alarm, error) { return r.alarms(ctx) })
	f.Trails = read(r, "read trails", func() ([]doctor.Trail, error) { return r.trails(ctx) })
	if f.Stack.Value.Parameters["ManagementAccountId"] != "" {
		f.Organization = read(r, "read the organization", func() (bool, error) { return r.organization(ctx) })
	}
	return f
}

// read makes a reading of a call.
func read[T any](r *Reader, op string, call func() (T, error)) doctor.Reading[T] {
	value, err := call()
	if err != nil {
		return doctor.Reading[T]{Err: r.Explain(fmt.Errorf("%s: %w", op, err))}
	}
	return doctor.Reading[T]{Value: value}
}

// Stack reads the stack of that name.
func (r *Reader) Stack(ctx context.Context, name string) (doctor.Stack, error) {
	client := cloudformation.NewFromConfig(r.Config)
	described, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if isMissing(err) {
		return doctor.Stack{Name: name, Missing: true}, nil
	}
	if err != nil {
		return doctor.Stack{}, err
	}
	s := doctor.Stack{Name: name, Parameters: map[string]string{}, Outputs: map[string]string{}}
	for _, found := range described.Stacks {
		s.Status = string(found.StackStatus)
		for _, p := range found.Parameters {
			s.Parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
		}
		for _, o := range found.Outputs {
			s.Outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
		}
	}
	r.resources = map[string][]string{}
	pages := cloudformation.NewListStackResourcesPaginator(client, &cloudformation.ListStackResourcesInput{StackName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return doctor.Stack{}, err
		}
		for _, resource := range page.StackResourceSummaries {
			kind := aws.ToString(resource.ResourceType)
			r.resources[kind] = append(r.resources[kind], aws.ToString(resource.PhysicalResourceId))
		}
	}
	for _, ids := range r.resources {
		slices.Sort(ids)
	}
	return s, nil
}

// isMissing reports whether CloudFormation knows no stack of that name, which it says
// in the text of a ValidationError alone.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
func isMissing(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && api.ErrorCode() == "ValidationError" && strings.Contains(api.ErrorMessage(), "does not exist")
}

// hasCode reports whether AWS answered with one of the codes.
func hasCode(err error, codes ...string) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains(codes, api.ErrorCode())
}

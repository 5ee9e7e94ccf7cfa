package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	scheduletypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/gateway-grants/gateway-grants/pkg/doctor"
)

func (r *Reader) mappings(ctx context.Context) ([]doctor.Mapping, error) {
	client := lambda.NewFromConfig(r.Config)
	var all []doctor.Mapping
	for _, id := range r.resources["AWS::Lambda::EventSourceMapping"] {
		m, err := client.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: &id})
		if hasCode(err, "ResourceNotFoundException") {
			all = append(all, doctor.Mapping{ID: id, State: "deleted"})
			continue
		}
		if err != nil {
			return nil, err
		}
		mapping := doctor.Mapping{
			ID: id, State: aws.ToString(m.State),
			Function: lastOf(aws.ToString(m.FunctionArn), ":"), Source: shortSource(aws.ToString(m.EventSourceArn)),
		}
		// What went wrong last, such as "PROBLEM: Function call failed".
		// https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html
		if result := aws.ToString(m.LastProcessingResult); strings.HasPrefix(result, "PROBLEM") {
			mapping.Problem = result
		}
		all = append(all, mapping)
	}
	return all, nil
}

// shortSource names the table of a stream's ARN, or the queue.
func shortSource(arn string) string {
	if _, table, found := strings.Cut(arn, ":table/"); found {
		name, _, _ := strings.Cut(table, "/")
		return name
	}
	return lastOf(arn, ":")
}

func lastOf(text, separator string) string { return text[strings.LastIndex(text, separator)+1:] }

func (r *Reader) rules(ctx context.Context) ([]doctor.Rule, error) {
	client := eventbridge.NewFromConfig(r.Config)
	var all []doctor.Rule
	for _, id := range r.resources["AWS::Events::Rule"] {
		rule := doctor.Rule{Name: lastOf(id, "|"), Bus: "default"} // "BUS|RULE" on a bus of its own
		if bus, _, found := strings.Cut(id, "|"); found {
			rule.Bus = bus
		}
		described, err := client.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: &rule.Name, EventBusName: &rule.Bus})
		switch {
		case hasCode(err, "ResourceNotFoundException"):
			rule.Missing = true
		case err != nil:
			return nil, err
		default:
			rule.Enabled = described.State != eventtypes.RuleStateDisabled
		}
		all = append(all, rule)
	}
	return all, nil
}

func (r *Reader) schedules(ctx context.Context) ([]doctor.Schedule, error) {
	client := scheduler.NewFromConfig(r.Config)
	group := strings.Join(r.resources["AWS::Scheduler::ScheduleGroup"], "")
	var all []doctor.Schedule
	for _, name := range r.resources["AWS::Scheduler::Schedule"] {
		s := doctor.Schedule{Name: name, Group: group, Directory: strings.HasSuffix(name, "-organization") || strings.HasSuffix(name, "-rechecks")}
		described, err := client.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: &name, GroupName: &group})
		switch {
		case hasCode(err, "ResourceNotFoundException"):
			s.Missing = true
		case err != nil:
			return nil, err
		default:
			s.Enabled = described.State != scheduletypes.ScheduleStateDisabled
			if s.Mend, err = enabling(described); err != nil {
				return nil, err
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// enabling is the command that enables a schedule. It names everything, because an
// update takes what is not named for its default.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
func enabling(s *scheduler.GetScheduleOutput) (string, error) {
	target := map[string]any{"Arn": s.Target.Arn, "RoleArn": s.Target.RoleArn, "Input": s.Target.Input}
	if retry := s.Target.RetryPolicy; retry != nil {
		target["RetryPolicy"] = map[string]any{"MaximumRetryAttempts": retry.MaximumRetryAttempts, "MaximumEventAgeInSeconds": retry.MaximumEventAgeInSeconds}
	}
	text, err := json.Marshal(target)
	if err != nil {
		return "", err
	}
	window := "Mode=OFF"
	if w := s.FlexibleTimeWindow; w != nil && w.MaximumWindowInMinutes != nil {
		window = fmt.Sprintf("Mode=%s,MaximumWindowInMinutes=%d", w.Mode, *w.MaximumWindowInMinutes)
	}
	return fmt.Sprintf("aws scheduler update-schedule --name %s --group-name %s --state ENABLED --schedule-expression '%s' --flexible-time-window %s --target '%s'",
		aws.ToString(s.Name), aws.ToString(s.GroupName), aws.ToString(s.ScheduleExpression), window, text), nil
}

func (r *Reader) queues(ctx context.Context, name string, outputs map[string]string) []doctor.Queue {
	notices := name + "-lost-notices"
	queues := []doctor.Queue{
		{Name: name + "-lost-requests", URL: outputs["LostRequestsUrl"], Lost: "requests that five runs failed for", Mend: "infra/stack redrive, once the log of " + name + "-gateway-events says no more why"},
		{Name: notices, Lost: "notices that were not delivered", Mend: `aws sqs purge-queue --queue-url "$(aws sqs get-queue-url --queue-name ` + notices + ` --query QueueUrl --output text)", once they are read`},
	}
	for i, q := range queues {
		queues[i].Messages = read(r, "read queue "+q.Name, func() (int, error) { return r.messages(ctx, q) })
	}
	return queues
}

func (r *Reader) messages(ctx context.Context, q doctor.Queue) (int, error) {
	client := sqs.NewFromConfig(r.Config)
	url := q.URL
	if url == "" {
		found, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &q.Name})
		if err != nil {
			return 0, err
		}
		url = aws.ToString(found.QueueUrl)
	}
	answer, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameApproximateNumberOfMessages}})
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(answer.Attributes[string(sqstypes.QueueAttributeNameApproximateNumberOfMessages)])
}

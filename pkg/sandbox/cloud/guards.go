package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/actions"
)

// guards reads the resource policies of queues and event buses, each once for a
// request. Those of tables, buckets and keys are not known: across accounts, what
// they guard is out of reach.
type guards struct {
	moto   *Moto
	region string
	read   map[string]*policy.Document // by ARN
}

// of is the policy of what the permission is about; nil if it has none, or does
// not exist.
func (g *guards) of(ctx context.Context, asked actions.Permission) (*policy.Document, error) {
	if document, ok := g.read[asked.Resource]; ok {
		return document, nil
	}
	var text string
	var err error
	switch {
	case strings.HasPrefix(asked.Resource, "arn:aws:sqs:") && asked.Action != "sqs:CreateQueue":
		text, err = g.ofQueue(ctx, asked)
	case asked.Action == "events:PutEvents":
		text, err = g.ofBus(ctx, asked)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the policy of %s: %w", asked.Resource, err)
	}
	var document *policy.Document
	if text != "" {
		if document, err = policy.Parse([]byte(text)); err != nil {
			return nil, fmt.Errorf("reading the policy of %s: %w", asked.Resource, err)
		}
	}
	g.read[asked.Resource] = document
	return document, nil
}

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-creating-custom-policies.html
func (g *guards) ofQueue(ctx context.Context, asked actions.Permission) (string, error) {
	client := sqs.NewFromConfig(g.moto.Config(asked.Account, g.region))
	_, name, _ := strings.Cut(asked.Resource, asked.Account+":")
	answer, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl:       aws.String(g.moto.Endpoint() + "/" + asked.Account + "/" + name),
		AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNamePolicy},
	})
	if missing := (smithy.APIError)(nil); errors.As(err, &missing) && strings.Contains(missing.ErrorCode(), "NonExistentQueue") {
		return "", nil
	}
	if missing := (*sqstypes.QueueDoesNotExist)(nil); errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", err //nolint:wrapcheck // the caller says what it was for
	}
	return answer.Attributes[string(sqstypes.QueueAttributeNamePolicy)], nil
}

// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html
func (g *guards) ofBus(ctx context.Context, asked actions.Permission) (string, error) {
	client := eventbridge.NewFromConfig(g.moto.Config(asked.Account, g.region))
	_, name, _ := strings.Cut(asked.Resource, "event-bus/")
	answer, err := client.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: &name})
	if missing := (*eventtypes.ResourceNotFoundException)(nil); errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", err //nolint:wrapcheck // the caller says what it was for
	}
	return aws.ToString(answer.Policy), nil
}

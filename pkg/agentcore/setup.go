package agentcore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// SetupControl is what setting up and taking down a gateway calls. The SDK's
// client of the service is one.
type SetupControl interface {
	gatewayControl
	targetControl
}

type gatewayControl interface {
	CreateGateway(ctx context.Context, in *control.CreateGatewayInput, options ...func(*control.Options)) (*control.CreateGatewayOutput, error)
	GetGateway(ctx context.Context, in *control.GetGatewayInput, options ...func(*control.Options)) (*control.GetGatewayOutput, error)
	ListGateways(ctx context.Context, in *control.ListGatewaysInput, options ...func(*control.Options)) (*control.ListGatewaysOutput, error)
	DeleteGateway(ctx context.Context, in *control.DeleteGatewayInput, options ...func(*control.Options)) (*control.DeleteGatewayOutput, error)
	ListTagsForResource(ctx context.Context, in *control.ListTagsForResourceInput, options ...func(*control.Options)) (*control.ListTagsForResourceOutput, error)
	TagResource(ctx context.Context, in *control.TagResourceInput, options ...func(*control.Options)) (*control.TagResourceOutput, error)
	UntagResource(ctx context.Context, in *control.UntagResourceInput, options ...func(*control.Options)) (*control.UntagResourceOutput, error)
	DeleteResourcePolicy(ctx context.Context, in *control.DeleteResourcePolicyInput, options ...func(*control.Options)) (*control.DeleteResourcePolicyOutput, error)
}

type targetControl interface {
	CreateGatewayTarget(ctx context.Context, in *control.CreateGatewayTargetInput, options ...func(*control.Options)) (*control.CreateGatewayTargetOutput, error)
	GetGatewayTarget(ctx context.Context, in *control.GetGatewayTargetInput, options ...func(*control.Options)) (*control.GetGatewayTargetOutput, error)
	ListGatewayTargets(ctx context.Context, in *control.ListGatewayTargetsInput, options ...func(*control.Options)) (*control.ListGatewayTargetsOutput, error)
	DeleteGatewayTarget(ctx context.Context, in *control.DeleteGatewayTargetInput, options ...func(*control.Options)) (*control.DeleteGatewayTargetOutput, error)
}

// Setup makes and removes gateways and their targets. Every step may be
// repeated: what is already as wanted is left alone.
type Setup struct {
	Control SetupControl
	Clock   Clock
	// Waiting, if set, is called with what is waited for and its status, every time that
	// it is looked at. What is there at once is not waited for.
	Waiting func(what, status string)
}

// Waiting for a status: how often to look, and for how long.
const (
	lookEvery = 2 * time.Second
	waitMost  = 5 * time.Minute
)

// GatewaySpec describes a gateway to create.
type GatewaySpec struct {
	Name        string
	Description string
	RoleARN     string // that the gateway acts as when it calls its targets
	Unmanaged   bool   // it gets no tag, so that no deployment keeps its policy
}

// SetUp is a gateway that is READY, and tagged as managed unless that was not wanted.
type SetUp struct {
	ID, ARN, URL string
	RoleARN      string // that it has, which may be another one than asked for where it existed
	Created      bool   // rather than found
	Tagged       bool   // as managed now; one that is created is born with the tag
}

// Gateway makes the gateway, or finds the one of that name, and returns when it
// is READY. Authentication is AWS_IAM, the protocol MCP. A gateway with another
// authorizer fails with grant.CodeWrongAuthorizer: it keeps the one that it was
// created with.
func (s Setup) Gateway(ctx context.Context, spec GatewaySpec) (SetUp, error) {
	id, err := s.Named(ctx, spec.Name)
	if err != nil {
		return SetUp{}, err
	}
	created := id == ""
	if created {
		if id, err = s.createGateway(ctx, spec); err != nil {
			return SetUp{}, err
		}
	}
	gateway, err := s.gatewayReady(ctx, id)
	if err != nil {
		return SetUp{}, err
	}
	if gateway.AuthorizerType != types.AuthorizerTypeAwsIam {
		return SetUp{}, &grant.Error{
			Code: grant.CodeWrongAuthorizer, Op: "set up gateway " + id,
			Hint: "it authenticates callers with " + string(gateway.AuthorizerType) + " and cannot change that: choose another name, or delete it first",
		}
	}
	tagged := false
	if !spec.Unmanaged {
		if tagged, err = s.tag(ctx, aws.ToString(gateway.GatewayArn)); err != nil {
			return SetUp{}, err
		}
	}
	return SetUp{
		ID:      id,
		ARN:     aws.ToString(gateway.GatewayArn),
		URL:     aws.ToString(gateway.GatewayUrl),
		RoleARN: aws.ToString(gateway.RoleArn),
		Created: created,
		Tagged:  tagged,
	}, nil
}

// URL is the endpoint of a gateway in the caller's account, as AWS returns it.
func (s Setup) URL(ctx context.Context, id string) (string, error) {
	answer, err := s.Control.GetGateway(ctx, &control.GetGatewayInput{GatewayIdentifier: aws.String(id)})
	if err != nil {
		return "", fmt.Errorf("read gateway %s: %w", id, err)
	}
	return aws.ToString(answer.GatewayUrl), nil
}

// Named is the id of the caller's gateway of that name, "" for none. A
// name is unique within an account and region.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_CreateGateway.html
func (s Setup) Named(ctx context.Context, name string) (string, error) {
	pages := control.NewListGatewaysPaginator(s.Control, &control.ListGatewaysInput{MaxResults: aws.Int32(pageSize)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", fmt.Errorf("look for a gateway named %s: %w", name, err)
		}
		for _, item := range page.Items {
			if aws.ToString(item.Name) == name {
				return aws.ToString(item.GatewayId), nil
			}
		}
	}
	return "", nil
}

func (s Setup) createGateway(ctx context.Context, spec GatewaySpec) (string, error) {
	in := &control.CreateGatewayInput{
		Name:           aws.String(spec.Name),
		RoleArn:        aws.String(spec.RoleARN),
		AuthorizerType: types.AuthorizerTypeAwsIam,
		ProtocolType:   types.GatewayProtocolTypeMcp,
	}
	if !spec.Unmanaged {
		in.Tags = map[string]string{plan.ManagedTag: plan.ManagedValue}
	}
	if spec.Description != "" {
		in.Description = aws.String(spec.Description)
	}
	answer, err := s.Control.CreateGateway(ctx, in)
	if err != nil {
		return "", fmt.Errorf("create gateway %s: %w", spec.Name, err)
	}
	return aws.ToString(answer.GatewayId), nil
}

// tag marks the gateway as managed unless it is already.
func (s Setup) tag(ctx context.Context, arn string) (bool, error) {
	answer, err := s.Control.ListTagsForResource(ctx, &control.ListTagsForResourceInput{ResourceArn: aws.String(arn)})
	if err != nil {
		return false, fmt.Errorf("read tags of %s: %w", arn, err)
	}
	if answer.Tags[plan.ManagedTag] == plan.ManagedValue {
		return false, nil
	}
	_, err = s.Control.TagResource(ctx, &control.TagResourceInput{
		ResourceArn: aws.String(arn),
		Tags:        map[string]string{plan.ManagedTag: plan.ManagedValue},
	})
	if err != nil {
		return false, fmt.Errorf("tag %s as managed: %w", arn, err)
	}
	return true, nil
}

func (s Setup) gatewayReady(ctx context.Context, id string) (*control.GetGatewayOutput, error) {
	var gateway *control.GetGatewayOutput
	err := s.until(ctx, "gateway "+id, func() (outcome, error) {
		var err error
		gateway, err = s.Control.GetGateway(ctx, &control.GetGatewayInput{GatewayIdentifier: aws.String(id)})
		if err != nil {
			return outcome{}, err
		}
		return readiness(string(gateway.Status), gateway.StatusReasons), nil
	})
	return gateway, err
}

// outcome is what a look at something awaited showed.
type outcome struct {
	status string
	done   bool
	failed string // why waiting is pointless
}

// readiness reads the status of a gateway or target that should become READY.
func readiness(status string, reasons []string) outcome {
	o := outcome{status: status}
	switch status {
	case string(types.GatewayStatusReady):
		o.done = true
	case string(types.GatewayStatusCreating), string(types.GatewayStatusUpdating), string(types.TargetStatusSynchronizing):
	case string(types.GatewayStatusDeleting):
		o.failed = "it is being deleted; try again when it is gone"
	default:
		o.failed = "it is " + status + "; delete it and create it again"
		if len(reasons) > 0 {
			o.failed = "it is " + status + " (" + strings.Join(reasons, "; ") + "); delete it and create it again"
		}
	}
	return o
}

var errTooLong = errors.New("it takes too long; try again later, nothing needs to be undone")

// until looks again and again until the look says that it is done, or fails.
func (s Setup) until(ctx context.Context, what string, look func() (outcome, error)) error {
	deadline := s.Clock.Now().Add(waitMost)
	for first := true; ; first = false {
		seen, err := look()
		switch {
		case err != nil:
			return fmt.Errorf("look at %s: %w", what, err)
		case seen.failed != "":
			return fmt.Errorf("wait for %s: %s", what, seen.failed)
		}
		if s.Waiting != nil && (!first || !seen.done) {
			s.Waiting(what, seen.status)
		}
		switch {
		case seen.done:
			return nil
		case !s.Clock.Now().Before(deadline):
			return fmt.Errorf("wait for %s, now %s: %w", what, seen.status, errTooLong)
		}
		if err := s.Clock.Sleep(ctx, lookEvery); err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
	}
}

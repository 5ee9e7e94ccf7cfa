package agentcore

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// The steps below remove one thing each, report whether it was there, and
// return when it is gone.

// Untag takes the tag from the gateway by which it is managed; that it has none is no
// error.
func (s Setup) Untag(ctx context.Context, gateway grant.Gateway) error {
	_, err := s.Control.UntagResource(ctx, &control.UntagResourceInput{ResourceArn: aws.String(gateway.ARN()), TagKeys: []string{plan.ManagedTag}})
	if err != nil {
		return fmt.Errorf("take the tag %s from %s: %w", plan.ManagedTag, gateway, err)
	}
	return nil
}

// DeletePolicy removes the gateway's resource policy.
func (s Setup) DeletePolicy(ctx context.Context, gateway grant.Gateway) (bool, error) {
	_, err := s.Control.DeleteResourcePolicy(ctx, &control.DeleteResourcePolicyInput{ResourceArn: aws.String(gateway.ARN())})
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("delete the resource policy of %s: %w", gateway, err)
	}
	return true, nil
}

// DeleteTarget removes a target of the gateway.
func (s Setup) DeleteTarget(ctx context.Context, gatewayID, id string) (bool, error) {
	look := func() (string, error) {
		target, err := s.Control.GetGatewayTarget(ctx, &control.GetGatewayTargetInput{
			GatewayIdentifier: aws.String(gatewayID),
			TargetId:          aws.String(id),
		})
		if err != nil {
			return "", err
		}
		return string(target.Status), nil
	}
	return s.delete(ctx, "target "+id, look, func() error {
		_, err := s.Control.DeleteGatewayTarget(ctx, &control.DeleteGatewayTargetInput{
			GatewayIdentifier: aws.String(gatewayID),
			TargetId:          aws.String(id),
		})
		return err
	})
}

// DeleteGateway removes a gateway that has no targets any more.
func (s Setup) DeleteGateway(ctx context.Context, id string) (bool, error) {
	look := func() (string, error) {
		gateway, err := s.Control.GetGateway(ctx, &control.GetGatewayInput{GatewayIdentifier: aws.String(id)})
		if err != nil {
			return "", err
		}
		return string(gateway.Status), nil
	}
	return s.delete(ctx, "gateway "+id, look, func() error {
		_, err := s.Control.DeleteGateway(ctx, &control.DeleteGatewayInput{GatewayIdentifier: aws.String(id)})
		return err
	})
}

// delete looks whether the thing is there, removes it unless another caller already
// does, and waits until it is gone.
func (s Setup) delete(ctx context.Context, what string, look func() (string, error), remove func() error) (bool, error) {
	status, err := look()
	switch {
	case isNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look at %s: %w", what, err)
	}
	if status != string(types.GatewayStatusDeleting) {
		if err := remove(); err != nil && !isNotFound(err) {
			return false, fmt.Errorf("delete %s: %w", what, err)
		}
	}
	return true, s.until(ctx, what, func() (outcome, error) {
		status, err := look()
		if isNotFound(err) {
			return outcome{status: "gone", done: true}, nil
		}
		if err != nil {
			return outcome{}, err
		}
		return outcome{status: status}, nil
	})
}

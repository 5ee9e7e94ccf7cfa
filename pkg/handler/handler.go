// Package handler holds the bodies of the Lambda functions. They parse what
// arrives, reconcile gateways or request it, and log and drop what is malformed.
// Nothing here decides about access, and the package links no AWS client.
package handler

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// AppID marks every call that the product makes in its user agent, as
// "app/gateway-grants", so that CloudTrail shows which calls are its own.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html
const AppID = "gateway-grants"

// Reconciler makes one gateway's policy what its grants say. Its error is not
// nil only if the outcome could not be recorded.
type Reconciler interface {
	Reconcile(ctx context.Context, gateway grant.Gateway, cause reconcile.Cause) (reconcile.Result, error)
}

// Gateways finds the gateways of the deployment's owners and regions.
type Gateways interface {
	// Owners are the accounts whose gateways are managed, "" for the function's own. Where
	// it fails, it returns those that the deployment's parameters name.
	Owners(ctx context.Context) ([]string, error)
	// WalkOwners hands on those gateways of some owners that are wanted as it finds them,
	// one at a time, and whether each carries the tag by which it is managed. It returns
	// what came of each owner: an error where it was not, or not wholly, walked through.
	WalkOwners(ctx context.Context, owners []string, wanted func(grant.Gateway) bool, found func(gateway grant.Gateway, managed bool)) map[string]error
}

// reconcileNow reconciles one gateway and logs how it ended.
func reconcileNow(ctx context.Context, r Reconciler, log *slog.Logger, gateway grant.Gateway, cause reconcile.Cause) (result reconcile.Result, err error) {
	defer func() {
		// A panic for one gateway must not fail the others of the batch, nor block the
		// shard.
		if p := recover(); p != nil {
			err = fmt.Errorf("reconcile %s: panic: %v", gateway, p)
			log.ErrorContext(ctx, "reconcile panicked", "gateway", gateway.ARN(), "panic", fmt.Sprint(p))
		}
	}()
	result, err = r.Reconcile(ctx, gateway, cause)
	attributes := []any{"gateway", gateway.ARN(), "cause", cause.Text, "passes", result.Passes, "writes", result.Writes}
	switch {
	case err != nil:
		log.ErrorContext(ctx, "outcome not recorded", append(attributes, "error", err.Error())...)
	case result.Failure != nil && result.Failure.Code == grant.CodeObserved && result.Plan.NotApplied != nil:
		log.InfoContext(ctx, "observe: not applied", append(attributes, "planHash", result.Plan.NotApplied.Hash,
			"add", len(result.Plan.NotApplied.Added), "remove", len(result.Plan.NotApplied.Removed))...)
	case result.Failure != nil:
		log.WarnContext(ctx, "gateway failing", append(attributes, "error", result.Failure.Error())...)
	default:
		log.InfoContext(ctx, "gateway reconciled", attributes...)
	}
	if err == nil && letsInUnmanaged(result) {
		log.ErrorContext(ctx, "a gateway that is no longer managed still holds statements of this installation: tag it again, or remove the statements by hand",
			"gateway", gateway.ARN(), "tag", plan.ManagedTag, "reason", result.Failure.Code)
	}
	return result, err
}

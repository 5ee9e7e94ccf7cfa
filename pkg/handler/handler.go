// Package handler holds the bodies of the Lambda functions: what arrives is
// read, gateways are reconciled or asked to be, and what cannot be understood
// is logged once and let go. Nothing here decides about access, and no AWS
// client is needed to link it.
package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// AppID marks every call that the product makes in its user agent, as
// "app/gateway-grants", so that CloudTrail tells its calls from others'.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-appid.html
const AppID = "gateway-grants"

// Reconciler makes one gateway's policy what its grants say. Its error is not
// nil only if the outcome could not be recorded.
type Reconciler interface {
	Reconcile(ctx context.Context, gateway grant.Gateway, cause reconcile.Cause) (reconcile.Result, error)
}

// Gateways finds the gateways of the deployment's owners and regions.
type Gateways interface {
	// Walk hands on those that are wanted as it finds them, one at a time, and
	// whether each carries the tag by which it is managed. Its error says which
	// owners and regions were not, or not wholly, walked through; all others were.
	Walk(ctx context.Context, wanted func(grant.Gateway) bool, found func(gateway grant.Gateway, managed bool)) error
}

// reconcileNow reconciles one gateway and logs how it ended.
func reconcileNow(ctx context.Context, r Reconciler, log *slog.Logger, gateway grant.Gateway, cause reconcile.Cause) (result reconcile.Result, err error) {
	defer func() {
		// A bug that one gateway brings to light must not take the others of the
		// batch, or a whole shard, down with it.
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
	case result.Failure != nil:
		log.WarnContext(ctx, "gateway failing", append(attributes, "error", result.Failure.Error())...)
	default:
		log.InfoContext(ctx, "gateway reconciled", attributes...)
	}
	if err == nil && letsInUnmanaged(result) {
		log.ErrorContext(ctx, "a gateway that is not managed lets in whom this installation once let in: tag it again, or remove the statements by hand",
			"gateway", gateway.ARN(), "tag", plan.ManagedTag, "reason", result.Failure.Code)
	}
	return result, err
}

// event is what EventBridge wraps every event in.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
type event struct {
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Region     string          `json:"region"`
	Detail     json.RawMessage `json:"detail"`
}

// clip keeps text that came from outside to one line of a bearable length.
func clip(text string) string {
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

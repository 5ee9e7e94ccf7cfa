package agentcore

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"

	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// DefaultPolicyRate is how many policy calls a second are made in a region of an
// account. AWS publishes no rate for them; its lowest for gateways is five.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html
const DefaultPolicyRate = 5

// readAttempts is how often a policy is read before the reading counts as failed.
const readAttempts = 3

const firstPause = 200 * time.Millisecond // at most, and doubled after each attempt

// policyCalls makes the calls on resource policies, within a rate. The SDK
// repeats none of them: its repetitions would come on top of the rate.
type policyCalls struct {
	pace    *pace
	timeout time.Duration // of one call
}

// read makes a call that changes nothing, again if it may pass then.
func (c *policyCalls) read(ctx context.Context, call func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		if err := c.pace.wait(ctx); err != nil {
			return err
		}
		err := c.make(ctx, call)
		if err == nil || attempt == readAttempts || !worthRepeating(err) {
			return err
		}
		pause := time.Duration(c.pace.jitter() * float64(firstPause<<(attempt-1)))
		if c.pace.clock.Sleep(ctx, pause) != nil {
			return err
		}
	}
}

// write makes a call at once, on credit: it rests on what was read just before,
// and what others write while it waits would be lost.
func (c *policyCalls) write(ctx context.Context, call func(context.Context) error) error {
	c.pace.take()
	return c.make(ctx, call)
}

func (c *policyCalls) make(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err := call(ctx)
	c.pace.learn(err != nil && refusal(err) == reconcile.CodeThrottled)
	return err
}

// worthRepeating reports whether a reading that failed may pass later, as the SDK
// would judge it.
func worthRepeating(err error) bool {
	return !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) &&
		(refusal(err) == reconcile.CodeThrottled || retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err).Bool())
}

// once keeps the SDK from sending a call again by itself. Besides the rate, a
// policy has no revision to compare: a write that is repeated could overwrite
// what others wrote in between, so a caller that tries again has to read again.
func once(o *control.Options) { o.Retryer = aws.NopRetryer{} }

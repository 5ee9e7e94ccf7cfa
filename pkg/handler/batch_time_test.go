package handler_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func TestGatewaysOfBatchAreReconciledAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.reconciler.before = func(context.Context, grant.Gateway) { time.Sleep(time.Second) }
		started := time.Now()
		deliver(t, t.Context(), w.tableChanges(), batchOf(recordOf(1, arn(1), "a"), recordOf(2, arn(2), "a"), recordOf(3, arn(3), "a")))
		if took := time.Since(started); took != time.Second || w.reconciler.together != 3 {
			t.Errorf("three took %v, %d together", took, w.reconciler.together)
		}
	})
}

func TestLateGatewaysAreRequested(t *testing.T) {
	slow := func(ctx context.Context, g grant.Gateway) {
		if g.ARN() == arn(1) {
			select {
			case <-time.After(time.Hour):
			case <-ctx.Done():
			}
		}
	}
	batch := batchOf(recordOf(1, arn(1), "a"), recordOf(2, arn(2), "b"))
	cases := map[string]struct {
		reason     string
		time       time.Duration
		reserve    time.Duration
		asked      time.Duration // when requests are made
		reconciled []string
		requested  []string
	}{
		"one is slow":     {"ten seconds are left for asking", time.Minute, 0, 50 * time.Second, arns(2), arns(1)},
		"little time":     {"a quarter of it is left for asking", 4 * time.Second, 0, 3 * time.Second, arns(2), arns(1)},
		"another reserve": {"the given reserve is left for requests", time.Minute, 20 * time.Second, 40 * time.Second, arns(2), arns(1)},
		"no time left":    {"nothing is begun that cannot end", 9 * time.Second, 10 * time.Second, 0, nil, arns(1, 2)},
		"no limit given":  {"none is made up", 0, 0, time.Hour, arns(1, 2), nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.reconciler.before = slow
				ctx := t.Context()
				if c.time > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.time)
					defer cancel()
				}
				changes, started := w.tableChanges(), time.Now()
				changes.Reserve = c.reserve
				if failed := deliver(t, ctx, changes, batch); failed != nil {
					t.Errorf("%s: reported as failed: %v", c.reason, failed)
				}
				if took := time.Since(started); took != c.asked {
					t.Errorf("%s: asked after %v, want %v", c.reason, took, c.asked)
				}
				if diff := cmp.Diff(c.reconciled, w.reconciler.reconciled()); diff != "" {
					t.Errorf("%s: reconciled -want +got\n%s", c.reason, diff)
				}
				if diff := cmp.Diff(c.requested, w.requests.requested()); diff != "" {
					t.Errorf("%s: requested -want +got\n%s", c.reason, diff)
				}
			})
		})
	}
}

func TestEndedInvocationFailsAllRecords(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	failed := deliver(t, ctx, w.tableChanges(), batchOf(recordOf(1, arn(1), "a"), recordOf(2, arn(2), "b")))
	if diff := cmp.Diff([]string{"1", "2"}, failed); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

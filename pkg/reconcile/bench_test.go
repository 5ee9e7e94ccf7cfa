package reconcile_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

type unread struct{}

func (unread) Publish(context.Context, []plan.Notice) error { return nil }

// benchCloud is a settled gateway with n accounts granted; no test holds its
// notices against their schemas.
func benchCloud(b *testing.B, n int) *cloud {
	b.Helper()
	c := newCloud(b)
	d := c.reconciler.Dependencies
	d.Notices = unread{}
	c.reconciler = reconcile.New(d, plan.DefaultLimits())
	for i := range n {
		c.grant(fmt.Sprintf("g%03d", i), fmt.Sprintf("%012d", 100000000000+i*7919))
	}
	c.reconcileUntilSettled()
	return c
}

var benchSizes = []int{1, 100, 590}

// BenchmarkPassWithoutChange is what the sweep costs for a gateway that is as its
// grants say: everything is read, planned and proved, and nothing is written.
func BenchmarkPassWithoutChange(b *testing.B) {
	for _, n := range benchSizes {
		c := benchCloud(b, n)
		b.Run(fmt.Sprintf("grants=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if result := c.reconcile(); result.Passes != 1 || result.Writes != 0 || result.Failure != nil {
					b.Fatalf("%d passes, %d writes, %v", result.Passes, result.Writes, result.Failure)
				}
			}
		})
	}
}

// BenchmarkReconcile is one more grant, or one less, from its row to the policy
// that was written, read back and recorded, on the stand-in and the tables' twins.
func BenchmarkReconcile(b *testing.B) {
	for _, n := range benchSizes {
		c, granted := benchCloud(b, n), false
		b.Run(fmt.Sprintf("grants=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if granted {
					c.revoke("one-more")
				} else {
					c.grant("one-more", "444455556666")
				}
				granted = !granted
				c.now = c.now.Add(time.Minute)
				if result := c.reconcile(); result.Passes != 2 || result.Writes != 1 || result.Failure != nil {
					b.Fatalf("%d passes, %d writes, %v", result.Passes, result.Writes, result.Failure)
				}
			}
		})
	}
}

package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

func attentionEnds(t *testing.T, table StatesTable) {
	first, second := gateway("attention-aaaaaaaaaa"), gateway("attention-bbbbbbbbbb")
	wants := plan.Attention{Failing: true, LeftOut: 3, NearlyFull: true, LetsIn: true}
	for _, step := range []struct {
		reason string
		change func() error
		want   map[string]plan.Attention
	}{
		{"nothing is recorded", func() error { return nil }, map[string]plan.Attention{}},
		{"all of it is kept", func() error { return table.SetAttention(t.Context(), first, wants) }, map[string]plan.Attention{first.ARN(): wants}},
		{"each gateway has its own", func() error { return table.SetAttention(t.Context(), second, plan.Attention{LeftOut: 1}) },
			map[string]plan.Attention{first.ARN(): wants, second.ARN(): {LeftOut: 1}}},
		{"a later one replaces it", func() error { return table.SetAttention(t.Context(), second, plan.Attention{Failing: true}) },
			map[string]plan.Attention{first.ARN(): wants, second.ARN(): {Failing: true}}},
		{"nothing is no item", func() error { return table.SetAttention(t.Context(), first, plan.Attention{}) },
			map[string]plan.Attention{second.ARN(): {Failing: true}}},
	} {
		if err := step.change(); err != nil {
			t.Fatalf("%s: %v", step.reason, err)
		}
		got, err := table.Attention(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", step.reason, err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", step.reason, diff)
		}
	}
	if due, err := table.Due(t.Context(), time.Now().AddDate(10, 0, 0)); err != nil || len(due) > 0 {
		t.Errorf("what needs attention is due: %v, %v", due, err)
	}
}

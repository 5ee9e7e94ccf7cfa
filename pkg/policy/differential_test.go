package policy_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/policy/simulate"
)

// seedVariable is the environment variable that replays a run.
const seedVariable = "GATEWAY_GRANTS_POLICY_SEED"

// TestEvaluateAgreesWithIAMSimulate compares with @cloud-copilot/iam-simulate,
// which runs in a process of its own. A call that has something odd may be decided
// differently, but then not without it: an excuse must not hide anything else.
func TestEvaluateAgreesWithIAMSimulate(t *testing.T) {
	simulator := simulate.New(t)
	cases, seed := 20_000, rand.Uint64()
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	t.Logf("replay with %s=%d", seedVariable, seed)

	calls := make([]policy.Call, cases)
	odd := make([][]string, cases)
	for i := range calls {
		g := newGenerator(seed + uint64(i))
		calls[i] = g.makeCall()
		odd[i] = slices.Sorted(maps.Keys(g.oddities))
	}
	verdicts := simulator.Decide(calls)

	mix, excused, disagreements := map[string]int{}, map[string]int{}, 0
	var plain []policy.Call // the excused without what excuses them
	for i, call := range calls {
		ours, theirs := policy.Evaluate(call), verdicts[i]
		mix[string(ours.Reason)]++
		if simulate.OutcomeOf(ours) == theirs {
			continue
		}
		if len(odd[i]) > 0 {
			excused[strings.Join(odd[i], " + ")]++
			g := newGenerator(seed + uint64(i))
			g.plain = true
			plain = append(plain, g.makeCall())
			continue
		}
		disagreements++
		if disagreements <= 5 {
			t.Errorf("case %d: they say %s; %s\n%s", i, theirs, ours, simulate.Describe(call))
		}
	}
	for i, theirs := range simulator.Decide(plain) {
		if ours := policy.Evaluate(plain[i]); simulate.OutcomeOf(ours) != theirs {
			disagreements++
			t.Errorf("without what excused it: they say %s; %s\n%s", theirs, ours, simulate.Describe(plain[i]))
		}
	}
	t.Logf("%d cases, %d disagreements; decisions: %v; excused: %v", cases, disagreements, mix, excused)
	checkMix(t, cases, mix, excused)
}

// checkMix sees to it that the cases are worth deciding.
func checkMix(t *testing.T, cases int, mix, excused map[string]int) {
	t.Helper()
	for _, reason := range []policy.Reason{
		policy.AllowedByIdentity, policy.AllowedByResource, policy.AllowedByBoth, policy.ExplicitDeny,
		policy.NoIdentityAllow, policy.NoResourceAllow, policy.NoBoundaryAllow, policy.NoSCPAllow,
	} {
		if mix[string(reason)] < cases/100 {
			t.Errorf("only %d of %d cases end in %s", mix[string(reason)], cases, reason)
		}
	}
	sum, each := 0, map[string]int{}
	for names, n := range excused {
		sum += n
		for name := range strings.SplitSeq(names, " + ") {
			each[name] += n
			if _, explained := oddities[name]; !explained {
				t.Errorf("nothing explains %q", name)
			}
		}
	}
	for name, n := range each {
		if n > cases/100 {
			t.Errorf("%d of %d cases are excused by %q", n, cases, name)
		}
	}
	if sum > cases/50 {
		t.Errorf("%d of %d cases are excused", sum, cases)
	}
}

func TestPlainCall(t *testing.T) {
	for seed := range uint64(2_000) {
		g, plain := newGenerator(seed), newGenerator(seed)
		plain.plain = true
		call, again := simulate.Describe(g.makeCall()), simulate.Describe(plain.makeCall())
		if len(plain.oddities) > 0 || (call == again) == (len(g.oddities) > 0) {
			t.Errorf("seed %d, with %v:\n%s\nand plain, with %v:\n%s", seed, g.oddities, call, plain.oddities, again)
		}
	}
}

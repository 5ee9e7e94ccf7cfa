package agentcore

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// pacedAt reaches the service at the rate, on a clock that moves only by waiting,
// with pauses that are not random.
func pacedAt(t *testing.T, s *service, rate float64) (*Gateways, *frozen) {
	t.Helper()
	clock := newFrozen()
	g := New(configFor(s.URL), Deployment{PolicyRate: rate})
	g.clock = clock.clock()
	at, err := g.of(t.Context(), theGateway(t))
	if err != nil {
		t.Fatal(err)
	}
	at.policies.pace.jitter = func() float64 { return 0.5 }
	return g, clock
}

func TestPolicyCallsKeepToTheRate(t *testing.T) {
	gateway := theGateway(t)
	call := "/resourcepolicy/" + gateway.ARN()
	tests := []struct {
		reason string
		rate   float64
		calls  string // r reads, w writes, d deletes
		want   []time.Duration
	}{
		{"the first few at once, the others one by one", 5, "rrrrrr", []time.Duration{0, 0, 0, 0, 200, 400}},
		{"a write follows its reading at once, and the next reading waits for both", 2, "rrwr", []time.Duration{0, 500, 500, 1500}},
		{"a deletion is a write", 2, "rrdr", []time.Duration{0, 500, 500, 1500}},
		{"less than one a second", 0.5, "rwr", []time.Duration{0, 0, 4000}},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			service := serve(t, map[string]answer{
				"GET " + call: say(200, `{}`), "PUT " + call: say(201, `{"policy":"{}"}`), "DELETE " + call: say(204, ""),
			})
			gateways, clock := pacedAt(t, service, test.rate)
			var got []time.Duration
			for _, kind := range test.calls {
				var err error
				switch kind {
				case 'r':
					_, err = gateways.Policy(t.Context(), gateway)
				case 'w':
					err = gateways.PutPolicy(t.Context(), gateway, aDocument(t))
				case 'd':
					err = gateways.DeletePolicy(t.Context(), gateway)
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, clock.slept/time.Millisecond)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("milliseconds at which calls were made: -want +got\n%s", diff)
			}
		})
	}
}

func TestRateOfEachRegionAndAccount(t *testing.T) {
	service := serve(t, nil) // 404 is an answer: no policy
	gateways, clock := pacedAt(t, service, 1)
	for _, arn := range []string{
		"arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/one-abcdefghij",
		"arn:aws:bedrock-agentcore:eu-west-1:111122223333:gateway/one-abcdefghij",
		"arn:aws:bedrock-agentcore:us-east-1:444455556666:gateway/one-abcdefghij",
	} {
		gateway, err := grant.ParseGateway(arn)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gateways.Policy(t.Context(), gateway); err != nil || clock.slept > 0 {
			t.Errorf("%s: %v after %v", arn, err, clock.slept)
		}
	}
}

func TestThrottledCallerSlowsDown(t *testing.T) {
	gateway := theGateway(t)
	call := "/resourcepolicy/" + gateway.ARN()
	refused := 0
	service := serve(t, map[string]answer{
		"GET " + call: oneAtATime(func(w http.ResponseWriter, r *http.Request) {
			if refused < 2 {
				refused++
				refuse(429, "ThrottlingException", "Rate exceeded")(w, r)
				return
			}
			say(200, `{}`)(w, r)
		}),
		"PUT " + call: refuse(429, "ThrottlingException", "Rate exceeded"),
	})
	gateways, clock := pacedAt(t, service, 10)
	if _, err := gateways.Policy(t.Context(), gateway); err != nil {
		t.Fatal(err)
	}
	// Two refusals: a rest of two waits, then one of four, of 100 ms each.
	if clock.slept != 600*time.Millisecond {
		t.Errorf("read after %v", clock.slept)
	}
	// The caller reads again and repeats a write, and the pace learns from it all the same.
	if code := grant.CodeOf(gateways.PutPolicy(t.Context(), gateway, aDocument(t))); code != reconcile.CodeThrottled {
		t.Errorf("the put failed with %q", code)
	}
	if n := service.calls("PUT " + call); n != 1 {
		t.Errorf("put %d times", n)
	}
	before := clock.slept
	gateways.read(t, gateway, 1)
	if rest := clock.slept - before; rest < 700*time.Millisecond {
		t.Errorf("after the third refusal, only %v passed", rest)
	}
	gateways.read(t, gateway, 200)
	before = clock.slept
	gateways.read(t, gateway, 10)
	if took := clock.slept - before; took != time.Second {
		t.Errorf("in the end, ten calls take %v, want the second that the rate allows", took)
	}
}

func (g *Gateways) read(t *testing.T, gateway grant.Gateway, times int) {
	t.Helper()
	for range times {
		if _, err := g.Policy(t.Context(), gateway); err != nil {
			t.Fatal(err)
		}
	}
}

package handler_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// shared is a clock of several goroutines, which moves to the next moment that
// an admin waits for when all of them wait.
type shared struct {
	mu       sync.Mutex
	now      time.Time
	busy     int
	sleepers map[chan struct{}]time.Time
}

func (s *shared) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *shared) Sleep(_ context.Context, d time.Duration) error {
	s.mu.Lock()
	woken := make(chan struct{})
	s.sleepers[woken] = s.now.Add(d)
	s.idle()
	s.mu.Unlock()
	<-woken
	return nil
}

// idle says that one goroutine less is at work. The caller holds s.mu.
func (s *shared) idle() {
	s.busy--
	if s.busy > 0 || len(s.sleepers) == 0 {
		return
	}
	var next chan struct{}
	for sleeper, wake := range s.sleepers {
		if next == nil || wake.Before(s.sleepers[next]) {
			next = sleeper
		}
	}
	s.now = s.sleepers[next]
	delete(s.sleepers, next)
	s.busy++
	close(next)
}

func (s *shared) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
}

func (s *shared) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle()
}

type uncounted struct{}

func (uncounted) Emit(context.Context, string, map[string]int) {}

// answering makes every call to AWS take as long as one does.
type answering struct {
	clock clock
	next  http.RoundTripper
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := a.clock.Sleep(r.Context(), 20*time.Millisecond); err != nil {
		return nil, err
	}
	return a.next.RoundTrip(r)
}

// BenchmarkGrantEverywhere is a grant for every gateway, from its stream record to
// the last policy, over a fleet at an AWS that takes five policy calls a second.
// Two instances share that rate; neither knows of the other. Time is the
// estate's: what is reported is how much longer than the calls have to take it
// took, and how many were throttled, of which there should be none.
func BenchmarkGrantEverywhere(b *testing.B) {
	for _, fleet := range []int{100, 1000} {
		b.Run(fmt.Sprintf("gateways=%d", fleet), func(b *testing.B) {
			var m everywhereMeasured
			for b.Loop() {
				m = everywhere(b, fleet)
			}
			b.ReportMetric(m.ofRate, "x-of-rate")
			b.ReportMetric(m.calls/float64(fleet), "policy-calls/gateway")
			b.ReportMetric(float64(m.throttled), "throttled")
			b.ReportMetric(m.seconds, "s-of-AWS-time")
		})
	}
}

func TestWideGrantKeepsToPolicyCallRate(t *testing.T) {
	m := everywhere(t, 100)
	if m.ofRate > 1.1 || m.throttled > 0 || m.calls > 400 {
		t.Errorf("%.0f calls took %.2f times what the rate allows, %d calls were throttled", m.calls, m.ofRate, m.throttled)
	}
}

const policyRate = 5 // calls a second

type everywhereMeasured struct {
	ofRate, calls, seconds float64
	throttled              int64
}

func everywhere(b testing.TB, fleet int) everywhereMeasured {
	b.Helper()
	clock := &shared{now: at, sleepers: map[chan struct{}]time.Time{}, busy: 1}
	rates := model.DocumentedRates()
	rates[model.PolicyCalls] = policyRate
	e := newEstate(b, clock, rates)
	gateways := make([]grant.Gateway, fleet)
	for n := range gateways {
		gateways[n] = e.gateway(fmt.Sprintf("fleet-%04d", n), true)
		check(b, clock.Sleep(b.Context(), time.Second)) // within AWS's rate for making them
	}
	e.config.HTTPClient = &http.Client{Transport: answering{clock, http.DefaultTransport}}
	e.queue, e.deaf = nil, true
	started := clock.Now()

	const instances = 2
	sweep := e.sweep()
	sweep.Metrics = uncounted{}
	record := batchOf(recordOf(1, "*", "everyone"))
	e.grant("*", "everyone", member)
	changes := e.tableChanges()
	changes.Metrics = uncounted{}
	if _, err := changes.Handle(context.Background(), record); err != nil {
		b.Fatal(err)
	}
	request, _ := e.take()

	var all sync.WaitGroup
	done := make(chan struct{})
	for range instances {
		clock.begin()
		all.Go(func() {
			defer clock.end()
			e.instance(clock, done)
		})
	}
	check(b, sweep.Handle(context.Background(), request.payload))
	close(done)
	clock.end()
	all.Wait()

	for _, gateway := range gateways {
		if got := e.admitted(gateway); len(got) != 1 {
			b.Fatalf("%s lets in %v", gateway, got)
		}
	}
	took, calls := clock.Now().Sub(started).Seconds(), float64(e.policyCalls.Load())
	return everywhereMeasured{ofRate: took / (calls / policyRate), calls: calls, seconds: took, throttled: e.throttled.Load()}
}

// instance is one of gateway-events, with a pace of its own, until there is
// nothing to do any more.
func (e *estate) instance(clock *shared, done <-chan struct{}) {
	events := &handler.GatewayEvents{Reconciler: e.reconciler(e.gateways(policyRate / 2.0)), Log: e.log(), Metrics: uncounted{}}
	for {
		next, ok := e.take()
		if !ok {
			select {
			case <-done:
				if next, ok = e.take(); !ok {
					return
				}
			default:
				_ = clock.Sleep(context.Background(), 50*time.Millisecond) // Lambda polls its queue, too
				continue
			}
		}
		if err := events.Handle(context.Background(), next.payload); err != nil {
			e.t.Error(err)
		}
	}
}

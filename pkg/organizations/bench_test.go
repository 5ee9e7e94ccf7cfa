package organizations_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/organizations"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// large is an organization of many accounts in 2,000 units, five deep, that
// refuses calls beyond AWS's published rates and takes a while for each.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
type large struct {
	accounts int
	noPaths  bool
	clock    *ticking
	buckets  map[string]*published
	refused  int
	calls    int
}

type published struct {
	rate, burst, tokens float64
	at                  time.Duration
}

const latency = 40 * time.Millisecond

func newLarge(accounts int) *large {
	return &large{accounts: accounts, clock: &ticking{}, buckets: map[string]*published{
		"DescribeOrganization": {rate: 1, burst: 2, tokens: 2}, "DescribeAccount": {rate: 20, burst: 30, tokens: 30},
		"ListAccounts": {rate: 8, burst: 12, tokens: 12}, "ListParents": {rate: 5, burst: 8, tokens: 8},
		"ListTagsForResource": {rate: 10, burst: 15, tokens: 15},
	}}
}

func (l *large) admit(operation string) error {
	l.calls++
	b := l.buckets[operation]
	b.tokens = math.Min(b.burst, b.tokens+(l.clock.elapsed-b.at).Seconds()*b.rate)
	b.at = l.clock.elapsed
	l.clock.elapsed += latency
	if b.tokens < 0.999999 {
		l.refused++
		return &types.TooManyRequestsException{}
	}
	b.tokens--
	return nil
}

func (l *large) unit(n int) string { return fmt.Sprintf("ou-ab12-%08d", n) }

// path is five units: that of the account and those above, each with six below.
func (l *large) path(n int) []int {
	var path []int
	for unit := n % 2000; unit > 0 && len(path) < 5; unit /= 6 {
		path = append([]int{unit}, path...)
	}
	return path
}

func (l *large) account(n int) types.Account {
	a := types.Account{Id: aws.String(fmt.Sprintf("%012d", n+1)), State: types.AccountStateActive}
	if !l.noPaths {
		path := "o-exampleorgid/r-ab12/"
		for _, unit := range l.path(n) {
			path += l.unit(unit) + "/"
		}
		a.Paths = []string{path + *a.Id + "/"}
	}
	return a
}

func (l *large) DescribeOrganization(context.Context, *sdk.DescribeOrganizationInput, ...func(*sdk.Options)) (*sdk.DescribeOrganizationOutput, error) {
	return &sdk.DescribeOrganizationOutput{Organization: &types.Organization{
		Id: aws.String("o-exampleorgid"), MasterAccountId: aws.String(fmt.Sprintf("%012d", 1)),
	}}, l.admit("DescribeOrganization")
}

func (l *large) DescribeAccount(_ context.Context, in *sdk.DescribeAccountInput, _ ...func(*sdk.Options)) (*sdk.DescribeAccountOutput, error) {
	n, err := strconv.Atoi(*in.AccountId)
	if err != nil {
		return nil, err
	}
	a := l.account(n - 1)
	return &sdk.DescribeAccountOutput{Account: &a}, l.admit("DescribeAccount")
}

func (l *large) ListAccounts(_ context.Context, in *sdk.ListAccountsInput, _ ...func(*sdk.Options)) (*sdk.ListAccountsOutput, error) {
	if err := l.admit("ListAccounts"); err != nil {
		return nil, err
	}
	from, _ := strconv.Atoi(aws.ToString(in.NextToken))
	out := &sdk.ListAccountsOutput{}
	for n := from; n < min(from+20, l.accounts); n++ {
		out.Accounts = append(out.Accounts, l.account(n))
	}
	if from+20 < l.accounts {
		out.NextToken = aws.String(strconv.Itoa(from + 20))
	}
	return out, nil
}

func (l *large) ListParents(_ context.Context, in *sdk.ListParentsInput, _ ...func(*sdk.Options)) (*sdk.ListParentsOutput, error) {
	if err := l.admit("ListParents"); err != nil {
		return nil, err
	}
	parent := "r-ab12"
	var unit int
	if _, err := fmt.Sscanf(*in.ChildId, "ou-ab12-%d", &unit); err == nil {
		if path := l.path(unit); len(path) > 1 {
			parent = l.unit(path[len(path)-2])
		}
	} else if n, err := strconv.Atoi(*in.ChildId); err == nil {
		if path := l.path(n - 1); len(path) > 0 {
			parent = l.unit(path[len(path)-1])
		}
	}
	return &sdk.ListParentsOutput{Parents: []types.Parent{{Id: &parent}}}, nil
}

func (l *large) ListTagsForResource(context.Context, *sdk.ListTagsForResourceInput, ...func(*sdk.Options)) (*sdk.ListTagsForResourceOutput, error) {
	return &sdk.ListTagsForResourceOutput{Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("prod")}}}, l.admit("ListTagsForResource")
}

// heap is the largest heap seen while something ran.
type heap struct {
	most uint64
	stop chan struct{}
	done chan struct{}
}

func watchHeap() *heap {
	h := &heap{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(h.done)
		var stats runtime.MemStats
		for {
			runtime.ReadMemStats(&stats)
			h.most = max(h.most, stats.HeapInuse)
			select {
			case <-h.stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return h
}

func (h *heap) peak() float64 {
	close(h.stop)
	<-h.done
	return float64(h.most) / (1 << 20)
}

// BenchmarkFullSync lists organizations on a clock that only waiting moves, in
// runs of as long as Lambda allows, and compares with the time that the rates
// allow. The peak is of everything; what is left of it afterwards is the table's twin
// in memory, which no Lambda holds.
func BenchmarkFullSync(b *testing.B) {
	for _, c := range []struct {
		name     string
		accounts int
		again    bool // the second listing, which finds nothing new
		noPaths  bool
		tags     bool
		calls    float64 // of the slowest kind,
		rate     float64 // which has this
	}{
		{"first", 50_000, false, false, false, 2500, 8},
		{"again", 50_000, true, false, false, 2500, 8},
		{"parents", 50_000, true, true, false, 50_000, 5},
		{"tags", 50_000, false, false, true, 50_000, 10},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				ratio, runs, refused, peak, twin := fullSync(b, c.accounts, c.again, c.noPaths, c.tags, c.calls/c.rate)
				b.ReportMetric(ratio, "x-of-rate")
				b.ReportMetric(float64(runs), "runs")
				b.ReportMetric(float64(refused), "throttled")
				b.ReportMetric(peak, "peak-MiB")
				b.ReportMetric(twin, "of-it-table-MiB")
			}
		})
	}
}

func fullSync(b *testing.B, accounts int, again, noPaths, tags bool, allowed float64) (ratio float64, runs, refused int, peak, twin float64) {
	b.Helper()
	l := newLarge(accounts)
	clock := l.clock.clock()
	table, grants := memory.NewAccounts(memory.Config{}), memory.NewGrants(memory.Config{})
	must(b, grants.PutSentinel(b.Context()))
	if tags {
		must(b, grants.Put(b.Context(), grant.Attributes{"gateway": "*", "grant": "t", "principal": "tag:env=prod"}, true))
	}
	syncer := dirsync.New(organizations.New(l, clock), table, grants, clock.Now)
	var deadline time.Time
	syncer.Deadline = func(context.Context) (time.Time, bool) { return deadline, true }
	run := func(sync func(context.Context) (dirsync.Summary, error)) bool {
		deadline = clock.Now().Add(15 * time.Minute)
		runs++
		summary, err := sync(b.Context())
		must(b, err)
		return summary.Unfinished
	}
	if again {
		for unfinished := run(syncer.All); unfinished; {
			unfinished = run(syncer.Due)
		}
	}
	l.noPaths = noPaths
	l.clock.elapsed += time.Hour
	began := l.clock.elapsed
	runs, l.refused = 0, 0
	watched := watchHeap()
	for unfinished := run(syncer.All); unfinished; {
		unfinished = run(syncer.Due)
	}
	peak = watched.peak()
	runtime.GC()
	var left runtime.MemStats
	runtime.ReadMemStats(&left)
	recorded, err := table.Recorded(b.Context())
	must(b, err)
	if len(recorded) != accounts || tags && recorded[7].Tags["env"] != "prod" || len(recorded[1999].Path) != 5 {
		b.Fatalf("%d accounts, such as %+v", len(recorded), recorded[1999])
	}
	return (l.clock.elapsed - began).Seconds() / allowed, runs, l.refused, peak, float64(left.HeapAlloc) / (1 << 20)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

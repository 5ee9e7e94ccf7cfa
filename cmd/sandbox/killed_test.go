//go:build e2e

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

const (
	disturbedGateways = 20
	disturbedAccounts = 25
	singleChanges     = 500
	burstRows         = 1000
	atOneWrite        = 25 // what BatchWriteItem takes
	killEvery         = 500 * time.Millisecond
	leastKills        = 5 // in each part
	// A request whose function was killed is made again by the sweep, store.AskAgainAfter
	// (5 minutes) after the last; its message comes back later still. Twice that, and a minute.
	settlesWithin = 11 * time.Minute
)

// disturbance is a table that changes while functions are killed, and what its
// gateways' policies have to be in the end.
type disturbance struct {
	t        *testing.T
	sandbox  *sandbox
	random   *rand.Rand // of the changes
	fate     *rand.Rand // of the processes
	table    *dynamodb.Client
	control  *control.Client
	gateways []string
	accounts []string
	rows     map[string]map[string]string // by gateway and id: the account
}

// whileFunctionsAreKilled has every function's processes die at random while rows
// are written one by one and in bursts.
func whileFunctionsAreKilled(t *testing.T, s *sandbox) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("KILL_SEED"); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = given
	}
	t.Logf("KILL_SEED=%d", seed)
	d := &disturbance{
		t: t, sandbox: s, random: rand.New(rand.NewPCG(seed, 0)), fate: rand.New(rand.NewPCG(seed, 1)), rows: map[string]map[string]string{},
		table: dynamodb.NewFromConfig(sdkConfig(t, s, "admin")), control: newGoSDK(t, s, "account-a").control,
	}
	d.prepare()
	d.whileKilling(func() {
		for range singleChanges {
			d.change()
		}
		d.burst(func(n int) dynamotypes.WriteRequest {
			gateway, account := d.gateways[n%len(d.gateways)], d.accounts[n/len(d.gateways)%len(d.accounts)]
			d.rows[gateway][burstID(n)] = account
			return dynamotypes.WriteRequest{PutRequest: &dynamotypes.PutRequest{Item: item(gateway, burstID(n), account)}}
		})
	})
	d.settled("after changes and a burst of rows")
	d.whileKilling(func() {
		d.burst(func(n int) dynamotypes.WriteRequest {
			gateway := d.gateways[n%len(d.gateways)]
			delete(d.rows[gateway], burstID(n))
			return dynamotypes.WriteRequest{DeleteRequest: &dynamotypes.DeleteRequest{Key: key(gateway, burstID(n))}}
		})
	})
	d.settled("after a burst of deletions")
	for _, lost := range s.lost(t) {
		t.Errorf("%s holds %s", lost.queue, lost.body)
	}
}

// prepare makes the gateways, and the accounts that are let in and out of them.
func (d *disturbance) prepare() {
	d.accounts = newAccounts(d.t, organizations.NewFromConfig(sdkConfig(d.t, d.sandbox, "management")), "disturbed", disturbedAccounts)
	for n := range disturbedGateways {
		arn := managedGateway(d.t, d.sandbox, fmt.Sprintf("disturbed-%d", n))
		d.gateways = append(d.gateways, arn)
		d.rows[arn] = map[string]string{}
	}
}

// change writes one row, or takes one away.
func (d *disturbance) change() {
	gateway, account := d.gateways[d.random.IntN(len(d.gateways))], d.accounts[d.random.IntN(len(d.accounts))]
	id := "of-" + account
	var err error
	if _, there := d.rows[gateway][id]; there && d.random.IntN(2) == 0 {
		delete(d.rows[gateway], id)
		_, err = d.table.DeleteItem(d.t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("gateway-grants"), Key: key(gateway, id)})
	} else {
		d.rows[gateway][id] = account
		_, err = d.table.PutItem(d.t.Context(), &dynamodb.PutItemInput{TableName: aws.String("gateway-grants"), Item: item(gateway, id, account)})
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// burst writes burstRows times, as fast as can be.
func (d *disturbance) burst(write func(n int) dynamotypes.WriteRequest) {
	var requests []dynamotypes.WriteRequest
	for n := range burstRows {
		requests = append(requests, write(n))
	}
	for batch := range slices.Chunk(requests, atOneWrite) {
		written, err := d.table.BatchWriteItem(d.t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]dynamotypes.WriteRequest{"gateway-grants": batch}})
		if err != nil || len(written.UnprocessedItems) > 0 {
			d.t.Fatalf("%d rows not written: %v", len(written.UnprocessedItems), err)
		}
	}
}

func burstID(n int) string { return fmt.Sprintf("burst-%d", n) }

func key(gateway, id string) map[string]dynamotypes.AttributeValue {
	return map[string]dynamotypes.AttributeValue{
		"gateway": &dynamotypes.AttributeValueMemberS{Value: gateway}, "grant": &dynamotypes.AttributeValueMemberS{Value: id},
	}
}

func item(gateway, id, account string) map[string]dynamotypes.AttributeValue {
	attributes := key(gateway, id)
	attributes["principal"] = &dynamotypes.AttributeValueMemberS{Value: account}
	return attributes
}

// whileKilling kills a function's process every now and then until the work is done, and
// at least leastKills of them.
func (d *disturbance) whileKilling(work func()) {
	stop := make(chan struct{})
	var killer sync.WaitGroup
	var killed atomic.Int32
	killer.Go(func() {
		tick := time.NewTicker(killEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if processes := d.sandbox.processes(d.t); len(processes) > 0 && syscall.Kill(processes[d.fate.IntN(len(processes))], syscall.SIGKILL) == nil {
				killed.Add(1)
			}
		}
	})
	started := time.Now()
	work()
	// A busy machine may have had no process at any tick: changes go on until some were killed.
	within(d.t, settlesWithin, "processes are killed while rows change", func() bool {
		if killed.Load() >= leastKills {
			return true
		}
		d.change()
		return false
	})
	close(stop)
	killer.Wait()
	d.t.Logf("%d processes killed in %s", killed.Load(), time.Since(started).Round(time.Second))
}

// processes are those of functions but the ones named, by id. They are children of the
// sandbox itself.
func (s *sandbox) processes(t *testing.T, but ...string) []int {
	t.Helper()
	programs, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Error(err)
	}
	var found []int
	for _, link := range programs {
		program, _ := os.Readlink(link) // it may have ended
		stat, _ := os.ReadFile(filepath.Join(filepath.Dir(link), "stat"))
		_, state, _ := strings.Cut(string(stat), ") ") // after the name: state, parent, …
		if fields := strings.Fields(state); filepath.Base(program) == "bootstrap" && len(fields) > 1 && fields[1] == strconv.Itoa(s.command.Process.Pid) {
			variables, _ := os.ReadFile(filepath.Join(filepath.Dir(link), "environ"))
			// One that has ended, or has only just begun, has no variables to tell it by.
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil && len(variables) > 0 && !spared(variables, but) {
				found = append(found, pid)
			}
		}
	}
	return found
}

func spared(variables []byte, functions []string) bool {
	return slices.ContainsFunc(functions, func(function string) bool {
		return slices.Contains(strings.Split(string(variables), "\x00"), "AWS_LAMBDA_FUNCTION_NAME="+function)
	})
}

// settled waits until every gateway admits the accounts that its rows name, and no other.
func (d *disturbance) settled(when string) {
	d.t.Helper()
	want := map[string][]string{}
	for gateway, rows := range d.rows {
		want[gateway] = []string{}
		for _, account := range rows {
			want[gateway] = append(want[gateway], "arn:aws:iam::"+account+":root")
		}
		slices.Sort(want[gateway])
		want[gateway] = slices.Compact(want[gateway])
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), settlesWithin)
	defer cancel()
	started := time.Now()
	for {
		got := map[string][]string{}
		for _, gateway := range d.gateways {
			got[gateway] = d.letIn(gateway)
		}
		diff := cmp.Diff(want, got)
		if diff == "" {
			d.t.Logf("%s, policies equal grants after %s", when, time.Since(started).Round(time.Second))
			return
		}
		select {
		case <-ctx.Done():
			d.t.Fatalf("%s, policies differ from grants after %s (-want +got):\n%s", when, settlesWithin, diff)
		case <-time.After(time.Second):
		}
	}
}

// letIn are the principals that the gateway's policy names, sorted.
func (d *disturbance) letIn(gateway string) []string {
	d.t.Helper()
	principals := []string{}
	answer, err := d.control.GetResourcePolicy(d.t.Context(), &control.GetResourcePolicyInput{ResourceArn: &gateway})
	if err != nil {
		d.t.Fatal(err)
	}
	if aws.ToString(answer.Policy) == "" {
		return principals
	}
	document, err := policy.Parse([]byte(*answer.Policy))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, statement := range document.Statements {
		principals = append(principals, statement.Principal.AWS...)
	}
	slices.Sort(principals)
	return principals
}

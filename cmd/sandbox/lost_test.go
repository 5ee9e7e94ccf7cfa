//go:build e2e

package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// lost is a message of a dead-letter queue.
type lost struct{ queue, body string }

// lost empties the dead-letter queues. A request belongs there after five runs that
// failed, half an hour apart; a notice that could not be delivered, too.
func (s *sandbox) lost(t *testing.T) []lost {
	t.Helper()
	queues := sqs.NewFromConfig(sdkConfig(t, s, "account-a"))
	var found []lost
	for _, name := range []string{"gateway-grants-lost-requests", "gateway-grants-lost-notices"} {
		url, err := queues.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &name})
		if err != nil {
			t.Fatal(err)
		}
		for {
			received, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url.QueueUrl, MaxNumberOfMessages: 10})
			if err != nil {
				t.Fatal(err)
			}
			if len(received.Messages) == 0 {
				break
			}
			for _, message := range received.Messages {
				found = append(found, lost{name, aws.ToString(message.Body)})
				if _, err := queues.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url.QueueUrl, ReceiptHandle: message.ReceiptHandle}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return found
}

// killing kills the processes of functions as soon as they appear.
type killing struct {
	sandbox *sandbox
	killed  atomic.Int64
	ended   chan struct{}
	killer  sync.WaitGroup
	mu      sync.Mutex // held from looking for processes until they are killed
	spared  []string
}

func startKilling(t *testing.T, s *sandbox) *killing {
	t.Helper()
	k := &killing{sandbox: s, ended: make(chan struct{})}
	k.killer.Go(func() {
		for {
			select {
			case <-k.ended:
				return
			case <-time.After(5 * time.Millisecond):
				k.once(t)
			}
		}
	})
	return k
}

func (k *killing) once(t *testing.T) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, process := range k.sandbox.processes(t, k.spared...) {
		if syscall.Kill(process, syscall.SIGKILL) == nil { // it may be gone
			k.killed.Add(1)
		}
	}
}

// allBut spares the processes of these functions from now on. A message whose function is
// killed stays hidden for the queue's visibility timeout, half an hour: none that is sent
// after this may meet a process that was found before it.
func (k *killing) allBut(functions ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.spared = functions
}

func (k *killing) stop() {
	close(k.ended)
	k.killer.Wait()
}

// manyGrants are more than one transaction of DynamoDB has room for.
const manyGrants = 125

// answersWhatPiledUp lets no function do anything while rows for one gateway pile up.
func answersWhatPiledUp(t *testing.T, s *sandbox) {
	arn := managedGateway(t, s, "of-many-grants")
	accounts := newAccounts(t, organizations.NewFromConfig(sdkConfig(t, s, "management")), "granted", 5)
	for _, account := range accounts {
		grantTo(t, s, arn, account)
		within(t, 3*time.Minute, "the account is known, and let in", func() bool { return slices.Equal(accountsIn(t, s, arn), []string{account}) })
	}
	table := dynamodb.NewFromConfig(sdkConfig(t, s, "admin"))
	killing := startKilling(t, s)
	defer killing.stop()
	for n := range manyGrants {
		row := item(arn, fmt.Sprintf("many-%d", n), accounts[n%len(accounts)])
		if _, err := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("gateway-grants"), Item: row}); err != nil {
			t.Error(err)
		}
	}
	within(t, 3*time.Minute, "functions are killed", func() bool { return killing.killed.Load() >= 10 })
	// All of the rows are still to be answered, in one transaction after another.
	killing.allBut("gateway-grants-table-changes")
	admin := newAWSCLI(t, s, "admin")
	shown := func(attribute, value string) func() bool {
		return func() bool {
			answer := must(t, admin, "dynamodb", "Query", map[string]any{
				"TableName": "gateway-grants-state", "KeyConditionExpression": "gateway = :gateway", "FilterExpression": "#attribute = :value",
				"ExpressionAttributeNames":  map[string]any{"#attribute": attribute},
				"ExpressionAttributeValues": map[string]any{":gateway": map[string]string{"S": arn}, ":value": map[string]string{"S": value}},
			})
			count, _ := answer["Count"].(float64)
			return count >= manyGrants
		}
	}
	within(t, 3*time.Minute, "each grant is Admitted", shown("phase", "Admitted"))
	// The sweep records no statuses. It asks again for what a killed run left undone.
	killing.allBut("gateway-grants-gateway-events", "gateway-grants-sweep")
	if _, err := newGoSDK(t, s, "account-a").control.UntagResource(t.Context(), &control.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"gateway-grants:managed"}}); err != nil {
		t.Fatal(err)
	}
	within(t, 3*time.Minute, "each grant is NotManaged", shown("reason", "NotManaged"))
}

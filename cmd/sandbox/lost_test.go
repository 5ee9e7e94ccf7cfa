//go:build e2e

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// lost is a message of a dead-letter queue.
type lost struct{ queue, body string }

// lost empties the dead-letter queues. An event whose every attempt was killed belongs
// there; a record of a stream never does, and nor does an event that could not be
// delivered.
func (s *sandbox) lost(t *testing.T) []lost {
	t.Helper()
	queues := sqs.NewFromConfig(sdkConfig(t, s, "account-a"))
	var found []lost
	for _, name := range []string{"gateway-grants-lost-records", "gateway-grants-lost-events", "gateway-grants-lost-invocations"} {
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

// wasKilled tells whether the last attempt of a lost invocation ended with its process.
func (l lost) wasKilled() bool {
	var said struct {
		RequestContext struct {
			Condition string `json:"condition"`
		} `json:"requestContext"`
		ResponsePayload struct {
			ErrorType string `json:"errorType"`
		} `json:"responsePayload"`
	}
	return json.Unmarshal([]byte(l.body), &said) == nil &&
		said.RequestContext.Condition == "RetriesExhausted" && strings.HasPrefix(said.ResponsePayload.ErrorType, "Runtime.")
}

// manyGrants are more than one transaction of DynamoDB has room for.
const manyGrants = 125

// keepsWhatFailsAtEveryAttempt lets no function do anything until the calls made
// meanwhile have been given up on, and rows for one gateway have piled up.
func keepsWhatFailsAtEveryAttempt(t *testing.T, s *sandbox) {
	arn := managedGateway(t, s, "of-many-grants")
	accounts := newAccounts(t, organizations.NewFromConfig(sdkConfig(t, s, "management")), "granted", 5)
	for _, account := range accounts {
		grantTo(t, s, arn, account)
		within(t, 3*time.Minute, "the account is known, and let in", func() bool { return slices.Equal(accountsIn(t, s, arn), []string{account}) })
	}
	table := dynamodb.NewFromConfig(sdkConfig(t, s, "admin"))
	calls := lambda.NewFromConfig(sdkConfig(t, s, "account-a"))
	waiting := map[string]string{
		"gateway-grants-sweep": `{"sweep":"due"}`, "gateway-grants-organization": `{"sweep":"rechecks"}`,
		"gateway-grants-gateway-events": `{"source":"gateway-grants","detail-type":"Reconcile Requested","detail":{"gateway":"` + arn + `"}}`,
	}
	stop, spare := make(chan struct{}), atomic.Pointer[string]{}
	spare.Store(new(string))
	var killer sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			for _, process := range s.processes(t, *spare.Load()) {
				_ = syscall.Kill(process, syscall.SIGKILL) // it may be gone
			}
		}
	})
	defer killer.Wait()
	defer close(stop)
	for name, payload := range waiting {
		if _, err := calls.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, InvocationType: types.InvocationTypeEvent, Payload: []byte(payload)}); err != nil {
			t.Error(err)
		}
	}
	for n := range manyGrants {
		row := item(arn, fmt.Sprintf("many-%d", n), accounts[n%len(accounts)])
		if _, err := table.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("gateway-grants"), Item: row}); err != nil {
			t.Error(err)
		}
	}
	within(t, 3*time.Minute, "calls that were killed at every attempt are in the dead-letter queue", func() bool {
		for _, lost := range s.lost(t) {
			for name := range waiting {
				if lost.wasKilled() && strings.Contains(lost.body, ":function:"+name+":") {
					delete(waiting, name)
				}
			}
		}
		return len(waiting) == 0
	})
	// All of the rows are still to be answered, in one transaction after another.
	spare.Store(aws.String("gateway-grants-table-changes"))
	admin := newAWSCLI(t, s, "admin")
	told := func(attribute, value string) func() bool {
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
	within(t, 3*time.Minute, "each of the grants is told to be admitted", told("phase", "Admitted"))
	spare.Store(aws.String("gateway-grants-gateway-events"))
	if _, err := newGoSDK(t, s, "account-a").control.UntagResource(t.Context(), &control.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"gateway-grants:managed"}}); err != nil {
		t.Fatal(err)
	}
	within(t, 3*time.Minute, "each of the grants is told to be for a gateway that is not managed", told("reason", "NotManaged"))
}

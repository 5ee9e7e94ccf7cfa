package bus_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/bus"
	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

func TestRequestsComeOutOfABusOnMoto(t *testing.T) {
	endpoint := aws.String(cloudtest.Moto(t).Endpoint())
	key := credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")
	events := eventbridge.New(eventbridge.Options{Region: "us-east-1", BaseEndpoint: endpoint, Credentials: key})
	queues := sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: endpoint, Credentials: key})
	queue := subscribe(t, events, queues)

	if err := bus.New(events, "gateway-grants", bus.Wait).Request(t.Context(), requests(t, 12)); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string) // cause by gateway
	for len(got) < 12 {
		out, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue, MaxNumberOfMessages: 10})
		if err != nil || len(out.Messages) == 0 {
			t.Fatalf("after %d of 12 requests: %v", len(got), err)
		}
		for _, message := range out.Messages {
			var received struct {
				Source     string        `json:"source"`
				DetailType string        `json:"detail-type"`
				Detail     event.Request `json:"detail"`
			}
			if err := json.Unmarshal([]byte(*message.Body), &received); err != nil || received.Source != "gateway-grants" || received.DetailType != "Reconcile Requested" {
				t.Fatalf("%v: %s", err, *message.Body)
			}
			got[received.Detail.Gateway.ARN()] = received.Detail.Cause
		}
	}
	want := make(map[string]string)
	for _, request := range requests(t, 12) {
		want[request.Gateway.ARN()] = request.Cause
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// subscribe makes the bus, and a queue that gets all of its events.
func subscribe(t *testing.T, events *eventbridge.Client, queues *sqs.Client) (url *string) {
	t.Helper()
	ctx := t.Context()
	made, err := events.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: aws.String("gateway-grants")})
	check(t, err)
	queue, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("all")})
	check(t, err)
	described, err := queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: queue.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
	check(t, err)
	_, err = events.PutRule(ctx, &eventbridge.PutRuleInput{
		Name: aws.String("all"), EventBusName: made.EventBusArn, EventPattern: aws.String(fmt.Sprintf(`{"source":[%q]}`, event.Source)),
	})
	check(t, err)
	_, err = events.PutTargets(ctx, &eventbridge.PutTargetsInput{
		Rule: aws.String("all"), EventBusName: aws.String("gateway-grants"),
		Targets: []types.Target{{Id: aws.String("queue"), Arn: aws.String(described.Attributes["QueueArn"])}},
	})
	check(t, err)
	return queue.QueueUrl
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/actions"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// Forwarding hands events that rules pick to the event buses that are their targets.
// Both sides have to agree: the target's role, which EventBridge must be able to
// assume, and the policy of the bus, unless it is in the same account. What is not
// allowed goes to the target's dead-letter queue at once.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
type Forwarding struct {
	Moto       *Moto
	Identities *Identities
	Decider    iam.Decider
	Log        *slog.Logger
}

// forwardSession is how long a role is assumed for to forward one event.
const forwardSession = 15 * time.Minute

// errNotForwarded says why an event may not be put on a bus.
var errNotForwarded = errors.New("the event may not be put on the bus")

// Before handles the posts of RuleMatches whose target is a bus, and leaves all
// others to next.
func (f *Forwarding) Before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var match RuleMatch
		if err := json.Unmarshal(body, &match); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		bus, err := arn.Parse(match.Target)
		if err != nil || bus.Service != "events" {
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
			return
		}
		err = f.forward(r.Context(), match, bus)
		if errors.Is(err, errNotForwarded) {
			f.Log.WarnContext(r.Context(), "event not forwarded", "rule", match.Rule, "bus", match.Target, "because", err)
			err = f.bury(r.Context(), match)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError) // it comes again
		}
	})
}

func (f *Forwarding) forward(ctx context.Context, match RuleMatch, bus arn.ARN) error {
	if err := f.allowed(ctx, match, bus); err != nil {
		return err
	}
	return f.Moto.put(ctx, match.Target, match.Event)
}

// allowed answers errNotForwarded for what AWS would not let happen.
func (f *Forwarding) allowed(ctx context.Context, match RuleMatch, bus arn.ARN) error {
	rule, err := arn.Parse(match.Rule)
	if err != nil {
		return fmt.Errorf("reading the ARN of a rule: %w", err)
	}
	from := map[string][]string{"aws:SourceArn": {match.Rule}, "aws:SourceAccount": {rule.AccountID}}
	key, err := f.Identities.ServiceSession(ctx, "events.amazonaws.com", from, match.Role, "forward", forwardSession)
	if errors.Is(err, ErrNotTrusted) {
		return fmt.Errorf("%w: %w", errNotForwarded, err)
	}
	if err != nil {
		return err
	}
	guards := guards{moto: f.Moto, region: bus.Region, read: map[string]*policy.Document{}}
	document, err := guards.of(ctx, actions.Permission{Action: "events:PutEvents", Resource: match.Target, Account: bus.AccountID})
	if err != nil {
		return err
	}
	decision, err := f.Decider.Decide(ctx, key.Caller, policy.Call{
		Action: "events:PutEvents", Resource: match.Target, ResourceAccount: bus.AccountID, ResourcePolicy: document,
		Context: map[string][]string{"aws:SourceArn": {match.Rule}},
	})
	if err == nil && !decision.Allowed {
		err = fmt.Errorf("%w: %s", errNotForwarded, decision)
	}
	return err
}

// bury puts an event into the target's dead-letter queue, if it has one.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
func (f *Forwarding) bury(ctx context.Context, match RuleMatch) error {
	if match.DeadLetter == "" {
		return nil
	}
	queue, err := arn.Parse(match.DeadLetter)
	if err != nil {
		return fmt.Errorf("reading the ARN of a dead-letter queue: %w", err)
	}
	client := sqs.NewFromConfig(f.Moto.Config(queue.AccountID, queue.Region))
	found, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &queue.Resource})
	if err != nil {
		return fmt.Errorf("finding dead-letter queue %s: %w", queue, err)
	}
	if _, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: found.QueueUrl, MessageBody: aws.String(string(match.Event))}); err != nil {
		return fmt.Errorf("writing to dead-letter queue %s: %w", queue, err)
	}
	return nil
}

// put has the rules of a bus pick from an event as it is. PutEvents would make it
// one of the bus's own account.
func (m *Moto) put(ctx context.Context, bus string, event []byte) error {
	address := m.endpoint + "/_sandbox/event?" + url.Values{"bus": {bus}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(event))
	if err != nil {
		return fmt.Errorf("putting an event on %s: %w", bus, err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("putting an event on %s: %w", bus, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: there is no bus %s", errNotForwarded, bus)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("putting an event on %s: moto answers %s", bus, answer.Status)
	}
	return nil
}

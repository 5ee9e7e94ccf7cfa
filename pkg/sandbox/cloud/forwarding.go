package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/actions"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// Forwarding puts events that rules pick on the event buses that are their targets.
// Both sides have to agree: the target's role, which EventBridge must be able to
// assume, and the policy of the bus, unless it is in the same account.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
type Forwarding struct {
	Moto       *Moto
	Identities *Identities
	Decider    iam.Decider
}

// forwardSession is how long a role is assumed for to forward one event.
const forwardSession = 15 * time.Minute

// ErrNotForwarded says that an event may not be put on a bus, or that there is no
// such bus.
var ErrNotForwarded = errors.New("the event may not be put on the bus")

// Forward puts the event of a match on the bus that is its target, or answers
// ErrNotForwarded.
func (f *Forwarding) Forward(ctx context.Context, match RuleMatch) error {
	bus, err := arn.Parse(match.Target)
	if err != nil {
		return fmt.Errorf("reading the ARN of a bus: %w", err)
	}
	if err := f.allowed(ctx, match, bus); err != nil {
		return err
	}
	return f.Moto.put(ctx, match.Target, match.Event)
}

// allowed answers ErrNotForwarded for what AWS would not let happen.
func (f *Forwarding) allowed(ctx context.Context, match RuleMatch, bus arn.ARN) error {
	rule, err := arn.Parse(match.Rule)
	if err != nil {
		return fmt.Errorf("reading the ARN of a rule: %w", err)
	}
	from := map[string][]string{"aws:SourceArn": {match.Rule}, "aws:SourceAccount": {rule.AccountID}}
	key, err := f.Identities.ServiceSession(ctx, "events.amazonaws.com", from, match.Role, "forward", forwardSession)
	if errors.Is(err, ErrNotTrusted) {
		return fmt.Errorf("%w: %w", ErrNotForwarded, err)
	}
	if err != nil {
		return err
	}
	guards := guards{moto: f.Moto, region: bus.Region, read: map[string]*policy.Document{}}
	document, err := guards.of(ctx, actions.Permission{Action: "events:PutEvents", Resource: match.Target, Account: bus.AccountID})
	if err != nil {
		return err
	}
	about := map[string][]string{"aws:SourceArn": {match.Rule}}
	organization, err := f.Identities.organizationOf(ctx, rule.AccountID)
	if err != nil {
		return err
	}
	if organization != "" {
		about["aws:PrincipalOrgID"] = []string{organization}
	}
	decision, err := f.Decider.Decide(ctx, key.Caller, policy.Call{
		Action: "events:PutEvents", Resource: match.Target, ResourceAccount: bus.AccountID, ResourcePolicy: document, Context: about,
	})
	if err == nil && !decision.Allowed {
		err = fmt.Errorf("%w: %s", ErrNotForwarded, decision)
	}
	return err
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
		return fmt.Errorf("%w: there is no bus %s", ErrNotForwarded, bus)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("putting an event on %s: moto answers %s", bus, answer.Status)
	}
	return nil
}

package inspect

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/gateway-grants/gateway-grants/pkg/doctor"
	"github.com/gateway-grants/gateway-grants/pkg/event"
)

// ErrNotAssumed says that the caller may not act in the account where a probe is sent.
var ErrNotAssumed = errors.New("the role that sends probes cannot be assumed")

// Send puts probes on a bus. It fails with ErrNotAssumed where it cannot act there.
func (r *Reader) Send(ctx context.Context, to doctor.Bus, probes ...event.Outgoing) error {
	config := r.Config.Copy()
	config.Region = to.Region
	if to.Role != "" {
		config.Credentials = r.assume(to.Role, to.ExternalID)
	}
	entries := make([]types.PutEventsRequestEntry, len(probes))
	for i, probe := range probes {
		entries[i] = types.PutEventsRequestEntry{Source: &probe.Source, DetailType: &probe.DetailType, Detail: &probe.Detail}
	}
	answer, err := eventbridge.NewFromConfig(config).PutEvents(ctx, &eventbridge.PutEventsInput{Entries: entries})
	if isDenied(err) {
		return fmt.Errorf("%w: %w", ErrNotAssumed, err)
	}
	if err != nil {
		return fmt.Errorf("send a probe: %w", err)
	}
	for _, entry := range answer.Entries {
		if entry.ErrorCode != nil {
			return fmt.Errorf("send a probe: %s: %s", *entry.ErrorCode, aws.ToString(entry.ErrorMessage))
		}
	}
	return nil
}

// assume gives the credentials of a role, shared by all that is sent as it.
func (r *Reader) assume(role, externalID string) aws.CredentialsProvider {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, is := r.assumed[role]
	if !is {
		known = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(r.Config), role, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "gateway-grants-doctor"
			if externalID != "" {
				o.ExternalID = &externalID
			}
		}))
		if r.assumed == nil {
			r.assumed = make(map[string]aws.CredentialsProvider)
		}
		r.assumed[role] = known
	}
	return known
}

// isDenied reports whether the role could not be assumed: STS answers alike where there is
// no such role and where it does not let the caller in.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func isDenied(err error) bool {
	for operation, is := errors.AsType[*smithy.OperationError](err); is; operation, is = errors.AsType[*smithy.OperationError](operation.Err) {
		if operation.OperationName == "AssumeRole" {
			return hasCode(err, "AccessDenied")
		}
	}
	return false
}

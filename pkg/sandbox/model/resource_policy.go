package model

import (
	"fmt"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// PutResourcePolicy replaces the whole policy of a gateway of the caller's
// account and answers it as it is kept. There is no revision to condition a
// write on: the last writer wins.
// Errors: Validation, ResourceNotFound, AccessDenied, Throttling,
// InternalServer (Principals failed).
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_PutResourcePolicy.html
func (s *Service) PutResourcePolicy(by Caller, arn, text string) (string, error) {
	gatewayARN, shown, err := s.putPolicy(by, arn, text)
	s.report(by, Change{
		Event:    "PutResourcePolicy",
		Gateway:  gatewayARN,
		Request:  map[string]any{"resourceArn": arn, "policy": text},
		Response: map[string]any{"policy": shown},
	}, err)
	return shown, err
}

func (s *Service) putPolicy(by Caller, arn, text string) (gatewayARN, shown string, err error) {
	if err := checkPolicyARN(arn); err != nil {
		return "", "", err
	}
	g, err := s.policyHolder(by, arn)
	if err != nil {
		return "", "", err
	}
	stored, err := s.readPolicy(g, text)
	if err != nil {
		return g.ARN, "", err
	}
	shown, err = s.shown(stored)
	if err != nil {
		return g.ARN, "", err
	}
	return g.ARN, shown, s.replacePolicy(by, arn, stored)
}

// replacePolicy stores what has been checked without the lock. The gateway may
// have gone meanwhile; its rules cannot have changed.
func (s *Service) replacePolicy(by Caller, arn string, stored *storedPolicy) error {
	now := s.lock()
	defer s.mu.Unlock()
	g, err := s.named(by, arn)
	if err != nil {
		return err
	}
	g.policy.add(now, s.opts.PolicyDelay, stored)
	return nil
}

// GetResourcePolicy reads the policy of a gateway of the caller's account, ""
// if it has none.
// Errors: Validation, ResourceNotFound, AccessDenied, Throttling,
// InternalServer (Principals failed).
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_GetResourcePolicy.html
func (s *Service) GetResourcePolicy(by Caller, arn string) (string, error) {
	if err := checkPolicyARN(arn); err != nil {
		return "", err
	}
	stored, err := s.readable(by, arn)
	if err != nil {
		return "", err
	}
	if stored != nil {
		return s.shown(stored)
	}
	if s.opts.Quirks.Has(GetWithoutPolicyNotFound) {
		return "", noPolicy(arn)
	}
	return "", nil
}

func (s *Service) readable(by Caller, arn string) (*storedPolicy, error) {
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.admit(by, PolicyCalls, now); err != nil {
		return nil, err
	}
	g, err := s.named(by, arn)
	if err != nil {
		return nil, err
	}
	if s.opts.Quirks.Has(PolicyReadsStale) {
		now = now.Add(-s.opts.PolicyDelay)
	}
	return g.policy.at(now), nil
}

// DeleteResourcePolicy takes the policy off a gateway of the caller's account.
// Errors: Validation, ResourceNotFound (no such gateway, or no policy),
// AccessDenied, Throttling.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_DeleteResourcePolicy.html
func (s *Service) DeleteResourcePolicy(by Caller, arn string) error {
	gatewayARN, err := s.deletePolicy(by, arn)
	s.report(by, Change{
		Event:   "DeleteResourcePolicy",
		Gateway: gatewayARN,
		Request: map[string]any{"resourceArn": arn},
	}, err)
	return err
}

func (s *Service) deletePolicy(by Caller, arn string) (string, error) {
	if err := checkPolicyARN(arn); err != nil {
		return "", err
	}
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.admit(by, PolicyCalls, now); err != nil {
		return "", err
	}
	g, err := s.named(by, arn)
	if err != nil {
		return "", err
	}
	if g.policy.at(now) == nil {
		if s.opts.Quirks.Has(DeleteWithoutPolicySucceeds) {
			return g.ARN, nil
		}
		return g.ARN, noPolicy(arn)
	}
	g.policy.add(now, s.opts.PolicyDelay, nil)
	return g.ARN, nil
}

// EffectivePolicy is what the data plane decides by, now: nil without a policy
// or a gateway. A principal that is gone stands there by its unique id, so that
// one created again under its name does not match. The error is that of
// Principals.
func (s *Service) EffectivePolicy(gatewayARN string) (*policy.Document, error) {
	now := s.lock()
	g := s.byARN(gatewayARN)
	if s.opts.Quirks.Has(PolicyEffectDelayed) {
		now = now.Add(-s.opts.PolicyDelay)
	}
	var stored *storedPolicy
	if g != nil {
		stored = g.policy.at(now)
	}
	s.mu.Unlock()
	if stored == nil {
		return nil, nil
	}
	return s.current(stored)
}

// policyHolder is what the rules need to know of the gateway that a policy is
// for.
func (s *Service) policyHolder(by Caller, arn string) (Gateway, error) {
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.admit(by, PolicyCalls, now); err != nil {
		return Gateway{}, err
	}
	g, err := s.named(by, arn)
	if err != nil {
		return Gateway{}, err
	}
	return g.Gateway, nil
}

func (s *Service) byARN(arn string) *gateway {
	account, id, ok := s.splitARN(arn)
	if !ok {
		return nil
	}
	if g, ok := s.gateways[id]; ok && g.Account == account {
		return g
	}
	return nil
}

func checkPolicyARN(arn string) error {
	var v violations
	v.length("resourceArn", arn, 20, 1011)
	v.pattern("resourceArn", arn, taggablePattern)
	return v.err()
}

func noPolicy(arn string) error {
	return refuse(ResourceNotFound, "No resource policy found for resource %s", arn)
}

// policyHistory are the policies that a gateway has had, oldest first; nil for
// none. What no delay can reach any more is forgotten.
type policyHistory []policyVersion

type policyVersion struct {
	since  time.Time
	policy *storedPolicy
}

// at is the policy as of a time.
func (h *policyHistory) at(when time.Time) *storedPolicy {
	for _, version := range slices.Backward(*h) {
		if !version.since.After(when) {
			return version.policy
		}
	}
	return nil
}

func (h *policyHistory) add(now time.Time, delay time.Duration, p *storedPolicy) {
	old := 0
	for old+1 < len(*h) && !(*h)[old+1].since.After(now.Add(-delay)) {
		old++
	}
	*h = append(slices.Delete(*h, 0, old), policyVersion{now, p})
}

// unreachable is the answer when Principals fails.
func unreachable(err error) error {
	return &Error{Code: InternalServer, Message: fmt.Sprintf("looking a principal up: %v", err)}
}

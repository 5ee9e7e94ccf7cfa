package model

import "strings"

// owned is the caller's gateway with that id. A gateway of another account is
// not found: identifiers are looked up within the caller's account.
func (s *Service) owned(by Caller, id string) (*gateway, error) {
	var v violations
	v.pattern("gatewayIdentifier", id, gatewayIDPattern)
	if err := v.err(); err != nil {
		return nil, err
	}
	g, ok := s.gateways[id]
	if !ok || g.Account != by.Account {
		return nil, refuse(ResourceNotFound, "Gateway with ID: %s not found", id)
	}
	return g, nil
}

// ready is the caller's gateway if it is in a state to be worked on. Observed
// for CreateGatewayTarget, taken for the others:
// https://github.com/awslabs/agentcore-samples/issues/1145
func (s *Service) ready(by Caller, id, operation string) (*gateway, error) {
	g, err := s.owned(by, id)
	if err != nil {
		return nil, err
	}
	if g.Status != Ready {
		return nil, invalid("Cannot perform operation %s when gateway is in %s status", operation, g.Status)
	}
	return g, nil
}

// named is the caller's gateway with that ARN.
func (s *Service) named(by Caller, arn string) (*gateway, error) {
	account, id, ok := s.splitARN(arn)
	if !ok {
		return nil, refuse(ResourceNotFound, "Resource %s not found", arn)
	}
	if account != by.Account {
		if s.opts.Quirks.Has(ForeignARNNotFound) {
			return nil, refuse(ResourceNotFound, "Resource %s not found", arn)
		}
		return nil, refuse(AccessDenied, "Account %s has no access to resource %s", by.Account, arn)
	}
	g, ok := s.gateways[id]
	if !ok || g.Account != account {
		return nil, refuse(ResourceNotFound, "Resource %s not found", arn)
	}
	return g, nil
}

// GatewayARN is the ARN that a gateway of the account with that id has.
func (s *Service) GatewayARN(account, id string) string {
	return s.arnPrefix() + account + ":gateway/" + id
}

// splitARN takes the ARN of a gateway of this partition and region apart.
func (s *Service) splitARN(arn string) (account, id string, ok bool) {
	rest, ok := strings.CutPrefix(arn, s.arnPrefix())
	if !ok {
		return "", "", false
	}
	account, id, ok = strings.Cut(rest, ":gateway/")
	return account, id, ok && id != ""
}

func (s *Service) arnPrefix() string {
	return "arn:" + s.opts.Partition + ":bedrock-agentcore:" + s.opts.Region + ":"
}

package model

import (
	"maps"
	"time"
)

// RateGroup is a set of operations that share a rate.
type RateGroup string

// The groups that AWS publishes rates for, and the policy calls, for which it
// publishes none.
const (
	GatewayWrites RateGroup = "Create, Update, DeleteGateway"
	GatewayReads  RateGroup = "Get, ListGateways"
	TargetWrites  RateGroup = "Create, Update, DeleteGatewayTarget"
	TargetReads   RateGroup = "Get, ListGatewayTargets"
	PolicyCalls   RateGroup = "Put, Get, DeleteResourcePolicy"
)

// DocumentedRates are AWS's default calls a second, an account and region.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html
func DocumentedRates() map[RateGroup]int {
	return maps.Clone(map[RateGroup]int{GatewayWrites: 5, GatewayReads: 10, TargetWrites: 5, TargetReads: 10})
}

type bucketKey struct {
	account string
	group   RateGroup
}

// bucket holds up to a second's worth of calls. How AWS lets bursts through is
// not documented; a token bucket is what it uses elsewhere.
type bucket struct {
	calls float64
	at    time.Time
}

// admit takes a call out of the account's bucket.
func (s *Service) admit(by Caller, group RateGroup, now time.Time) error {
	rate, limited := s.opts.Rates[group]
	if !limited {
		return nil
	}
	key := bucketKey{by.Account, group}
	b, ok := s.buckets[key]
	if !ok {
		b = &bucket{calls: float64(rate), at: now}
		s.buckets[key] = b
	}
	b.calls = min(float64(rate), b.calls+now.Sub(b.at).Seconds()*float64(rate))
	b.at = now
	if b.calls < 1 {
		return refuse(Throttling, "Rate exceeded")
	}
	b.calls--
	return nil
}

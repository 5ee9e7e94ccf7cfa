// Package model is the control plane of Amazon Bedrock AgentCore Gateway as one
// state machine: gateways, their targets, tags and resource policies, owned by
// any number of accounts in one region. It knows no HTTP: the simulation drives
// it directly and the control package serves it.
//
// A rule cites where AWS documents it or where it was observed. What is
// documented nowhere is a [Quirk].
//
// Shapes, names, patterns and enumerations come from the service model
// (https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/).
// Left out: rules, rate limits, policy engines, interceptors and web ACLs of
// gateways, whose configuration is kept and returned as it was given, and the
// quota of five concurrent target operations a gateway.
package model

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Caller is who makes a call. Only Account decides anything here; the rest is
// handed on in a [Change].
type Caller struct {
	// Account is the caller's twelve digits.
	Account string
	// ARN and UserID are those of sts:GetCallerIdentity; both may be empty.
	ARN, UserID string
	// UserAgent is what the caller's client says of itself, CloudTrail's
	// userAgent; it may be empty.
	UserAgent string
}

// Principals answers which AWS accounts, IAM roles and IAM users exist now, in
// any account. It is never asked while the service is locked.
type Principals interface {
	// UniqueID is what identifies the principal with that ARN for good: the
	// unique id (AROA…, AIDA…) of a role or user, the account's id for its
	// root. It is "" when no principal has the ARN. An error fails the call that asks
	// with InternalServerException.
	UniqueID(arn string) (string, error)
}

// Options configure a [Service]. The zero value of each field is usable, but
// Principals is needed by the first policy that names one.
type Options struct {
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Region is where the gateways are; us-east-1 if empty.
	Region string
	// Partition is the first part of their ARNs; aws if empty.
	Partition string
	// Principals answers who exists.
	Principals Principals
	// GatewayURL is where a gateway is served, without the path at which it
	// speaks MCP; if nil, the host that AWS gives it:
	// https://{id}.gateway.bedrock-agentcore.{region}.amazonaws.com.
	GatewayURL func(gatewayID string) string
	// Rand makes the random part of identifiers; seeded at random if nil.
	Rand *rand.Rand
	// SettleAfter is how long a gateway or target stays CREATING, UPDATING or
	// DELETING. At zero it has settled by the next call. AWS publishes no
	// duration; seconds have been observed.
	SettleAfter time.Duration
	// PolicyDelay is how long the quirks that delay a policy delay it; 30
	// seconds if zero.
	PolicyDelay time.Duration
	// Rates limits calls a second, by group; none if nil. See [DocumentedRates].
	Rates map[RateGroup]int
	// Quirks are the answers to what AWS does not document.
	Quirks Quirks
	// Changed, if not nil, is called for every call that changes something, after
	// it is done and outside the lock, failed calls included.
	Changed func(Change)
}

// Service is the control plane of one region. It is safe for concurrent use.
type Service struct {
	opts Options

	mu       sync.Mutex
	gateways map[string]*gateway // by id, which is unique across accounts: it is a host name
	order    uint64              // of creation, the order of lists
	tokens   map[clientToken]tokenUse
	buckets  map[bucketKey]*bucket
}

// New makes a service without gateways.
func New(opts Options) *Service {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Region == "" {
		opts.Region = "us-east-1"
	}
	if opts.Partition == "" {
		opts.Partition = "aws"
	}
	if opts.GatewayURL == nil {
		opts.GatewayURL = func(id string) string {
			return "https://" + id + ".gateway.bedrock-agentcore." + opts.Region + ".amazonaws.com"
		}
	}
	if opts.Rand == nil {
		opts.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // identifiers are no secrets
	}
	if opts.PolicyDelay == 0 {
		opts.PolicyDelay = 30 * time.Second
	}
	return &Service{
		opts:     opts,
		gateways: map[string]*gateway{},
		tokens:   map[clientToken]tokenUse{},
		buckets:  map[bucketKey]*bucket{},
	}
}

// Region is where the service's gateways are.
func (s *Service) Region() string { return s.opts.Region }

// lock takes the lock and lets time take effect on what is stored, so that no
// caller sees a state that the clock has already ended. It returns the time of
// the call. The caller must unlock s.mu.
func (s *Service) lock() time.Time {
	now := s.opts.Now().UTC().Truncate(time.Millisecond)
	s.mu.Lock()
	for id, g := range s.gateways {
		if !g.settle(now) {
			delete(s.gateways, id)
		}
	}
	return now
}

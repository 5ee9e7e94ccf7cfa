package model

import (
	"cmp"
	"slices"
	"time"
)

// AuthorizerType says which callers a gateway admits.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-inbound-auth.html
type AuthorizerType string

// The authorizer types of the service model. With AuthenticateOnly and None no
// authorisation is enforced.
const (
	AWSIAM           AuthorizerType = "AWS_IAM"
	CustomJWT        AuthorizerType = "CUSTOM_JWT"
	AuthenticateOnly AuthorizerType = "AUTHENTICATE_ONLY"
	NoAuthorizer     AuthorizerType = "NONE"
)

// Status is that of a gateway or target.
type Status string

// The statuses that this model gives. Creation and updates always succeed here.
const (
	Creating Status = "CREATING"
	Updating Status = "UPDATING"
	Deleting Status = "DELETING"
	Ready    Status = "READY"
)

// gatewaysPerAccount is adjustable in AWS, per region.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html
const gatewaysPerAccount = 1000

// Gateway is what Create-, Get- and UpdateGateway answer.
type Gateway struct {
	GatewaySettings

	ID        string    `json:"gatewayId"`
	ARN       string    `json:"gatewayArn"`
	URL       string    `json:"gatewayUrl,omitempty"`
	Status    Status    `json:"status"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	// WorkloadIdentity is who the gateway is to AgentCore Identity.
	WorkloadIdentity WorkloadIdentity `json:"workloadIdentityDetails"`
	// Account owns the gateway.
	Account string `json:"-"`
}

// WorkloadIdentity is what AgentCore makes for each gateway.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/creating-agent-identities.html
type WorkloadIdentity struct {
	ARN string `json:"workloadIdentityArn"`
}

// GatewaySummary is an item of ListGateways. It lacks ARN, tags and URL.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_GatewaySummary.html
type GatewaySummary struct {
	ID             string         `json:"gatewayId"`
	Name           string         `json:"name"`
	Description    string         `json:"description,omitempty"`
	Status         Status         `json:"status"`
	AuthorizerType AuthorizerType `json:"authorizerType"`
	ProtocolType   string         `json:"protocolType,omitempty"`
	CreatedAt      time.Time      `json:"createdAt"`
	UpdatedAt      time.Time      `json:"updatedAt"`
}

// CreateGatewayInput is the request of CreateGateway.
type CreateGatewayInput struct {
	GatewaySettings

	ClientToken string            `json:"clientToken,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// DeletedGateway is what DeleteGateway answers.
type DeletedGateway struct {
	ID     string `json:"gatewayId"`
	Status Status `json:"status"`
}

// gateway is a gateway as stored, with all that goes when it goes.
type gateway struct {
	Gateway

	order   uint64
	settles time.Time
	tags    map[string]string
	targets map[string]*target
	policy  policyHistory
}

// settle moves the gateway and its targets to the status that the clock has
// brought; false says that the gateway is gone.
func (g *gateway) settle(now time.Time) bool {
	for id, t := range g.targets {
		if !t.settle(now) {
			delete(g.targets, id)
		}
	}
	if now.Before(g.settles) {
		return true
	}
	if g.Status == Deleting {
		return false
	}
	g.Status = Ready
	return true
}

// CreateGateway makes a gateway of the caller's account. It answers while the
// gateway is still CREATING.
// Errors: Validation, Conflict (the name is taken), ServiceQuotaExceeded,
// Throttling.
func (s *Service) CreateGateway(by Caller, in CreateGatewayInput) (Gateway, error) {
	g, err := s.createGateway(by, in)
	s.report(by, Change{
		Event:    "CreateGateway",
		Gateway:  g.ARN,
		Request:  redacted(in.GatewaySettings),
		Response: map[string]any{"gatewayArn": g.ARN, "gatewayId": g.ID, "gatewayUrl": g.URL, "status": g.Status},
	}, err)
	return g, err
}

func (s *Service) createGateway(by Caller, in CreateGatewayInput) (Gateway, error) {
	// Members that only UpdateGateway has are passed over, as unknown ones are.
	in.CustomTransformConfiguration, in.WAFConfiguration = nil, nil
	if err := checkNewGateway(in); err != nil {
		return Gateway{}, err
	}
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.admit(by, GatewayWrites, now); err != nil {
		return Gateway{}, err
	}
	token := clientToken{by.Account, "CreateGateway", in.ClientToken}
	if id, err := s.earlier(token, in); id != "" || err != nil {
		if err != nil {
			return Gateway{}, err
		}
		return s.gateways[id].Gateway, nil
	}
	owned := 0
	for _, g := range s.gateways {
		if g.Account != by.Account {
			continue
		}
		if g.Name == in.Name {
			// "The name must be unique within your account."
			// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_CreateGateway.html
			return Gateway{}, refuse(Conflict, "A gateway with name %s already exists in account %s", in.Name, by.Account)
		}
		owned++
	}
	if owned >= gatewaysPerAccount {
		return Gateway{}, refuse(ServiceQuotaExceeded, "Account %s has reached its quota of %d gateways", by.Account, gatewaysPerAccount)
	}
	id := s.newGatewayID(in.Name)
	s.order++
	g := &gateway{
		Gateway: Gateway{
			GatewaySettings:  in.GatewaySettings,
			ID:               id,
			ARN:              s.GatewayARN(by.Account, id),
			URL:              s.gatewayURL(id, in.ProtocolType),
			Status:           Creating,
			CreatedAt:        now,
			UpdatedAt:        now,
			Account:          by.Account,
			WorkloadIdentity: WorkloadIdentity{s.arnPrefix() + by.Account + ":workload-identity-directory/default/workload-identity/" + id},
		},
		order:   s.order,
		settles: now.Add(s.opts.SettleAfter),
		tags:    cloned(in.Tags),
		targets: map[string]*target{},
	}
	s.gateways[id] = g
	s.remember(token, in, id)
	return g.Gateway, nil
}

// gatewayURL ends in the path of the protocol; without a protocol it has none.
// https://github.com/awslabs/agentcore-samples/pull/1952
func (s *Service) gatewayURL(id, protocol string) string {
	url := s.opts.GatewayURL(id)
	if protocol == "MCP" {
		url += "/mcp"
	}
	return url
}

// GetGateway reads a gateway of the caller's account.
// Errors: Validation, ResourceNotFound, Throttling.
func (s *Service) GetGateway(by Caller, id string) (Gateway, error) {
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.admit(by, GatewayReads, now); err != nil {
		return Gateway{}, err
	}
	g, err := s.owned(by, id)
	if err != nil {
		return Gateway{}, err
	}
	return g.Gateway, nil
}

// ListGateways reads a page of the caller's gateways, oldest first.
// Errors: Validation, Throttling.
func (s *Service) ListGateways(by Caller, page Page) ([]GatewaySummary, string, error) {
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.admit(by, GatewayReads, now); err != nil {
		return nil, "", err
	}
	var all []*gateway
	for _, g := range s.gateways {
		if g.Account == by.Account {
			all = append(all, g)
		}
	}
	return paged(page, all, func(g *gateway) uint64 { return g.order }, func(g *gateway) GatewaySummary {
		return GatewaySummary{
			ID: g.ID, Name: g.Name, Description: g.Description, Status: g.Status,
			AuthorizerType: g.AuthorizerType, ProtocolType: g.ProtocolType,
			CreatedAt: g.CreatedAt, UpdatedAt: g.UpdatedAt,
		}
	})
}

// UpdateGateway replaces the settings of a gateway; what is left out is unset.
// Errors: Validation, ResourceNotFound, Conflict, Throttling.
func (s *Service) UpdateGateway(by Caller, id string, in GatewaySettings) (Gateway, error) {
	g, err := s.updateGateway(by, id, in)
	request := redacted(in)
	request["gatewayIdentifier"] = id
	s.report(by, Change{
		Event:    "UpdateGateway",
		Gateway:  g.ARN,
		Request:  request,
		Response: map[string]any{"gatewayArn": g.ARN, "gatewayId": g.ID, "gatewayUrl": g.URL, "status": g.Status},
	}, err)
	return g, err
}

func (s *Service) updateGateway(by Caller, id string, in GatewaySettings) (Gateway, error) {
	v := checkSettings(in)
	if err := v.err(); err != nil {
		return Gateway{}, err
	}
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.admit(by, GatewayWrites, now); err != nil {
		return Gateway{}, err
	}
	g, err := s.ready(by, id, "UpdateGateway")
	if err != nil {
		return Gateway{}, err
	}
	if in.Name != g.Name {
		// "This name must be the same as the one when the gateway was created."
		// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_UpdateGateway.html
		return Gateway{}, invalid("Gateway name cannot be updated for an existing gateway")
	}
	if in.AuthorizerType != g.AuthorizerType {
		// Observed: https://github.com/hashicorp/terraform-provider-aws/pull/44812
		return Gateway{}, invalid("Authorizer type cannot be updated for an existing gateway")
	}
	if err := jwtNeedsSettings(in); err != nil {
		return Gateway{}, err
	}
	g.GatewaySettings = in
	g.Status, g.UpdatedAt, g.settles = Updating, now, now.Add(s.opts.SettleAfter)
	return g.Gateway, nil
}

// DeleteGateway starts the end of a gateway, and of its tags and policy with it.
// Errors: Validation (it still has targets), ResourceNotFound, Throttling.
func (s *Service) DeleteGateway(by Caller, id string) (DeletedGateway, error) {
	arn, err := s.deleteGateway(by, id)
	answer := DeletedGateway{ID: id, Status: Deleting}
	s.report(by, Change{
		Event:    "DeleteGateway",
		Gateway:  arn,
		Request:  map[string]any{"gatewayIdentifier": id},
		Response: map[string]any{"gatewayId": answer.ID, "status": answer.Status},
	}, err)
	if err != nil {
		return DeletedGateway{}, err
	}
	return answer, nil
}

func (s *Service) deleteGateway(by Caller, id string) (string, error) {
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.admit(by, GatewayWrites, now); err != nil {
		return "", err
	}
	g, err := s.ready(by, id, "DeleteGateway")
	if err != nil {
		return "", err
	}
	if len(g.targets) > 0 {
		// The service model has ConflictException for this, but what users quote
		// from their clean-ups is a ValidationException with this sentence, also
		// while the last target is still DELETING.
		return "", invalid("Gateway with ID: %s has targets associated with it. Delete all targets before deleting the gateway.", id)
	}
	g.Status, g.UpdatedAt, g.settles = Deleting, now, now.Add(s.opts.SettleAfter)
	return g.ARN, nil
}

// Lookup is the gateway with that id, in any account: the data plane's view.
func (s *Service) Lookup(id string) (Gateway, bool) {
	s.lock()
	defer s.mu.Unlock()
	g, ok := s.gateways[id]
	if !ok {
		return Gateway{}, false
	}
	return g.Gateway, true
}

// ReadyTargets are the gateway's targets that serve calls, oldest first: the
// data plane's view. A target being updated still serves.
func (s *Service) ReadyTargets(gatewayID string) []Target {
	s.lock()
	defer s.mu.Unlock()
	g, ok := s.gateways[gatewayID]
	if !ok {
		return nil
	}
	var serving []*target
	for _, t := range g.targets {
		if t.Status == Ready || t.Status == Updating {
			serving = append(serving, t)
		}
	}
	slices.SortFunc(serving, func(a, b *target) int { return cmp.Compare(a.order, b.order) })
	answers := make([]Target, len(serving))
	for i, t := range serving {
		answers[i] = t.Target
	}
	return answers
}

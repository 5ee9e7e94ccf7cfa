package model

import (
	"time"
)

// targetsPerGateway is adjustable in AWS.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html
const targetsPerGateway = 100

// Target is what Create-, Get- and UpdateGatewayTarget answer.
type Target struct {
	TargetSettings

	ID         string `json:"targetId"`
	GatewayARN string `json:"gatewayArn"`
	Status     Status `json:"status"`
	// Protocol is MCP or HTTP; empty for an inference target, of which the
	// service model has no protocol.
	Protocol  string    `json:"protocolType,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// TargetSummary is an item of ListGatewayTargets.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_TargetSummary.html
type TargetSummary struct {
	ID          string `json:"targetId"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Status      Status `json:"status"`
	// Type is what the target is made of; empty where the service model does not
	// say which of several types an HTTP or inference target is.
	Type      string    `json:"targetType,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// CreateTargetInput is the request of CreateGatewayTarget.
type CreateTargetInput struct {
	TargetSettings

	ClientToken string `json:"clientToken,omitempty"`
}

// DeletedTarget is what DeleteGatewayTarget answers.
type DeletedTarget struct {
	GatewayARN string `json:"gatewayArn"`
	ID         string `json:"targetId"`
	Status     Status `json:"status"`
}

// target is a target as stored.
type target struct {
	Target

	order   uint64
	settles time.Time
}

// settle is that of a gateway; false says that the target is gone.
func (t *target) settle(now time.Time) bool {
	if now.Before(t.settles) {
		return true
	}
	if t.Status == Deleting {
		return false
	}
	t.Status = Ready
	return true
}

// CreateGatewayTarget adds a target to a gateway that is READY. It answers while
// the target is still CREATING.
// Errors: Validation, ResourceNotFound, Conflict (the name is taken),
// ServiceQuotaExceeded, Throttling.
func (s *Service) CreateGatewayTarget(by Caller, gatewayID string, in CreateTargetInput) (Target, error) {
	t, err := s.createTarget(by, gatewayID, in)
	s.report(by, Change{
		Event:    "CreateGatewayTarget",
		Gateway:  t.GatewayARN,
		Request:  map[string]any{"gatewayIdentifier": gatewayID, "name": "***"},
		Response: map[string]any{"gatewayArn": t.GatewayARN, "targetId": t.ID, "status": t.Status},
	}, err)
	return t, err
}

func (s *Service) createTarget(by Caller, gatewayID string, in CreateTargetInput) (Target, error) {
	v := checkTarget(in.TargetSettings)
	v.token(in.ClientToken)
	if err := v.err(); err != nil {
		return Target{}, err
	}
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.admit(by, TargetWrites, now); err != nil {
		return Target{}, err
	}
	g, err := s.ready(by, gatewayID, "CreateGatewayTarget")
	if err != nil {
		return Target{}, err
	}
	if err := outboundAuth(in.TargetSettings); err != nil {
		return Target{}, err
	}
	token := clientToken{by.Account, "CreateGatewayTarget " + gatewayID, in.ClientToken}
	if id, err := s.earlier(token, in); id != "" || err != nil {
		if err != nil {
			return Target{}, err
		}
		return g.targets[id[len(gatewayID)+1:]].Target, nil
	}
	if err := g.nameFree(in.Name, ""); err != nil {
		return Target{}, err
	}
	if len(g.targets) >= targetsPerGateway {
		return Target{}, refuse(ServiceQuotaExceeded, "Gateway %s has reached its quota of %d targets", gatewayID, targetsPerGateway)
	}
	s.order++
	t := &target{
		Target: Target{
			TargetSettings: in.TargetSettings,
			ID:             s.newTargetID(g),
			GatewayARN:     g.ARN,
			Status:         Creating,
			Protocol:       in.TargetConfiguration.protocol(),
			CreatedAt:      now,
			UpdatedAt:      now,
		},
		order:   s.order,
		settles: now.Add(s.opts.SettleAfter),
	}
	g.targets[t.ID] = t
	s.remember(token, in, gatewayID+"/"+t.ID)
	return t.Target, nil
}

// GetGatewayTarget reads a target of a gateway of the caller's account.
// Errors: Validation, ResourceNotFound, Throttling.
func (s *Service) GetGatewayTarget(by Caller, gatewayID, targetID string) (Target, error) {
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.admit(by, TargetReads, now); err != nil {
		return Target{}, err
	}
	g, err := s.owned(by, gatewayID)
	if err != nil {
		return Target{}, err
	}
	t, err := g.target(targetID)
	if err != nil {
		return Target{}, err
	}
	return t.Target, nil
}

// ListGatewayTargets reads a page of a gateway's targets, oldest first.
// Errors: Validation, ResourceNotFound, Throttling.
func (s *Service) ListGatewayTargets(by Caller, gatewayID string, page Page) ([]TargetSummary, string, error) {
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.admit(by, TargetReads, now); err != nil {
		return nil, "", err
	}
	g, err := s.owned(by, gatewayID)
	if err != nil {
		return nil, "", err
	}
	all := make([]*target, 0, len(g.targets))
	for _, t := range g.targets {
		all = append(all, t)
	}
	return paged(page, all, func(t *target) uint64 { return t.order }, func(t *target) TargetSummary {
		return TargetSummary{
			ID: t.ID, Name: t.Name, Description: t.Description, Status: t.Status,
			Type:      t.TargetConfiguration.kind(),
			CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
		}
	})
}

// UpdateGatewayTarget replaces the settings of a target; what is left out is
// unset. The target keeps serving while UPDATING.
// Errors: Validation, ResourceNotFound, Conflict, Throttling.
func (s *Service) UpdateGatewayTarget(by Caller, gatewayID, targetID string, in TargetSettings) (Target, error) {
	t, err := s.updateTarget(by, gatewayID, targetID, in)
	s.report(by, Change{
		Event:    "UpdateGatewayTarget",
		Gateway:  t.GatewayARN,
		Request:  map[string]any{"gatewayIdentifier": gatewayID, "targetId": targetID, "name": "***"},
		Response: map[string]any{"gatewayArn": t.GatewayARN, "targetId": t.ID, "status": t.Status},
	}, err)
	return t, err
}

func (s *Service) updateTarget(by Caller, gatewayID, targetID string, in TargetSettings) (Target, error) {
	v := checkTarget(in)
	if err := v.err(); err != nil {
		return Target{}, err
	}
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.admit(by, TargetWrites, now); err != nil {
		return Target{}, err
	}
	t, g, err := s.readyTarget(by, gatewayID, targetID, "UpdateGatewayTarget")
	if err != nil {
		return Target{}, err
	}
	if err := outboundAuth(in); err != nil {
		return Target{}, err
	}
	if err := g.nameFree(in.Name, targetID); err != nil {
		return Target{}, err
	}
	t.TargetSettings, t.Protocol = in, in.TargetConfiguration.protocol()
	t.Status, t.UpdatedAt, t.settles = Updating, now, now.Add(s.opts.SettleAfter)
	return t.Target, nil
}

// DeleteGatewayTarget starts the end of a target.
// Errors: Validation, ResourceNotFound, Throttling.
func (s *Service) DeleteGatewayTarget(by Caller, gatewayID, targetID string) (DeletedTarget, error) {
	d, err := s.deleteTarget(by, gatewayID, targetID)
	s.report(by, Change{
		Event:    "DeleteGatewayTarget",
		Gateway:  d.GatewayARN,
		Request:  map[string]any{"gatewayIdentifier": gatewayID, "targetId": targetID},
		Response: map[string]any{"gatewayArn": d.GatewayARN, "targetId": d.ID, "status": d.Status},
	}, err)
	return d, err
}

func (s *Service) deleteTarget(by Caller, gatewayID, targetID string) (DeletedTarget, error) {
	now := s.lock()
	defer s.mu.Unlock()
	if err := s.admit(by, TargetWrites, now); err != nil {
		return DeletedTarget{}, err
	}
	t, g, err := s.readyTarget(by, gatewayID, targetID, "DeleteGatewayTarget")
	if err != nil {
		return DeletedTarget{}, err
	}
	t.Status, t.UpdatedAt, t.settles = Deleting, now, now.Add(s.opts.SettleAfter)
	return DeletedTarget{GatewayARN: g.ARN, ID: t.ID, Status: t.Status}, nil
}

func (g *gateway) target(id string) (*target, error) {
	var v violations
	v.pattern("targetId", id, targetIDPattern)
	if err := v.err(); err != nil {
		return nil, err
	}
	t, ok := g.targets[id]
	if !ok {
		return nil, refuse(ResourceNotFound, "Target with ID: %s not found in gateway %s", id, g.ID)
	}
	return t, nil
}

// readyTarget is a target that can be worked on, of a gateway that can.
func (s *Service) readyTarget(by Caller, gatewayID, targetID, operation string) (*target, *gateway, error) {
	g, err := s.ready(by, gatewayID, operation)
	if err != nil {
		return nil, nil, err
	}
	t, err := g.target(targetID)
	if err != nil {
		return nil, nil, err
	}
	if t.Status != Ready {
		return nil, nil, invalid("Cannot perform operation %s when target is in %s status", operation, t.Status)
	}
	return t, g, nil
}

// nameFree: "The name must be unique within the gateway."
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_CreateGatewayTarget.html
func (g *gateway) nameFree(name, except string) error {
	for id, t := range g.targets {
		if t.Name == name && id != except {
			return refuse(Conflict, "A target with name %s already exists in gateway %s", name, g.ID)
		}
	}
	return nil
}

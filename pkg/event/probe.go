package event

import (
	"encoding/json"
	"regexp"
)

// The sources of probes: which events a forwarder is tried with.
const (
	ProbeGateways = "gateway-grants.probe.gateways" // of gateways
	ProbeAccounts = "gateway-grants.probe.accounts" // of accounts of the organization
)

// Probe is an event that gateway-grants doctor sent, to see whether it arrives.
type Probe struct {
	ID     string
	Source string
	Sender string // account that it was sent in
}

func (Probe) isEvent() {}

// Outgoing is a probe to put on a bus.
type Outgoing struct{ Source, DetailType, Detail, ID string }

// GatewayProbe is a call on a gateway, in all but its source: a rule that forwards those
// forwards it.
func GatewayProbe(id string) Outgoing {
	return probe(id, ProbeGateways, cloudTrailCall, map[string]string{"eventSource": "bedrock-agentcore.amazonaws.com", "eventName": "UpdateGateway"})
}

// AccountProbes are a call on an account and a change of its tags, in all but their
// source: each is forwarded by another rule.
func AccountProbes(ids [2]string) [2]Outgoing {
	return [2]Outgoing{
		probe(ids[0], ProbeAccounts, cloudTrailCall, map[string]string{"eventSource": "organizations.amazonaws.com", "eventName": "MoveAccount"}),
		probe(ids[1], ProbeAccounts, "Tag Change on Resource", map[string]string{"service": "organizations", "resource-type": "account"}),
	}
}

func probe(id, source, detailType string, detail map[string]string) Outgoing {
	detail["probe"] = id
	text, err := json.Marshal(detail)
	if err != nil {
		panic(err) // a map of strings always marshals
	}
	return Outgoing{Source: source, DetailType: detailType, Detail: string(text), ID: id}
}

var probeID = regexp.MustCompile(`^[0-9a-z-]{1,64}$`)

func parseProbe(e envelope) (Event, error) {
	var detail struct {
		ID string `json:"probe"`
	}
	if err := json.Unmarshal(e.Detail, &detail); err != nil || !probeID.MatchString(detail.ID) {
		return nil, e.malformed("its detail has no id of a probe", err)
	}
	return Probe{ID: detail.ID, Source: e.Source, Sender: e.Account}, nil
}

package iam

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// decided is a decision as a line of a file: everything that it was made from,
// and what came out.
type decided struct {
	Allowed         bool                `json:"allowed"`
	Why             string              `json:"why"`
	Reason          policy.Reason       `json:"reason"`
	Caller          policy.Caller       `json:"caller"`
	Action          string              `json:"action"`
	Resource        string              `json:"resource"`
	ResourceAccount string              `json:"resourceAccount"`
	Identity        []json.RawMessage   `json:"identity"`
	ResourcePolicy  json.RawMessage     `json:"resourcePolicy,omitempty"`
	Context         map[string][]string `json:"context"`
}

// LogDecisions writes every decision to w as one line of JSON; it is for
// Decider.Record.
func LogDecisions(w io.Writer, log *slog.Logger) func(policy.Call, policy.Decision) {
	var mu sync.Mutex
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return func(call policy.Call, decision policy.Decision) {
		line := decided{
			Allowed: decision.Allowed, Why: decision.String(), Reason: decision.Reason,
			Caller: call.Caller, Action: call.Action, Resource: call.Resource, ResourceAccount: call.ResourceAccount,
			Identity: []json.RawMessage{}, Context: call.Context,
		}
		for _, document := range call.Identity {
			line.Identity = append(line.Identity, document.Bytes())
		}
		if call.ResourcePolicy != nil {
			line.ResourcePolicy = call.ResourcePolicy.Bytes()
		}
		mu.Lock()
		defer mu.Unlock()
		if err := encoder.Encode(line); err != nil {
			log.Error("decision not logged", "error", err)
		}
	}
}

// maxDecision bounds a logged decision: a full resource policy and a caller with
// many identity policies.
const maxDecision = 8 << 20

// ReadDecisions reads back what LogDecisions wrote: the calls, and what was
// decided of each.
func ReadDecisions(r io.Reader) ([]policy.Call, []policy.Decision, error) {
	var calls []policy.Call
	var decisions []policy.Decision
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxDecision)
	for lines.Scan() {
		var line decided
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, nil, fmt.Errorf("reading decision %d: %w", len(calls)+1, err)
		}
		call := policy.Call{
			Caller: line.Caller, Action: line.Action, Resource: line.Resource,
			ResourceAccount: line.ResourceAccount, Context: line.Context,
		}
		for _, text := range line.Identity {
			document, err := policy.Parse(text)
			if err != nil {
				return nil, nil, fmt.Errorf("reading decision %d: %w", len(calls)+1, err)
			}
			call.Identity = append(call.Identity, document)
		}
		if line.ResourcePolicy != nil {
			var err error
			if call.ResourcePolicy, err = policy.Parse(line.ResourcePolicy); err != nil {
				return nil, nil, fmt.Errorf("reading decision %d: %w", len(calls)+1, err)
			}
		}
		calls = append(calls, call)
		decisions = append(decisions, policy.Decision{Allowed: line.Allowed, Reason: line.Reason})
	}
	if err := lines.Err(); err != nil {
		return nil, nil, fmt.Errorf("reading decisions: %w", err)
	}
	return calls, decisions, nil
}

package iam

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// decided is a decision as a line of a file: everything that it was made from, and
// what came out. Policies are named; each is on a line of its own before the first
// line that names it, because most decisions are made from the same few.
type decided struct {
	Allowed         bool                `json:"allowed"`
	Why             string              `json:"why"`
	Reason          policy.Reason       `json:"reason"`
	Caller          policy.Caller       `json:"caller"`
	Action          string              `json:"action"`
	Resource        string              `json:"resource"`
	ResourceAccount string              `json:"resourceAccount"`
	Identity        []string            `json:"identity"`
	ResourcePolicy  string              `json:"resourcePolicy,omitempty"`
	Context         map[string][]string `json:"context"`
}

// namedPolicy is the line of a policy.
type namedPolicy struct {
	Policy   string          `json:"policy"`
	Document json.RawMessage `json:"document"`
}

// decisionLog writes decisions and the policies that they name.
type decisionLog struct {
	mu      sync.Mutex
	encoder *json.Encoder
	names   map[[sha256.Size]byte]string
}

// LogDecisions writes every decision to w as one line of JSON; it is for
// Decider.Record.
func LogDecisions(w io.Writer, log *slog.Logger) func(policy.Call, policy.Decision) {
	d := &decisionLog{encoder: json.NewEncoder(w), names: map[[sha256.Size]byte]string{}}
	d.encoder.SetEscapeHTML(false)
	return func(call policy.Call, decision policy.Decision) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if err := d.write(call, decision); err != nil {
			log.Error("decision not logged", "error", err)
		}
	}
}

func (d *decisionLog) write(call policy.Call, decision policy.Decision) error {
	line := decided{
		Allowed: decision.Allowed, Why: decision.String(), Reason: decision.Reason,
		Caller: call.Caller, Action: call.Action, Resource: call.Resource, ResourceAccount: call.ResourceAccount,
		Identity: []string{}, Context: call.Context,
	}
	for _, document := range call.Identity {
		name, err := d.name(document)
		if err != nil {
			return err
		}
		line.Identity = append(line.Identity, name)
	}
	if call.ResourcePolicy != nil {
		var err error
		if line.ResourcePolicy, err = d.name(call.ResourcePolicy); err != nil {
			return err
		}
	}
	return d.encoder.Encode(line) //nolint:wrapcheck // logged as it is
}

// name writes a policy that has no name yet.
func (d *decisionLog) name(document *policy.Document) (string, error) {
	text := document.Bytes()
	hash := sha256.Sum256(text)
	if name, ok := d.names[hash]; ok {
		return name, nil
	}
	name := "p" + strconv.Itoa(len(d.names)+1)
	d.names[hash] = name
	return name, d.encoder.Encode(namedPolicy{name, text}) //nolint:wrapcheck // logged as it is
}

// maxDecision bounds a line: a full resource policy, or a decision with its context.
const maxDecision = 8 << 20

// ReadDecisions reads back what LogDecisions wrote: the calls, and what was
// decided of each.
func ReadDecisions(r io.Reader) ([]policy.Call, []policy.Decision, error) {
	var calls []policy.Call
	var decisions []policy.Decision
	policies := map[string]*policy.Document{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxDecision)
	for n := 1; lines.Scan(); n++ {
		var line struct {
			namedPolicy
			decided
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, nil, fmt.Errorf("reading line %d of the decisions: %w", n, err)
		}
		if line.Policy != "" {
			document, err := policy.Parse(line.Document)
			if err != nil {
				return nil, nil, fmt.Errorf("reading line %d of the decisions: %w", n, err)
			}
			policies[line.Policy] = document
			continue
		}
		call, err := line.call(policies)
		if err != nil {
			return nil, nil, fmt.Errorf("reading line %d of the decisions: %w", n, err)
		}
		calls = append(calls, call)
		decisions = append(decisions, policy.Decision{Allowed: line.Allowed, Reason: line.Reason})
	}
	if err := lines.Err(); err != nil {
		return nil, nil, fmt.Errorf("reading decisions: %w", err)
	}
	return calls, decisions, nil
}

func (d *decided) call(policies map[string]*policy.Document) (policy.Call, error) {
	call := policy.Call{
		Caller: d.Caller, Action: d.Action, Resource: d.Resource, ResourceAccount: d.ResourceAccount,
		ResourcePolicy: policies[d.ResourcePolicy], Context: d.Context,
	}
	if d.ResourcePolicy != "" && call.ResourcePolicy == nil {
		return policy.Call{}, fmt.Errorf("policy %s is on no line before", d.ResourcePolicy)
	}
	for _, name := range d.Identity {
		document, ok := policies[name]
		if !ok {
			return policy.Call{}, fmt.Errorf("policy %s is on no line before", name)
		}
		call.Identity = append(call.Identity, document)
	}
	return call, nil
}

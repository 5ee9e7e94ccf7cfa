// Package event reads what the functions are invoked with. Parse reads events of
// EventBridge and inputs of schedules, by a small parser for each source and
// detail-type; ParseRecord reads records of the tables' streams. An event says
// where to look, never what to do: nothing here decides about access.
package event

import (
	"encoding/json"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// The codes of errors. Both say that a retry cannot help.
const (
	// CodeUnreadable is the code of a payload that is no event and no input of a
	// schedule.
	CodeUnreadable grant.Code = "EventUnreadable"
	// CodeMalformed is the code of an event of a known kind that does not have the
	// form of its kind.
	CodeMalformed grant.Code = "EventMalformed"
)

// Event is what Parse returns: Requested, GatewayCall, AccountsChanged, Schedule, Probe or
// Ignored.
type Event interface{ isEvent() }

// Ignored is an event that needs nothing done.
type Ignored struct {
	Name   string // of the call, or the detail-type
	Reason string
}

func (Requested) isEvent()       {}
func (GatewayCall) isEvent()     {}
func (AccountsChanged) isEvent() {}
func (Schedule) isEvent()        {}
func (Ignored) isEvent()         {}

// envelope is what EventBridge wraps every event in.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
type envelope struct {
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Region     string          `json:"region"`
	Resources  json.RawMessage `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// resources are the ARNs that the event is about; none where it lists none that
// can be read.
func (e envelope) resources() []string {
	var arns []string
	if json.Unmarshal(e.Resources, &arns) != nil {
		return nil
	}
	return arns
}

type kind struct{ source, detailType string }

// anyType stands for every detail-type of a source that has no parser of its own.
const anyType = ""

const cloudTrailCall = "AWS API Call via CloudTrail"

// parsers are the events that are known. Those about accounts are distinguished by
// the name of their call, because AWS does not document the detail-type of all.
// https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-organizations.html
var parsers = map[kind]func(envelope) (Event, error){
	{Source, ReconcileRequested}:              parseRequest,
	{"aws.bedrock-agentcore", cloudTrailCall}: parseGatewayCall,
	{"aws.organizations", anyType}:            parseAccountCall,
	{"aws.controltower", anyType}:             parseAccountCall,
	{"aws.tag", anyType}:                      parseTagChange,
	{"aws.events", scheduledEvent}:            parseScheduledEvent,
	{"aws.scheduler", scheduledEvent}:         parseScheduledEvent,
	{ProbeGateways, anyType}:                  parseProbe,
	{ProbeAccounts, anyType}:                  parseProbe,
}

// Parse reads an event as EventBridge delivers it, or the input of a schedule. An
// event that is not known is Ignored, with the reason. It fails with a
// *grant.Error of CodeUnreadable or CodeMalformed.
func Parse(payload []byte) (Event, error) {
	var input struct {
		envelope
		scheduleInput
	}
	if err := json.Unmarshal(payload, &input); err != nil {
		return nil, unreadable(err)
	}
	e := input.envelope
	parse, known := parsers[kind{e.Source, e.DetailType}]
	if !known {
		parse, known = parsers[kind{e.Source, anyType}]
	}
	switch {
	case known:
		return parse(e)
	case input.Sweep != "":
		return Schedule{Sweep: input.Sweep, At: input.At}, nil
	case e.Source == "" && e.DetailType == "":
		return nil, unreadable(nil)
	default:
		return ignored(e.DetailType, "events of "+e.Source+" with this detail-type are not known")
	}
}

func unreadable(cause error) error {
	return &grant.Error{
		Code: CodeUnreadable, Op: "read an event", Err: cause,
		Hint: "it names no source, detail-type or sweep: check the rule or schedule that sent it",
	}
}

func (e envelope) malformed(hint string, cause error) error {
	return &grant.Error{Code: CodeMalformed, Op: "read event " + OneLine(e.ID) + " (" + OneLine(e.DetailType) + " from " + OneLine(e.Source) + ")", Hint: hint, Err: cause}
}

func ignored(name, reason string) (Event, error) {
	return Ignored{Name: OneLine(name), Reason: OneLine(reason)}, nil
}

// OneLine makes text that came from outside fit for a log: without control
// characters and of at most 300 bytes.
func OneLine(text string) string {
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

package model

import (
	"errors"
	"time"
)

// Change is a call that changed something, or was refused: what CloudTrail
// records of it.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-cloudtrail.html
type Change struct {
	// Event is the operation's name, CloudTrail's eventName.
	Event string
	// Time is when the call was made, UTC.
	Time   time.Time
	Caller Caller
	Region string
	// Gateway is the ARN of the gateway concerned; "" if the call was refused
	// before that was known.
	Gateway string
	// Request and Response are CloudTrail's requestParameters and
	// responseElements. Those of policy and tag calls are documented nowhere:
	// here, the members of request and answer.
	Request, Response map[string]any
	// ErrorCode and ErrorMessage are of a refused call, which has no Response.
	ErrorCode, ErrorMessage string
}

// report tells the observer of a call that has ended. The lock is not held.
func (s *Service) report(by Caller, c Change, err error) {
	if s.opts.Changed == nil {
		return
	}
	c.Time, c.Caller, c.Region = s.opts.Now().UTC(), by, s.opts.Region
	if err != nil {
		c.Response = nil
		c.ErrorCode, c.ErrorMessage = string(InternalServer), err.Error()
		if refused, ok := errors.AsType[*Error](err); ok {
			c.ErrorCode, c.ErrorMessage = string(refused.Code), refused.Message
		}
	}
	s.opts.Changed(c)
}

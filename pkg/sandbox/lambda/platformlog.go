package lambda

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// newStreamName names a log stream as Lambda does.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
func newStreamName(now time.Time) string {
	return now.UTC().Format("2006/01/02/[") + latest + "]" + strings.ReplaceAll(newRequestID(), "-", "")
}

// print writes to the function's log and to the environment's own stream. A log
// that cannot be written fails no call.
func (e *environment) print(text []byte) {
	if len(text) == 0 {
		return
	}
	_, _ = e.bootstrap.Log.Write(text)
	if e.record != nil {
		_, _ = e.record.Write(text)
	}
}

func (e *environment) tellStart(inv *invocation, at time.Time) {
	if e.bootstrap.LogFormat != "JSON" {
		e.print(fmt.Appendf(nil, "START RequestId: %s Version: %s\n", inv.id, latest))
		return
	}
	e.tell(at, "platform.start", map[string]any{"requestId": inv.id, "version": latest})
}

func (e *environment) tellEnd(inv *invocation, result Result, began, ended time.Time) {
	if e.bootstrap.LogFormat != "JSON" {
		e.print(fmt.Appendf(nil, "END RequestId: %s\n", inv.id))
		return
	}
	status := "success"
	if result.FunctionError != "" {
		status = "error"
	}
	took := ended.Sub(began)
	e.tell(ended, "platform.report", map[string]any{
		"requestId": inv.id, "status": status,
		"metrics": map[string]any{
			"durationMs":       float64(took.Microseconds()) / 1000,
			"billedDurationMs": (took + time.Millisecond - 1).Milliseconds(),
			"memorySizeMB":     e.bootstrap.Memory,
		},
	})
}

// tell writes what Lambda says of itself in a function's log of format JSON.
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
func (e *environment) tell(at time.Time, kind string, record map[string]any) {
	line, _ := json.Marshal(map[string]any{ // text and numbers always marshal
		"time": at.UTC().Format("2006-01-02T15:04:05.000Z"), "type": kind, "record": record,
	})
	e.print(append(line, '\n'))
}

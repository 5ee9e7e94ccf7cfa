package selftest

import (
	"fmt"
	"strings"
	"time"
)

// Report is what came of a run. It names no account, role or gateway of the caller's.
type Report struct {
	Version   string     `json:"version,omitempty"`
	Region    string     `json:"region"`
	Started   time.Time  `json:"started"`
	Ended     time.Time  `json:"ended"`
	Steps     []Step     `json:"steps"`
	Questions []Question `json:"questions"`
	Failure   string     `json:"failure,omitempty"`
	Left      []Left     `json:"left,omitempty"` // what could not be removed; never redacted
}

// Step is one of the story.
type Step struct {
	Name string        `json:"name"`
	Want string        `json:"want"`
	Got  string        `json:"got"`
	OK   bool          `json:"ok"`
	Took time.Duration `json:"took"` // nanoseconds
}

// Question is one that AWS's documentation leaves open.
type Question struct {
	Name   string `json:"name"`
	Asked  string `json:"asked"`
	Answer string `json:"answer"` // "" where it stays open
	Open   string `json:"open,omitempty"`
}

// Left is something that could not be removed.
type Left struct {
	What    string `json:"what"`
	Why     string `json:"why"`
	Command string `json:"command"`
}

// Passed reports whether the story came out as wanted and nothing is left. An open
// question is no failure.
func (r Report) Passed() bool { return r.Failure == "" && len(r.Left) == 0 }

// String is the report as text.
func (r Report) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "gateway-grants selftest %s in %s, %s, %s\n\n", r.Version, r.Region, r.Started.UTC().Format(time.RFC3339), r.Ended.Sub(r.Started).Round(time.Second))
	for _, s := range r.Steps {
		verdict := "ok"
		if !s.OK {
			verdict = "FAILED, wanted " + s.Want
		}
		fmt.Fprintf(&text, "%s: %s (%s, after %s)\n", s.Name, s.Got, verdict, s.Took.Round(100*time.Millisecond))
	}
	if len(r.Questions) > 0 {
		text.WriteString("\nOpen questions:\n")
	}
	for _, q := range r.Questions {
		answer := q.Answer
		if answer == "" {
			answer = "stays open: " + q.Open
		}
		fmt.Fprintf(&text, "%s: %s\n  %s\n", q.Name, q.Asked, strings.ReplaceAll(answer, "\n", "\n  "))
	}
	if r.Failure != "" {
		fmt.Fprintf(&text, "\nFAILED: %s\n", r.Failure)
	}
	for _, l := range r.Left {
		fmt.Fprintf(&text, "\nLeft: %s (%s). Remove it with: %s\n", l.What, l.Why, l.Command)
	}
	return text.String()
}

// The accounts of AWS's examples stand in the report for those of the run.
const (
	exampleHub    = "111122223333"
	exampleCaller = "444455556666"
)

// redact takes out of the report what is the user's own. What is left behind keeps its
// name, because it has to be found.
func (r *run) redact() {
	r.report.Region = r.Region
	pairs := []string{}
	if role := lastOf(r.CallerARN); role != "" && role != r.CallerARN {
		pairs = append(pairs, "/"+role, "/CALLER")
	}
	if role := lastOf(r.Target.RoleARN); role != "" && role != r.Target.RoleARN {
		pairs = append(pairs, "/"+role, "/GATEWAY-ROLE")
	}
	pairs = append(pairs, r.Account, exampleHub, r.Caller, exampleCaller)
	if r.organization != "" {
		pairs = append(pairs, r.organization, exampleOrganization)
	}
	redacted := strings.NewReplacer(pairs...)
	for i := range r.report.Steps {
		r.report.Steps[i].Got = redacted.Replace(r.report.Steps[i].Got)
	}
	for i, q := range r.report.Questions {
		r.report.Questions[i].Answer, r.report.Questions[i].Open = redacted.Replace(q.Answer), redacted.Replace(q.Open)
	}
	r.report.Failure = redacted.Replace(r.report.Failure)
}

func lastOf(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

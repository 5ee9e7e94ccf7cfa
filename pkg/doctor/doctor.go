package doctor

import "fmt"

// Status is how a check ended.
type Status string

// How a check can end. Only OK is healthy.
const (
	OK      Status = "ok"
	Found   Status = "found"   // there is something to mend
	Unread  Status = "unread"  // it could not be made, wholly or partly
	Skipped Status = "skipped" // it does not apply to this deployment
)

// Finding is something to mend.
type Finding struct {
	What string `json:"what"`
	Mend string `json:"mend"` // a command, or what to do
}

// Result is what came of one check.
type Result struct {
	Check    string    `json:"check"`
	Status   Status    `json:"status"`
	Findings []Finding `json:"findings,omitempty"`
	Unread   []string  `json:"unread,omitempty"` // why it could not be made
	Note     string    `json:"note,omitempty"`
	Advice   bool      `json:"advice,omitempty"` // what it finds stops no deployment
}

// Healthy reports whether every check that applies was made and found nothing.
func Healthy(results []Result) bool {
	for _, r := range results {
		if r.Status == Found || r.Status == Unread {
			return false
		}
	}
	return true
}

// Examine judges a deployment, in the order in which its parts depend on each other.
func Examine(f Facts) []Result {
	checks := []struct {
		name  string
		judge func(Facts, *Result)
	}{
		{"stack", stack}, {"version", deployedVersion}, {"tables", tables}, {"sentinel", sentinel}, {"mappings", mappings},
		{"rules", rules}, {"schedules", schedules}, {"queues", queues}, {"heartbeat", heartbeat}, {"trail", trail}, {"owners", owners},
		{"organization", organization}, {"forwarders", forwarders}, {"gateways", gateways}, {"approvals", approvals}, {"alarms", alarms},
	}
	results := make([]Result, len(checks))
	for i, c := range checks {
		results[i] = Result{Check: c.name}
		if i > 0 && (f.Stack.Err != "" || f.Stack.Value.Missing) {
			results[i].Unread = []string{"the stack says what there is, and it cannot be read"}
		} else {
			c.judge(f, &results[i])
		}
		results[i].conclude()
	}
	return results
}

// conclude gives the check the worst status that it has a reason for.
func (r *Result) conclude() {
	switch {
	case len(r.Findings) > 0:
		r.Status = Found
	case len(r.Unread) > 0:
		r.Status = Unread
	case r.Status == "":
		r.Status = OK
	}
}

func (r *Result) found(mend, what string, args ...any) {
	r.Findings = append(r.Findings, Finding{What: fmt.Sprintf(what, args...), Mend: mend})
}

// skip says why the check does not apply.
func (r *Result) skip(why string) { r.Status, r.Note = Skipped, why }

// look judges what was read, or notes that it was not.
func look[T any](r *Result, reading Reading[T], judge func(T)) {
	if reading.Err != "" {
		r.Unread = append(r.Unread, reading.Err)
		return
	}
	judge(reading.Value)
}

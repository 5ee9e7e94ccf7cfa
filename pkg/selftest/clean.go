package selftest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// made is something that was made, or may have been: it is noted before it is.
type made struct {
	what    string
	command string // that removes it by hand
	remove  func(ctx context.Context) error
}

func (r *run) willMake(m made) { r.made = append(r.made, m) }

// How long removing everything may take, and one thing. What is still being made cannot be
// removed yet.
const (
	cleanWithin = 5 * time.Minute
	goesWithin  = time.Minute
)

// clean removes what was made, the last first, although the run was interrupted. What
// cannot be removed is named, and keeps nothing else from being removed.
func (r *run) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanWithin)
	defer cancel()
	if len(r.made) > 0 {
		r.Progress("remove what was made")
	}
	for _, m := range slices.Backward(r.made) {
		var err error
		_ = r.until(ctx, goesWithin, func() bool { // the error is that of the last try
			err = m.remove(ctx)
			return err == nil || isDenied(err)
		})
		if err != nil {
			r.report.Left = append(r.report.Left, Left{What: m.what, Why: err.Error(), Command: m.command})
			r.Progress(fmt.Sprintf("%s is left (%v): %s", m.what, err, m.command))
		}
	}
}

func isDenied(err error) bool {
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	return ok && answer.HTTPStatusCode() == http.StatusForbidden
}

// Clean removes what an earlier run of that name has left, such as one that was killed.
// It gives what it could not remove.
func Clean(ctx context.Context, c Config) Report {
	r := &run{Config: c, report: Report{Started: c.Clock.Now()}}
	for _, name := range []string{c.Name, c.Name + "-open"} {
		r.willMake(made{what: "gateway " + name, command: c.cleaning(), remove: func(ctx context.Context) error { return r.removeGateway(ctx, name) }})
	}
	if id, err := c.Setup.Named(ctx, c.Name); err == nil && id != "" {
		arn := "arn:" + strings.Split(c.CallerARN, ":")[1] + ":bedrock-agentcore:" + c.Region + ":" + c.Account + ":gateway/" + id
		for _, row := range []string{"account", "other", "own"} {
			key := key(r.row(row, arn, c.Caller, nil))
			r.willMake(made{what: "grant " + key.ID, command: c.cleaning(), remove: func(ctx context.Context) error {
				_, err := c.Grants.Delete(ctx, key)
				return err
			}})
		}
	}
	r.willMake(made{what: "role " + c.Name + "-role", command: c.cleaning(), remove: func(ctx context.Context) error { return c.Beyond.DeleteRole(ctx, c.Name+"-role") }})
	r.clean(ctx)
	r.report.Ended = c.Clock.Now()
	r.redact()
	return r.report
}

// cleaning is the command that removes what a run has left.
func (c Config) cleaning() string {
	return "gateway-grants selftest --caller-profile " + c.CallerProfile + " --clean " + c.Name
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// What a run ends with.
const (
	exitDone   = 0
	exitNo     = 1 // the answer is no: bad input, a call denied, a policy not settled
	exitFailed = 2 // there is no answer: no credentials, AWS out of reach, a call that failed

	// plan has the codes of the tools that people know: 0 nothing to do, 2
	// changes, 1 for whatever went wrong.
	exitChanges = 2
)

// program is one run of the command.
type program struct {
	in       io.Reader
	out, err io.Writer
	clock    agentcore.Clock
	settings options
	region   string // in use, once it is known
	open     openTables
	notices  openNotices
}

// Run runs the command line and returns its exit code: 0 for done, 1 for no, 2
// for failed.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{in: stdin, out: stdout, err: stderr, clock: agentcore.SystemClock(), open: openDynamo, notices: openBus}
	return p.run(ctx, args)
}

func (p *program) run(ctx context.Context, args []string) int {
	root := p.rootCommand() //nolint:contextcheck // cobra hands the context of ExecuteContext to the commands
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errSaid):
		return exitNo
	case errors.Is(err, errChanges):
		return exitChanges
	}
	fmt.Fprintln(p.err, p.paint(p.err).red("gateway-grants:"), oneLine(p.explain(err)))
	if isNo(err) {
		return exitNo
	}
	return exitFailed
}

// isNo tells a refusal from a failure. To plan, all that is not an answer is one.
func isNo(err error) bool {
	if _, refused := errors.AsType[*refusal](err); refused {
		return true
	}
	if _, failed := errors.AsType[unplanned](err); failed {
		return true
	}
	code := grant.CodeOf(err)
	return code == settings.CodeInvalid || code == grant.CodeWrongAuthorizer || code == agentcore.CodeOtherTarget
}

func (p *program) now() time.Time { return p.clock.Now() }

// errSaid ends a run whose answer, no, has been printed already.
var errSaid = errors.New("said already")

// refusal is bad input, or a request that cannot be met as things are. Its text
// ends in what to do; nothing was changed.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

func refuse(format string, args ...any) error {
	return &refusal{text: fmt.Sprintf(format, args...)}
}

// oneLine keeps a message to the one line that it has.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// What a run ends with.
const (
	exitDone    = 0
	exitError   = 1 // any error: bad input, a call denied, a policy not settled, AWS out of reach
	exitChanges = 2 // plan --detailed-exitcode alone: a reconcile would change something
)

// program is one run of the command.
type program struct {
	in       io.Reader
	out, err io.Writer
	clock    agentcore.Clock
	settings options
	region   string // in use, once it is known
	opened   *session
	stack    *settings.Stack // of the deployment; nil for none
	open     openTables
	notices  openNotices
	beyond   beyond
	// identities reads IAM with the given configuration.
	identities func(aws.Config) identities
	// organization lists the organization with the given configuration.
	organization func(aws.Config) members
}

// Run runs the command line and returns its exit code: 0 for done, 1 for any
// error, 2 for changes with plan --detailed-exitcode.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{in: stdin, out: stdout, err: stderr, clock: agentcore.SystemClock(), open: openDynamo, notices: openBus, beyond: onAWS(), identities: openIAM, organization: openOrganization}
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
	case errors.Is(err, errPrinted):
		return exitError
	case errors.Is(err, errChanges):
		return exitChanges
	}
	fmt.Fprintln(p.err, p.paint(p.err).red("gateway-grants:"), oneLine(p.explain(err)))
	return exitError
}

func (p *program) now() time.Time { return p.clock.Now() }

// errPrinted ends a run whose answer, no, has been printed already.
var errPrinted = errors.New("printed already")

// refusal is bad input, or a request that cannot be met as things are. Its text
// ends in what to do; nothing was changed.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

func refuse(format string, args ...any) error {
	return &refusal{text: fmt.Sprintf(format, args...)}
}

// oneLine keeps a message to the one line that it has, and replaces what a terminal
// could take for a command. Rows, policies and tools hold what others wrote.
func oneLine(text string) string {
	line := strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }), " ")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, line)
}

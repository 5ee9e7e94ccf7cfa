// Package selftest plays on a live account what the product is for: a gateway is made,
// a caller of another account is refused, let in, narrowed to a role and shut out again,
// and everything made is removed. On the way it puts to AWS the questions that its
// documentation leaves open. What came of it is a report without account ids.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"time"

	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Config is what a run needs. Everything that it makes has a name that begins with Name.
type Config struct {
	Name            string
	Account, Region string        // of the gateways
	Caller          string        // the account that calls
	CallerARN       string        // of the role or user that calls
	CallerProfile   string        // for the command that cleans up
	Target          TargetSpec    // behind the gateway
	Within          time.Duration // how long a change may take to show
	TrailWithin     time.Duration // how long CloudTrail may take; 0 leaves its question out

	Setup    agentcore.Setup
	Policies Policies
	Grants   Grants
	Call     func(ctx context.Context, url string) Answer // as the caller
	Beyond   Beyond
	Clock    agentcore.Clock
	Progress func(line string)
}

// TargetSpec is the role that gateways act as, and the target that one gets.
type TargetSpec struct {
	RoleARN string
	agentcore.TargetSpec
}

// Policies are the calls on resource policies, as the SDK's client makes them.
type Policies interface {
	PutResourcePolicy(ctx context.Context, in *control.PutResourcePolicyInput, options ...func(*control.Options)) (*control.PutResourcePolicyOutput, error)
	GetResourcePolicy(ctx context.Context, in *control.GetResourcePolicyInput, options ...func(*control.Options)) (*control.GetResourcePolicyOutput, error)
	DeleteResourcePolicy(ctx context.Context, in *control.DeleteResourcePolicyInput, options ...func(*control.Options)) (*control.DeleteResourcePolicyOutput, error)
}

// Grants is the grants table of the deployment, whose functions apply what is put.
type Grants interface {
	Put(ctx context.Context, attributes grant.Attributes, onlyIfNew bool) error
	Delete(ctx context.Context, key grant.Key) (existed bool, err error)
}

// Beyond is what only some questions need. Each call may fail for lack of rights, which
// leaves its question open.
type Beyond struct {
	Organization func(ctx context.Context) (id string, err error)
	CreateRole   func(ctx context.Context, name string) (arn string, err error) // in the caller's account; it trusts no principal
	DeleteRole   func(ctx context.Context, name string) error
	Recorded     func(ctx context.Context, event string, since time.Time) (bool, error) // by CloudTrail
}

// Answer is what a call of a gateway got.
type Answer struct {
	OK     bool
	Status int    // of a refusal
	Body   string // of a refusal
	Err    error  // there was no answer
}

func (a Answer) String() string {
	switch {
	case a.OK:
		return "SUCCESS"
	case a.Err != nil:
		return "no answer: " + a.Err.Error()
	default:
		return fmt.Sprintf("%d %s", a.Status, a.Body)
	}
}

// run is one run under way.
type run struct {
	Config

	report       Report
	made         []made
	organization string // the caller's own; "" for unknown
}

// Run plays the story and puts the questions, and removes what it made, even when ctx
// ends. The report is whole whatever happens; Report.Passed reports whether all went well.
func Run(ctx context.Context, c Config) Report {
	r := &run{Config: c, report: Report{Started: c.Clock.Now()}}
	if err := r.play(ctx); err != nil {
		r.report.Failure = err.Error()
	}
	r.clean(ctx)
	if ctx.Err() != nil {
		r.report.Failure = "interrupted"
	} else {
		r.trail(ctx)
	}
	r.report.Ended = c.Clock.Now()
	r.redact()
	return r.report
}

func (r *run) play(ctx context.Context) error {
	if err := r.story(ctx); err != nil {
		return err
	}
	return r.questions(ctx)
}

// step plays one step, and ends the story where it does not come out as wanted.
func (r *run) step(name, want string, play func() (got string, ok bool, err error)) error {
	r.Progress(name)
	began := r.Clock.Now()
	got, ok, err := play()
	if err != nil {
		got = err.Error()
	}
	r.report.Steps = append(r.report.Steps, Step{Name: name, Want: want, Got: got, OK: ok && err == nil, Took: r.Clock.Now().Sub(began)})
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case !ok:
		return fmt.Errorf("%s: wanted %s, got %s", name, want, got)
	}
	return nil
}

var errTooLong = errors.New("it took too long")

// lookEvery is how often is looked at what is waited for.
const lookEvery = 2 * time.Second

// until looks again and again, for as long as the configuration says.
func (r *run) until(ctx context.Context, most time.Duration, look func() bool) error {
	for deadline := r.Clock.Now().Add(most); !look(); {
		if !r.Clock.Now().Before(deadline) {
			return errTooLong
		}
		if err := r.Clock.Sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
	return nil
}

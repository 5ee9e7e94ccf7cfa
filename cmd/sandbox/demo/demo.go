// Package demo plays the story of Gateway Grants in one process, without AWS: the
// stand-in serves real HTTP, every call is signed, and the product's own handlers
// and clients do the rest.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// Options say how to play.
type Options struct {
	Functions string    // directory that holds echo/bootstrap
	Out       io.Writer // takes the story
	Log       io.Writer // takes the product's own log
	Decisions io.Writer // takes every decision of the stand-in, as iam.LogDecisions writes them; nil for nowhere
}

// Play tells the whole story. It fails if any of it does not end as it should.
func Play(ctx context.Context, options Options) error {
	// Lambda starts a function in the function's own directory.
	functions, err := filepath.Abs(options.Functions)
	if err != nil {
		return fmt.Errorf("find the functions: %w", err)
	}
	if _, err := os.Stat(filepath.Join(functions, "echo", "bootstrap")); err != nil {
		return fmt.Errorf("the echo function is not built: %w; start with `make demo`, which builds it", err)
	}
	log := slog.New(slog.NewJSONHandler(options.Log, nil))
	var decided func(policy.Call, policy.Decision)
	if options.Decisions != nil {
		decided = iam.LogDecisions(options.Decisions, log)
	}
	stage, err := newStage(ctx, functions, log, decided)
	if err != nil {
		return err
	}
	defer stage.close()
	teller := newTeller(options.Out, time.Now)
	fmt.Fprintln(options.Out, teller.title.Sprint("Gateway Grants: a row in the grants table opens a gateway to another account"))
	err = (&story{teller: teller, stage: stage}).tell(ctx)
	return errors.Join(err, teller.end())
}

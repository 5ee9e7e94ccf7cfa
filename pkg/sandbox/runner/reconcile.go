package runner

import (
	"context"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
)

// reconcile reads what is deployed and has that run. What cannot be run is logged
// and tried again; it keeps nothing else from running. A failed reading changes
// nothing.
func (r *Runner) reconcile(ctx context.Context) error {
	r.reading.Lock()
	defer r.reading.Unlock()
	changes := r.changes.Load()
	deployed, err := r.Source.Deployed(ctx)
	if err != nil {
		return err
	}
	if r.running.Err() != nil {
		return nil // there is nothing to run any more
	}
	r.runFunctions(ctx, deployed.Functions)
	r.runMappings(deployed.Mappings)
	r.runSchedules(deployed.Schedules)
	r.read.Store(changes)
	return nil
}

func (r *Runner) runFunctions(ctx context.Context, deployed []cloud.DeployedFunction) {
	there := map[string]bool{}
	for i := range deployed {
		d := &deployed[i]
		there[d.ARN] = true
		f, known := r.lookUp(d.ARN)
		if !known {
			f = newFunction(r, d.ARN)
		}
		if err := f.deploy(ctx, *d); err != nil {
			r.refuse(d.ARN, "function runs as before, or not at all", err)
			continue
		}
		r.accept(d.ARN)
		if !known {
			r.add(f)
		}
	}
	for _, f := range r.gone(there) {
		r.spawn(f.retire)
	}
}

// add makes a function known, unless everything has been stopped meanwhile.
func (r *Runner) add(f *function) {
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.functions[f.arn] = f
	}
	r.mu.Unlock()
	if closed {
		f.stop()
	}
}

// gone forgets the functions that are not there any more, and returns them.
func (r *Runner) gone(there map[string]bool) []*function {
	r.mu.Lock()
	defer r.mu.Unlock()
	var gone []*function
	for arn, f := range r.functions {
		if !there[arn] {
			gone = append(gone, f)
			delete(r.functions, arn)
		}
	}
	return gone
}

// refuse logs once why something cannot be run; the caller holds r.reading.
func (r *Runner) refuse(what, message string, why error) {
	if r.refused[what] != why.Error() {
		r.refused[what] = why.Error()
		r.Log.Error(message, "what", what, "error", why)
	}
}

func (r *Runner) accept(what string) { delete(r.refused, what) }

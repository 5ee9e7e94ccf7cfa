package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// endsWithin is how long a command that was asked to end may take.
const endsWithin = 5 * time.Second

// runThen runs a shell command as profile account-a of a configuration, and returns
// when it has ended. It sees none of the user's own AWS settings. When ctx ends, so
// does it, with all that it has started.
func runThen(ctx context.Context, command, config string, out io.Writer) error {
	run := exec.CommandContext(ctx, "sh", "-c", command)
	run.Env = append(withoutAWS(os.Environ()),
		"AWS_CONFIG_FILE="+config, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_PROFILE=account-a",
		"AWS_EC2_METADATA_DISABLED=true", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	run.Stdout, run.Stderr = out, out
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	run.Cancel = func() error { return syscall.Kill(-run.Process.Pid, syscall.SIGTERM) }
	run.WaitDelay = endsWithin
	if err := run.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("running %q: %w", command, err)
	}
	return nil
}

// withoutAWS leaves out what AWS clients would read: in their eyes, keys of the
// environment come before those of a profile.
func withoutAWS(environment []string) []string {
	var kept []string
	for _, variable := range environment {
		if !strings.HasPrefix(variable, "AWS_") {
			kept = append(kept, variable)
		}
	}
	return kept
}

package cloud_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

func TestMotoServesUntilItIsStopped(t *testing.T) {
	moto := cloudtest.Moto(t)
	client := iam.New(iam.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(moto.Endpoint()),
		Credentials:  credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
	})
	if _, err := client.ListUsers(t.Context(), &iam.ListUsersInput{}); err != nil {
		t.Fatalf("listing users: %v", err)
	}

	if err := moto.Stop(); err != nil {
		t.Fatalf("stopping: %v", err)
	}
	if answer, err := http.Get(moto.Endpoint()); err == nil {
		answer.Body.Close()
		t.Error("it answers after it was stopped")
	}
	if err := moto.Stop(); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
}

func TestFailedMotoStartHasReason(t *testing.T) {
	cases := map[string]struct {
		reason  string
		options cloud.Options
		want    string
	}{
		"no such interpreter": {
			reason:  "the shell's own words name what is missing",
			options: cloud.Options{Python: "/nonexistent/python"},
			want:    "/nonexistent/python",
		},
		"an interpreter without moto": {
			reason:  "the last line of the log is the cause",
			options: cloud.Options{Python: "false"},
			want:    "exit status 1",
		},
		"no interpreter": {
			reason: "nothing is guessed",
			want:   "Options need Python and Log",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.options.Log = filepath.Join(t.TempDir(), "moto.log")
			_, err := cloud.StartMoto(t.Context(), c.options)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: want an error with %q, got %v", c.reason, c.want, err)
			}
		})
	}
}

func TestAMotoThatNeverAnswersIsGivenUp(t *testing.T) {
	silent := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(silent, []byte("#!/bin/sh\nexec sleep 60\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := cloud.StartMoto(ctx, cloud.Options{Python: silent, Log: filepath.Join(t.TempDir(), "moto.log")})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want the deadline, got %v", err)
	}
}

// parentOf marks the process that TestMotoEndsWithAParentThatWasKilled kills.
const parentOf = "GATEWAY_GRANTS_TEST_PARENT_OF"

func TestMotoEndsWithAParentThatWasKilled(t *testing.T) {
	if file := os.Getenv(parentOf); file != "" {
		moto := cloudtest.Moto(t)
		if err := os.WriteFile(file, []byte(moto.Endpoint()), 0o600); err != nil {
			t.Fatal(err)
		}
		<-moto.Done()
		return
	}
	cloudtest.Python(t)
	file := filepath.Join(t.TempDir(), "endpoint")
	parent := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	parent.Env = append(os.Environ(), parentOf+"="+file)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var endpoint string
	eventually(t, "a moto whose endpoint is known", func() bool {
		text, err := os.ReadFile(file)
		endpoint = string(text)
		return err == nil && endpoint != ""
	})
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := parent.Wait(); err == nil {
		t.Fatal("the parent was killed, and ended well")
	}
	eventually(t, "nothing listens any more", func() bool {
		answer, err := http.Get(endpoint)
		if err == nil {
			answer.Body.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within 30 s: %s", what)
}

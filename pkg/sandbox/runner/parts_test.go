package runner

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

func TestAPackageIsUnpackedAsItWasPacked(t *testing.T) {
	directory := t.TempDir()
	code := archive(
		t, entry{"bootstrap", 0o755, []byte("run")}, entry{"lib/", fs.ModeDir | 0o755, nil},
		entry{"lib/data.json", 0o600, []byte("{}")}, entry{"deep/down/file", 0o644, nil},
	)
	if err := unzip(code, directory); err != nil {
		t.Fatal(err)
	}
	got := map[string]fs.FileMode{}
	err := filepath.WalkDir(directory, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		name, _ := filepath.Rel(directory, path)
		got[name] = info.Mode()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]fs.FileMode{"bootstrap": 0o755, "lib/data.json": 0o644, "deep/down/file": 0o644}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestAPackageReachesNothingOutside(t *testing.T) {
	cases := map[string]struct {
		reason string
		code   []byte
		want   string
	}{
		"above":         {"a name that goes up", archive(t, entry{"../evil", 0o644, []byte("x")}), "outside"},
		"above, hidden": {"a name that goes down and up", archive(t, entry{"a/../../evil", 0o644, []byte("x")}), "outside"},
		"absolute":      {"a name from the root on", archive(t, entry{"/evil", 0o644, []byte("x")}), "outside"},
		"a link":        {"what is behind a link is elsewhere", archive(t, entry{"link", fs.ModeSymlink | 0o777, []byte("/")}), "it is no file"},
		"no archive":    {"it is something else", []byte("not a zip"), "not a valid zip file"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			directory := filepath.Join(parent, "function")
			if err := os.Mkdir(directory, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := unzip(c.code, directory); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: want an error with %q, got %v", c.reason, c.want, err)
			}
			if _, err := os.Lstat(filepath.Join(parent, "evil")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: a file was written outside", c.reason)
			}
		})
	}
}

func TestALimitIsKeptInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l limiter
		l.set(1)
		if !l.try() || l.try() {
			t.Fatal("want one place, and no second")
		}
		var order []int
		for n := range 3 {
			go func() {
				if err := l.wait(t.Context()); err != nil {
					t.Error(err)
				}
				order = append(order, n)
			}()
			synctest.Wait()
		}
		gone, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { left <- l.wait(gone) }()
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}

		for range 3 {
			l.release()
			synctest.Wait()
		}
		if diff := cmp.Diff([]int{0, 1, 2}, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if l.try() {
			t.Error("a second place of one")
		}
		l.set(2)
		if !l.try() {
			t.Error("no second place of two")
		}
	})
}

func TestNoWaitForImpossiblePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l limiter
		l.set(1)
		l.try()
		waited := make(chan error, 1)
		go func() { waited <- l.wait(t.Context()) }()
		synctest.Wait()
		l.set(0)
		if err := <-waited; !errors.Is(err, lambda.ErrThrottled) {
			t.Errorf("who waited got %v", err)
		}
		if err := l.wait(t.Context()); !errors.Is(err, lambda.ErrThrottled) {
			t.Errorf("who came later got %v", err)
		}
	})
}

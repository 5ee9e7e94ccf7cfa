package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// home is the directory of one running stand-in: its configuration for clients,
// its logs, and the lock that keeps a second one out.
type home struct {
	path string // absolute
	lock *os.File
}

// claim makes the directory, or takes over one that is no longer used. The
// lock is the kernel's, so that of a stand-in that was killed is gone with it.
func claim(directory string) (*home, error) {
	path, err := filepath.Abs(directory)
	if err != nil {
		return nil, fmt.Errorf("finding directory %s: %w", directory, err)
	}
	if err := os.MkdirAll(filepath.Join(path, "logs"), 0o700); err != nil {
		return nil, fmt.Errorf("making directory %s: %w", path, err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking directory %s: %w", path, err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = errors.Join(err, lock.Close())
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("directory %s is in use by another sandbox: stop that one, or name another directory with --dir", path)
		}
		return nil, fmt.Errorf("locking directory %s: %w", path, err)
	}
	h := &home{path: path, lock: lock}
	if err := h.clear(); err != nil {
		return nil, errors.Join(err, h.release())
	}
	return h, nil
}

// clear removes what the last stand-in wrote: it is about keys, ports and functions
// that are no more.
func (h *home) clear() error {
	old, err := filepath.Glob(filepath.Join(h.logs(), "lambda-*.log"))
	if err == nil {
		err = os.RemoveAll(h.code())
	}
	for _, file := range append(old, h.config()) {
		if removed := os.Remove(file); !errors.Is(removed, os.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}
	if err != nil {
		return fmt.Errorf("removing what the last sandbox left: %w", err)
	}
	return nil
}

func (h *home) config() string { return filepath.Join(h.path, "aws-config") }

func (h *home) logs() string { return filepath.Join(h.path, "logs") }

// code is where the code of deployed functions is unpacked.
func (h *home) code() string { return filepath.Join(h.path, "functions") }

func (h *home) log(name string) string { return filepath.Join(h.logs(), name+".log") }

// decisions is the file that says of every call who was let in or not, by which
// policies, and why.
func (h *home) decisions() string { return filepath.Join(h.logs(), "decisions.jsonl") }

// release lets others in. The configuration goes with it, because its keys do, and
// so does the code of deployed functions.
func (h *home) release() error {
	err := os.Remove(h.config())
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(h.code()), h.lock.Close())
}

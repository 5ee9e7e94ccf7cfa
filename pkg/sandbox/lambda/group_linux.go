package lambda

import "syscall"

// ownGroup starts a process in a group of its own, so that its children end with
// it, and has the kernel kill it should this process be killed: a function that
// waits for an answer would not notice before its time is up.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

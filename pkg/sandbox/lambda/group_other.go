//go:build !linux

package lambda

import "syscall"

// ownGroup starts a process in a group of its own, so that its children end with
// it. Should this process be killed, a function ends when it next asks for work.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

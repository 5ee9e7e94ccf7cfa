package lambda

import (
	"debug/elf"
	"errors"
	"fmt"
	"runtime"
	"syscall"
)

// architectures are Lambda's names of what executables are built for.
// https://docs.aws.amazon.com/lambda/latest/dg/foundation-arch.html
var architectures = map[elf.Machine]string{elf.EM_X86_64: "x86_64", elf.EM_AARCH64: "arm64"}

// checkArchitecture refuses an executable that Lambda could not run on the
// architecture that the function is deployed for, whatever this machine can. What
// is no executable for a machine, such as a script, passes.
func checkArchitecture(path, architecture string) error {
	built, ok := builtFor(path)
	if !ok || architecture == "" || built == architecture {
		return nil
	}
	return fmt.Errorf("%w: %s is built for %s, and the function's architecture is %s", syscall.ENOEXEC, path, built, architecture)
}

// explain says what to do about an executable that this machine cannot run.
func explain(err error, path string) error {
	built, ok := builtFor(path)
	if !ok || !errors.Is(err, syscall.ENOEXEC) {
		return err
	}
	return fmt.Errorf("%w: it is built for %s and this machine is %s: build and deploy it for this machine's architecture, or have QEMU run it",
		err, built, runtime.GOARCH)
}

// builtFor is the architecture in Lambda's words; false if the file names none.
func builtFor(path string) (string, bool) {
	file, err := elf.Open(path)
	if err != nil {
		return "", false
	}
	defer file.Close()
	if name, ok := architectures[file.Machine]; ok {
		return name, true
	}
	return file.Machine.String(), true
}

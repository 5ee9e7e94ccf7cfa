package infra

import (
	"debug/elf"
	"os/exec"
	"testing"
)

// Lambda's base image has no libc of ours to link with.
// https://docs.aws.amazon.com/lambda/latest/dg/golang-package.html
func TestLambdaBuildsAreStaticARM64(t *testing.T) {
	for architecture, want := range map[string]struct {
		directory string
		machine   elf.Machine
	}{
		"arm64":  {"linux-arm64", elf.EM_AARCH64},
		"x86_64": {"linux-amd64", elf.EM_X86_64},
	} {
		t.Run(architecture, func(t *testing.T) {
			if testing.Short() {
				t.Skip("builds functions: run by make test, not with -short")
			}
			target := "build/" + want.directory + "/echo/bootstrap"
			if output, err := exec.Command("make", "-C", "..", target, "ARCH="+architecture).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			file, err := elf.Open("../" + target)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if file.Machine != want.machine {
				t.Errorf("it is for %s, want %s", file.Machine, want.machine)
			}
			for _, program := range file.Progs {
				if program.Type == elf.PT_INTERP {
					t.Error("it is linked dynamically")
				}
			}
		})
	}
}

package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/version"
)

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Example: `  gateway-grants version
  gateway-grants version --output json`,
		Args: between(0, 0, "nothing"),
		RunE: func(*cobra.Command, []string) error {
			built := thisBuild()
			if p.settings.structured() {
				return p.printValue(built)
			}
			fmt.Fprintf(p.out, "gateway-grants %s (%s, %s)\n", built.Version, built.Revision, built.Go)
			return nil
		},
	}
}

// build is what this program was built from.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
}

func thisBuild() build {
	built := build{Version: version.Product(), Revision: "unknown revision", Go: runtime.Version()}
	if info, known := debug.ReadBuildInfo(); known {
		built.Revision = revisionOf(info, built.Revision)
	}
	return built
}

// revisionOf is the commit that the Go tool recorded, where it did.
func revisionOf(info *debug.BuildInfo, unknown string) string {
	revision, modified := unknown, false
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			revision = setting.Value
		case "vcs.modified":
			modified = setting.Value == "true"
		}
	}
	if modified {
		revision += ", modified"
	}
	return revision
}

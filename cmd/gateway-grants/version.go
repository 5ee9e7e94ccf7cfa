package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  between(0, 0, "nothing"),
		RunE: func(*cobra.Command, []string) error {
			built := buildOf(debug.ReadBuildInfo())
			if p.settings.structured() {
				return p.printValue(built)
			}
			fmt.Fprintf(p.out, "gateway-grants %s (%s, %s)\n", built.Version, built.Revision, built.Go)
			return nil
		},
	}
}

// build is what this program was built from, as the Go linker recorded it.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
}

func buildOf(info *debug.BuildInfo, known bool) build {
	built := build{Version: "(devel)", Revision: "unknown revision", Go: runtime.Version()}
	if !known {
		return built
	}
	if info.Main.Version != "" {
		built.Version = info.Main.Version
	}
	modified := false
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			built.Revision = setting.Value
		case "vcs.modified":
			modified = setting.Value == "true"
		}
	}
	if modified {
		built.Revision += ", modified"
	}
	return built
}

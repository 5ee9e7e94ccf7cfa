package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// settingFlag lets a command take a setting of the deployment by flag. Where the
// flag is not given, the variable that the functions read holds.
func settingFlag(cmd *cobra.Command, s settings.Setting) {
	usage := s.Usage + " ($" + s.Variable + ")"
	if s.List {
		cmd.Flags().Var(&commaList{}, s.Flag, usage)
		return
	}
	cmd.Flags().String(s.Flag, s.Default, usage)
}

// commaList is a flag that holds a list, by commas, by being repeated, or both.
type commaList struct{ values []string }

func (l *commaList) String() string { return strings.Join(l.values, ",") }
func (l *commaList) Type() string   { return "strings" }

func (l *commaList) Set(text string) error {
	l.values = append(l.values, text)
	return nil
}

// settingsOf reads the settings of the deployment as a command was given them.
func settingsOf(cmd *cobra.Command) *settings.Reader {
	given := func(name string) (string, bool) {
		flag := cmd.Flags().Lookup(name)
		if flag == nil || !flag.Changed {
			return "", false
		}
		return flag.Value.String(), true
	}
	return settings.NewReader(settings.Flags(given, settings.Variables(os.LookupEnv)))
}

// readTables reads the names of the tables, for commands that use any.
func (p *program) readTables(cmd *cobra.Command) error {
	used := false
	for _, s := range []settings.Setting{settings.GrantsTable, settings.AccountsTable, settings.StateTable} {
		used = used || cmd.Flags().Lookup(s.Flag) != nil
	}
	if !used {
		return nil
	}
	reader := settingsOf(cmd)
	p.settings.tables = reader.Tables()
	return reader.Err()
}

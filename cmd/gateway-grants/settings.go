package main

import (
	"os"
	"slices"
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

// given are the settings that flags of the command give, and otherwise those of
// another source.
func given(cmd *cobra.Command, otherwise settings.Source) settings.Source {
	return settings.Flags(func(name string) (string, bool) {
		flag := cmd.Flags().Lookup(name)
		if flag == nil || !flag.Changed {
			return "", false
		}
		return flag.Value.String(), true
	}, otherwise)
}

// settingsOf reads the settings of the deployment: flags go before variables, and
// variables before the stack.
func (p *program) settingsOf(cmd *cobra.Command) *settings.Reader {
	otherwise := settings.Variables(os.LookupEnv)
	if p.stack != nil {
		otherwise = settings.Otherwise(otherwise, p.stack.Source())
	}
	return settings.NewReader(given(cmd, otherwise))
}

// readTables reads the names of the tables, for commands that use any.
func (p *program) readTables(cmd *cobra.Command) error {
	if !hasSetting(cmd, settings.GrantsTable, settings.AccountsTable, settings.StateTable) {
		return nil
	}
	reader := p.settingsOf(cmd)
	p.settings.tables, p.settings.reach = reader.Tables(), reader.Reach()
	return reader.Err()
}

// hasSetting reports whether the command takes any of the settings.
func hasSetting(cmd *cobra.Command, which ...settings.Setting) bool {
	return slices.ContainsFunc(which, func(s settings.Setting) bool { return cmd.Flags().Lookup(s.Flag) != nil })
}

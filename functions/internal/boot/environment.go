// Package boot is what the mains of the functions have in common: reading the
// environment, logging, counting and starting.
package boot

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// Environment reads environment variables and remembers what is wrong with
// them, so that a function that cannot start says everything at once.
type Environment struct {
	lookup func(string) (string, bool)
	faults []error
}

// NewEnvironment reads the process's environment.
func NewEnvironment() *Environment { return &Environment{lookup: os.LookupEnv} }

// Err is everything that is wrong with the variables read so far.
func (e *Environment) Err() error {
	if len(e.faults) == 0 {
		return nil
	}
	return fmt.Errorf("the function's environment is not right: %w", errors.Join(e.faults...))
}

func (e *Environment) fail(name, hint string) {
	e.faults = append(e.faults, fmt.Errorf("%s %s", name, hint))
}

// Or is a variable, or what it is if it is unset or empty.
func (e *Environment) Or(name, otherwise string) string {
	if value, ok := e.lookup(name); ok && strings.TrimSpace(value) != "" {
		return strings.TrimSpace(value)
	}
	return otherwise
}

// list is a variable of values with commas between them, each of which must be
// whole; unset or empty is none.
func (e *Environment) list(name string, valid *regexp.Regexp, hint string) []string {
	var values []string
	for value := range strings.SplitSeq(e.Or(name, ""), ",") {
		value = strings.TrimSpace(value)
		switch {
		case value == "":
		case !valid.MatchString(value):
			e.fail(name, fmt.Sprintf("holds %q; write %s, with commas between them", value, hint))
		case !slices.Contains(values, value):
			values = append(values, value)
		}
	}
	return values
}

// Tables are the names of the three tables.
type Tables struct{ Grants, Accounts, States string }

// Tables reads GRANTS_TABLE, ACCOUNTS_TABLE and STATE_TABLE.
func (e *Environment) Tables() Tables {
	return Tables{
		Grants:   e.Or("GRANTS_TABLE", "gateway-grants"),
		Accounts: e.Or("ACCOUNTS_TABLE", "gateway-grants-accounts"),
		States:   e.Or("STATE_TABLE", "gateway-grants-state"),
	}
}

// Bus reads EVENT_BUS, a name or ARN.
func (e *Environment) Bus() string { return e.Or("EVENT_BUS", "gateway-grants") }

var (
	accountID    = regexp.MustCompile(`^\d{12}$`)
	regionName   = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-\d+$`)
	installation = regexp.MustCompile(`^[0-9a-z]{1,16}$`)
)

// Regions reads GATEWAY_REGIONS; none means any.
func (e *Environment) Regions() []string {
	return e.list("GATEWAY_REGIONS", regionName, "regions such as us-east-1")
}

// Owners reads OWNER_ACCOUNTS; none means any.
func (e *Environment) Owners() []string {
	return e.list("OWNER_ACCOUNTS", accountID, "12-digit account ids")
}

// Limits reads what decides how far a policy may go.
func (e *Environment) Limits() plan.Limits {
	limits := plan.DefaultLimits()
	limits.Regions = e.Regions()
	limits.Trusted = e.list("TRUSTED_ACCOUNTS", accountID, "12-digit account ids")
	limits.Owners = e.Owners()
	limits.Installation = e.Or("INSTALLATION_ID", limits.Installation)
	if !installation.MatchString(limits.Installation) {
		e.fail("INSTALLATION_ID", fmt.Sprintf("is %q; it goes into statement ids, so write 1 to 16 lower-case letters and digits", limits.Installation))
	}
	switch accounting := e.Or("SIZE_ACCOUNTING", "expanded"); accounting {
	case "expanded":
		limits.Accounting = plan.ExpandedSize
	case "submitted":
		limits.Accounting = plan.SubmittedSize
	default:
		e.fail("SIZE_ACCOUNTING", fmt.Sprintf("is %q; write expanded or submitted", accounting))
	}
	return limits
}

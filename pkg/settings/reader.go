package settings

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// CodeInvalid is the code of Reader.Err.
const CodeInvalid grant.Code = "InvalidSettings"

// Source finds the text of a setting, and the name under which it was given or,
// where it was not, could be given.
type Source func(Setting) (text, name string, given bool)

// Variables finds settings in environment variables; lookup is os.LookupEnv.
func Variables(lookup func(variable string) (string, bool)) Source {
	return func(s Setting) (string, string, bool) {
		text, given := lookup(s.Variable)
		return text, s.Variable, given
	}
}

// Flags finds settings in the flags of a command line, and those not given there
// in otherwise. The text of a list has commas between its values.
func Flags(given func(flag string) (text string, given bool), otherwise Source) Source {
	return func(s Setting) (string, string, bool) {
		if s.Flag == "" {
			return otherwise(s)
		}
		if text, is := given(s.Flag); is {
			return text, "--" + s.Flag, true
		}
		if text, name, is := otherwise(s); is {
			return text, name, true
		}
		return "", "--" + s.Flag, false
	}
}

// Reader reads settings and collects what is wrong with them, so that one error
// names everything. What a method returns is valid only if Err is nil.
type Reader struct {
	source Source
	faults []string
}

// NewReader reads the settings of a source.
func NewReader(source Source) *Reader { return &Reader{source: source} }

// Err is nil, or a *grant.Error with CodeInvalid that names every setting read so
// far that is not valid, and what to write instead.
func (r *Reader) Err() error {
	if len(r.faults) == 0 {
		return nil
	}
	return &grant.Error{Code: CodeInvalid, Op: "read the settings", Hint: strings.Join(r.faults, "; ")}
}

// Tables are the names of the three tables.
type Tables struct{ Grants, Accounts, States string }

// Tables reads GrantsTable, AccountsTable and StateTable.
func (r *Reader) Tables() Tables {
	return Tables{Grants: r.one(GrantsTable), Accounts: r.one(AccountsTable), States: r.one(StateTable)}
}

// Bus reads EventBus, a name or an ARN.
func (r *Reader) Bus() string { return r.one(EventBus) }

// Limits reads what decides how far a policy may go.
func (r *Reader) Limits() plan.Limits {
	limits := plan.DefaultLimits()
	limits.Regions = r.list(GatewayRegions)
	limits.Owners = r.list(OwnerAccounts)
	limits.Trusted = r.list(TrustedAccounts)
	limits.Installation = r.one(Installation)
	limits.Observe = r.one(Mode) == ModeObserve
	if r.one(SizeAccounting) == AccountingSubmitted {
		limits.Accounting = plan.SubmittedSize
	}
	return limits
}

// TrustGiven reports whether TrustedAccounts was given at all, be it as none.
func (r *Reader) TrustGiven() bool {
	_, _, given := r.source(TrustedAccounts)
	return given
}

// Reach says which gateways there are and how to reach them. It converts to
// agentcore.Deployment, so that only programs that have gateways link its client.
type Reach struct {
	Regions, Owners  []string
	Role, ExternalID string
	PolicyRate       float64 // calls a second of this instance, in a region of an account
}

// Reach reads GatewayRegions, OwnerAccounts, OwnerRole, OwnerExternalID,
// PolicyCallRate and PolicyCallShares. A role needs to be in some account.
func (r *Reader) Reach() Reach {
	reach := Reach{
		Regions: r.list(GatewayRegions), Owners: r.list(OwnerAccounts),
		Role: r.one(OwnerRole), ExternalID: r.one(OwnerExternalID),
		PolicyRate: r.number(PolicyCallRate) / r.number(PolicyCallShares),
	}
	if reach.Role != "" && len(reach.Owners) == 0 {
		_, role := r.text(OwnerRole)
		_, owners := r.text(OwnerAccounts)
		r.fault(role + " is set, so " + owners + " must name the accounts that have the role")
	}
	return reach
}

// SweepMinutes reads how long a round through all managed gateways takes, 1 to
// 1440 minutes.
func (r *Reader) SweepMinutes() int {
	const day = 24 * 60
	text, name := r.text(SweepMinutes)
	minutes, err := strconv.Atoi(text)
	if err != nil || minutes < 1 || minutes > day {
		r.refuse(name, text, fmt.Sprintf("1 to %d", day))
	}
	return minutes
}

// LogLevel reads the least level that is logged.
func (r *Reader) LogLevel() slog.Level {
	var level slog.Level
	if level.UnmarshalText([]byte(r.one(LogLevel))) != nil {
		return slog.LevelInfo
	}
	return level
}

// text is the setting's text without blanks around it, or its default, and the
// name to report it by.
func (r *Reader) text(s Setting) (text, name string) {
	text, name, _ = r.source(s)
	if text = strings.TrimSpace(text); text == "" {
		text = s.Default
	}
	return text, name
}

// one reads a setting of one value.
func (r *Reader) one(s Setting) string {
	text, name := r.text(s)
	if text != "" && !s.valid.MatchString(text) {
		r.refuse(name, text, s.hint)
	}
	return text
}

// list reads the values of a list, each once. Blanks around commas, and commas
// without a value between them, mean nothing.
func (r *Reader) list(s Setting) []string {
	var values []string
	text, name := r.text(s)
	for value := range strings.SplitSeq(text, ",") {
		value = strings.TrimSpace(value)
		switch {
		case value == "":
		case !s.valid.MatchString(value):
			r.refuse(name, value, s.hint+", with commas between them")
		case !slices.Contains(values, value):
			values = append(values, value)
		}
	}
	return values
}

// number reads a setting that is a number above 0 and up to 1000.
func (r *Reader) number(s Setting) float64 {
	text, name := r.text(s)
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || !(value > 0 && value <= 1000) {
		r.refuse(name, text, "a number above 0 and up to 1000, such as 5 or 0.5")
		return 1
	}
	return value
}

func (r *Reader) refuse(name, text, instead string) {
	r.fault(fmt.Sprintf("%s: %q is not valid: write %s", name, text, instead))
}

// fault keeps a fault once, although several methods may read the same setting.
func (r *Reader) fault(text string) {
	if !slices.Contains(r.faults, text) {
		r.faults = append(r.faults, text)
	}
}

// Package settings reads how a deployment is configured: the functions from
// environment variables, the command line from flags and the same variables.
// Both read by the same rules, so that both decide alike and refuse alike.
package settings

import (
	"regexp"

	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// Setting is one setting of a deployment.
type Setting struct {
	Variable string // environment variable that holds it
	Flag     string // flag of the command line, without dashes; "" where it has none
	Default  string // the text that stands for an absent or blank one
	Usage    string // what it means, in the help of the command line
	List     bool   // values with commas between them

	// Where the stack of template.yaml has it; "" for nowhere.
	Output, Parameter string

	valid *regexp.Regexp // of each value that is not blank; nil where a method checks
	hint  string         // what to write instead, after "write "
}

// The settings that functions and the command line share.
var (
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
	tableName = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)

	GrantsTable   = table("GRANTS_TABLE", "GrantsTableName", "grants-table", "gateway-grants", "name of the grants table")
	AccountsTable = table("ACCOUNTS_TABLE", "AccountsTableName", "accounts-table", "gateway-grants-accounts", "name of the accounts table")
	StateTable    = table("STATE_TABLE", "StateTableName", "state-table", "gateway-grants-state", "name of the state table")

	EventBus = Setting{
		Variable: "EVENT_BUS", Output: "EventBusArn", Flag: "event-bus", Default: "gateway-grants", Usage: "event bus for notices",
		// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
		valid: regexp.MustCompile(`^(arn:aws[\w-]*:events:[a-z0-9-]+:\d{12}:event-bus/)?[/.\-_A-Za-z0-9]{1,256}$`), hint: "the name or ARN of an event bus",
	}
	Installation = Setting{
		Variable: "INSTALLATION_ID", Output: "InstallationId", Flag: "installation-id", Default: plan.DefaultLimits().Installation,
		Usage: "whose statements are ours",
		valid: regexp.MustCompile(`^[0-9a-z]{1,16}$`), hint: "1 to 16 lower-case letters and digits, because it goes into statement ids",
	}
	SizeAccounting = Setting{
		Variable: "SIZE_ACCOUNTING", Parameter: "SizeAccounting", Flag: "size-accounting", Default: AccountingExpanded,
		Usage: "how policies are measured: expanded or submitted",
		valid: regexp.MustCompile(`^(` + AccountingExpanded + `|` + AccountingSubmitted + `)$`), hint: AccountingExpanded + " or " + AccountingSubmitted,
	}
	Mode = Setting{
		Variable: "MODE", Parameter: "Mode", Flag: "mode", Default: ModeEnforce,
		Usage: "whether policies are written: enforce, or observe for reading, planning and reporting alone",
		valid: regexp.MustCompile(`^(` + ModeEnforce + `|` + ModeObserve + `)$`), hint: ModeEnforce + " or " + ModeObserve,
	}
	TrustedAccounts = accounts("TRUSTED_ACCOUNTS", "TrustedAccounts", "trusted-accounts", "accounts outside the organization that may be let in")
	OwnerAccounts   = accounts("OWNER_ACCOUNTS", "OwnerAccounts", "owner-accounts", "accounts whose gateways are managed; none for any")
	GatewayRegions  = Setting{
		Variable: "GATEWAY_REGIONS", Parameter: "GatewayRegions", Flag: "gateway-regions", List: true,
		Usage: "regions in which gateways are managed; none for any",
		valid: regexp.MustCompile(`^[a-z]+(-[a-z]+)+-\d+$`), hint: "regions such as us-east-1",
	}
	OwnerRole = Setting{
		Variable: "OWNER_ROLE_NAME", Parameter: "OwnerRoleName", Flag: "owner-role-name", Usage: "role to assume in owner accounts",
		// https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html
		valid: regexp.MustCompile(`^/?([\w+=,.@-]+/)*[\w+=,.@-]{1,64}$`), hint: "the name of a role, with its path if it has one",
	}
	OwnerExternalID = Setting{
		Variable: "OWNER_EXTERNAL_ID", Parameter: "OwnerExternalId", Flag: "owner-external-id", Usage: "external id that the role's trust policy asks for",
		// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
		valid: regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`), hint: "at least 2 letters, digits and +=,.@:/-",
	}
)

// The settings of functions alone.
var (
	// PolicyCallRate is how many policy calls a second the deployment makes in a
	// region of an account, and PolicyCallShares how many instances share them: the
	// concurrency of all functions that reconcile.
	PolicyCallRate   = Setting{Variable: "POLICY_CALL_RATE", Default: "5"}
	PolicyCallShares = Setting{Variable: "POLICY_CALL_SHARES", Default: "1"}

	SweepMinutes = Setting{Variable: "SWEEP_MINUTES", Default: "60"}
	LogLevel     = Setting{
		Variable: "LOG_LEVEL", Default: "INFO",
		valid: regexp.MustCompile(`(?i)^(DEBUG|INFO|WARN|ERROR)$`), hint: "DEBUG, INFO, WARN or ERROR",
	}
)

// The values of SizeAccounting.
const (
	AccountingExpanded  = "expanded"
	AccountingSubmitted = "submitted"
)

// The values of Mode.
const (
	ModeEnforce = "enforce"
	ModeObserve = "observe"
)

// Shared lists the settings that the command line takes, too.
func Shared() []Setting {
	return []Setting{
		GrantsTable, AccountsTable, StateTable, EventBus, Installation, SizeAccounting, Mode,
		TrustedAccounts, OwnerAccounts, GatewayRegions, OwnerRole, OwnerExternalID,
	}
}

func table(variable, output, flag, name, usage string) Setting {
	return Setting{
		Variable: variable, Output: output, Flag: flag, Default: name, Usage: usage,
		valid: tableName, hint: "the name of a table: 3 to 255 letters, digits and _.-",
	}
}

func accounts(variable, parameter, flag, usage string) Setting {
	return Setting{
		Variable: variable, Parameter: parameter, Flag: flag, Usage: usage, List: true,
		valid: regexp.MustCompile(`^\d{12}$`), hint: "12-digit account ids",
	}
}

package boot

import (
	"fmt"
	"regexp"
	"strconv"
)

// Reach says which gateways there are and how to reach them; it converts to the
// adapter's type, so that only functions that have gateways link its client.
type Reach struct {
	Regions, Owners  []string
	Role, ExternalID string
	PolicyRate       float64
}

var (
	// A role's name with its path, and an external id, as IAM and STS take them.
	// https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html
	// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
	roleName   = regexp.MustCompile(`^/?([\w+=,.@-]+/)*[\w+=,.@-]{1,64}$`)
	externalID = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
)

// Reach reads GATEWAY_REGIONS, OWNER_ACCOUNTS, OWNER_ROLE_NAME and
// OWNER_EXTERNAL_ID, and by how much this instance may press AgentCore:
// POLICY_CALL_RATE is how many policy calls a second the deployment makes in a
// region of an account, and POLICY_CALL_SHARES how many instances share them,
// which is the reserved concurrency of all functions that reconcile.
func (e *Environment) Reach() Reach {
	r := Reach{
		Regions: e.Regions(), Owners: e.Owners(),
		Role:       e.match("OWNER_ROLE_NAME", roleName, "the name of a role, with its path if it has one"),
		ExternalID: e.match("OWNER_EXTERNAL_ID", externalID, "letters, digits and +=,.@:/-, at least two"),
	}
	if r.Role != "" && len(r.Owners) == 0 {
		e.fail("OWNER_ROLE_NAME", "is set, so OWNER_ACCOUNTS must say in which accounts")
	}
	r.PolicyRate = e.positive("POLICY_CALL_RATE", 5) / e.positive("POLICY_CALL_SHARES", 2)
	return r
}

// SweepMinutes reads SWEEP_MINUTES, how long a round through all managed gateways
// takes.
func (e *Environment) SweepMinutes() int {
	const day = 24 * 60
	text := e.Or("SWEEP_MINUTES", "60")
	minutes, err := strconv.Atoi(text)
	if err != nil || minutes < 1 || minutes > day {
		e.fail("SWEEP_MINUTES", fmt.Sprintf("is %q; write 1 to %d", text, day))
	}
	return minutes
}

func (e *Environment) match(name string, valid *regexp.Regexp, hint string) string {
	value := e.Or(name, "")
	if value != "" && !valid.MatchString(value) {
		e.fail(name, fmt.Sprintf("is %q; write %s", value, hint))
	}
	return value
}

func (e *Environment) positive(name string, otherwise float64) float64 {
	text := e.Or(name, "")
	if text == "" {
		return otherwise
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || !(value > 0 && value <= 1000) {
		e.fail(name, fmt.Sprintf("is %q; write a number above 0 and up to 1000, such as 5 or 0.5", text))
		return otherwise
	}
	return value
}

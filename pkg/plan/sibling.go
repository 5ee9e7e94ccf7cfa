package plan

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// An installation names its statements as sidPrefix does.
var sidOfInstallation = regexp.MustCompile(`^GatewayGrants([0-9a-z]+)X`)

// InstallationOf is the id of the installation whose Sid the statement bears; "" for
// one that bears none.
func InstallationOf(s policy.Statement) string {
	if match := sidOfInstallation.FindStringSubmatch(s.Sid); match != nil {
		return match[1]
	}
	return ""
}

// siblings lists the other installations that have statements among the foreign ones,
// sorted. A gateway belongs to one installation: two that both add to it would refuse
// each other's changes as soon as a role that both name is deleted.
func siblings(foreign []policy.Statement) []string {
	ids := make(map[string]bool)
	for _, s := range foreign {
		if id := InstallationOf(s); id != "" {
			ids[id] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// addNothing leaves of what is wanted only what stands.
func addNothing(wanted map[Access]int64, standing map[Access]bool) {
	maps.DeleteFunc(wanted, func(a Access, _ int64) bool { return !standing[a] })
}

// belongsTo says why a sibling's gateway gets no new access, and how to hand it over.
func belongsTo(siblings []string) string {
	return fmt.Sprintf("the gateway's policy holds statements of installation %s, and a gateway belongs to one installation; "+
		"to take the gateway over, revoke the grants for it there, or run `gateway-grants gateway detach --all --installation-id %s` where that installation is to end",
		strings.Join(siblings, ", "), siblings[0])
}

// waiting is why additions wait while removals go through; nil where none does.
func waiting(changes []Change) *grant.Error {
	for _, c := range changes {
		if c.Reason == grant.CodeOtherInstallation {
			return &grant.Error{Code: c.Reason, Op: "add access", Hint: c.Message}
		}
	}
	return nil
}

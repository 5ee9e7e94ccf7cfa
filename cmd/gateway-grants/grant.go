package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// grantFlags are the attributes of a row as flags say them.
type grantFlags struct {
	gateways                          []string
	wait                              waiting
	id, role, follow, expires, reason string
	exclude                           []string
	sourceVPCE, sourceVPC, sourceIP   []string
	replace                           bool
}

func (p *program) grantCommand() *cobra.Command {
	var flags grantFlags
	cmd := &cobra.Command{
		Use:   "grant [GATEWAY] PRINCIPAL...",
		Short: "Let principals call gateways",
		Long: `Let principals call gateways: write rows of the grants table, one for each
principal on each gateway.

Every row is checked first; nothing is written if one is not valid. Its id follows
from the principal and role unless --id says otherwise, so that granting the same
again changes nothing, and granting it until later extends it. Another row of the
same id is left alone unless --replace is given. With --wait the command ends once
the rows are in force, or says why one is not. See the help of gateway-grants for
GATEWAY and PRINCIPAL.`,
		Example: `  gateway-grants grant 444455556666
  gateway-grants grant tools-abcdefghij 444455556666 --role AgentRole --expires 30d
  gateway-grants grant 444455556666 555566667777 --gateway tools --gateway search --wait
  gateway-grants grant '*' ou-abcd-11112222 --exclude 777788889999 --reason "all product teams"
  gateway-grants grant arn:aws:iam::444455556666:role/NightlyRole --follow name --source-vpce vpce-0123456789abcdef0`,
		Args: checked(between(1, maxTargets, "an optional GATEWAY and PRINCIPALs"), func(cmd *cobra.Command, args []string) error {
			if err := flags.wait.check(cmd); err != nil {
				return err
			}
			_, err := p.checkedRows(targetsOf(args, flags.gateways).what, flags)
			return err
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.grant(cmd.Context(), targetsOf(args, flags.gateways), flags)
		},
	}
	set := cmd.Flags()
	p.gatewayFlag(cmd, &flags.gateways)
	set.StringVar(&flags.id, "id", "", "id of the row (default: from principal and role)")
	set.StringVar(&flags.role, "role", "", "narrow an account, OU, organization or tag to a role name or pattern, path included")
	set.StringVar(&flags.follow, "follow", "", "how to recognise an exact role: by identity (default), or by name, which survives its re-creation")
	set.StringVar(&flags.expires, "expires", "", "how long from now (30d, 8h, 2w, 90m), a date (to its end, UTC) or an RFC 3339 time")
	set.StringArrayVar(&flags.exclude, "exclude", nil, "account or OU that an OU, organization or tag leaves out; repeat for more")
	set.StringArrayVar(&flags.sourceVPCE, "source-vpce", nil, "VPC endpoint that calls must come through; repeat for alternatives")
	set.StringArrayVar(&flags.sourceVPC, "source-vpc", nil, "VPC that calls must come from; repeat for alternatives")
	set.StringArrayVar(&flags.sourceIP, "source-ip", nil, "address or CIDR range that calls must come from; repeat for alternatives")
	set.StringVar(&flags.reason, "reason", "", "why, in your own words")
	set.BoolVar(&flags.replace, "replace", false, "write over another row of the same id")
	completeWith(cmd, "follow", "identity", "name")
	waitFlags(cmd, &flags.wait)
	settingFlag(cmd, settings.GrantsTable)
	settingFlag(cmd, settings.StateTable)
	p.configFlag(cmd)
	p.completeNames(cmd, false)
	return cmd
}

// maxTargets bounds the principals of one command.
const maxTargets = 1000

// granting is one row that is to be there.
type granting struct {
	where      scope
	attributes grant.Attributes
	row        grant.Row
	shown      string // the revision that is in the table; "" for none
	written    bool
	extended   time.Time // until when the row held; zero where it was not extended
	same       bool      // the table has it
}

func (p *program) grant(ctx context.Context, on targets, flags grantFlags) error {
	rows, err := p.checkedRows(on.what, flags)
	if err != nil {
		return err
	}
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	scopes, err := p.scopes(ctx, on.gateways, s)
	if err != nil {
		return err
	}
	who, err := s.identity(ctx)
	if err != nil {
		return err
	}
	stored := p.open(s.config, p.settings.tables)
	all, err := decideGrants(ctx, stored.grants, scopes, rows, who.ARN, flags)
	if err != nil {
		return err
	}
	failure := writeGrants(ctx, stored.grants, all)
	if err := p.sayGranted(all, flags.wait.on); err != nil || failure != nil {
		return errors.Join(failure, err)
	}
	if !flags.wait.on {
		return nil
	}
	awaited, err := p.awaitedGrants(ctx, all, s)
	if err != nil {
		return err
	}
	return p.await(ctx, stored.states, awaited, flags.wait)
}

// decideGrants says what becomes of each row, and refuses all if one cannot be
// written.
func decideGrants(ctx context.Context, table grantsTable, scopes []scope, checked []grant.Attributes, who string, flags grantFlags) ([]granting, error) {
	known, err := table.Written(ctx)
	if err != nil {
		return nil, err
	}
	there := make(map[grant.Key]grant.Attributes, len(known))
	for _, attributes := range known {
		there[grant.Parse(attributes).Key] = attributes
	}
	var all []granting
	decided := make(map[grant.Key]bool)
	for _, where := range scopes {
		for _, attributes := range checked {
			g := granting{where: where, attributes: maps.Clone(attributes)}
			g.attributes[grant.AttrGateway], g.attributes[grant.AttrRequestedBy] = where.key(), who
			if g.row = grant.Parse(g.attributes); g.row.Fault != nil {
				return nil, faulty(g.row.Fault)
			}
			if decided[g.row.Key] {
				continue // the same principal, written twice
			}
			decided[g.row.Key] = true
			if err := g.against(there[g.row.Key], flags); err != nil {
				return nil, err
			}
			all = append(all, g)
		}
	}
	return all, nil
}

// against decides what becomes of the row where the table has one of the same id;
// nil for none.
func (g *granting) against(attributes grant.Attributes, flags grantFlags) error {
	if attributes == nil {
		return nil
	}
	known := grant.Parse(attributes)
	g.shown = known.Revision
	switch {
	case sameGrant(known.Grant, g.row.Grant):
		g.same = true
	case flags.replace:
	case extends(known.Grant, g.row.Grant):
		g.extended = known.Grant.Expires
		wanted := g.attributes
		g.attributes = maps.Clone(attributes) // what it says besides stays
		for _, name := range []string{grant.AttrExpires, grant.AttrRequestedBy, grant.AttrReason} {
			if value, given := wanted[name]; given {
				g.attributes[name] = value
			}
		}
		g.row = grant.Parse(g.attributes)
	default:
		return refuse("%s grants something else already (%s), and nothing was written: choose another --id, or write over it with --replace", known.ID, describe(known))
	}
	return nil
}

// extends reports whether the row that is wanted differs from the one that is there
// only in that it ends later.
func extends(known, wanted *grant.Grant) bool {
	if known == nil || known.Expires.IsZero() || !wanted.Expires.After(known.Expires) {
		return false
	}
	same := *known
	same.Expires = wanted.Expires
	return sameGrant(&same, &grant.Grant{
		Principal: wanted.Principal, Role: wanted.Role, Follow: wanted.Follow, Expires: wanted.Expires,
		Exclude: wanted.Exclude, Conditions: wanted.Conditions,
	})
}

// writeGrants writes the rows, each only if the table still has what was decided on.
func writeGrants(ctx context.Context, table grantsTable, all []granting) error {
	for i := range all {
		g := &all[i]
		if g.same {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := table.Swap(ctx, g.row.Key, g.shown, g.attributes); err != nil {
			return err
		}
		g.written = true
	}
	return nil
}

// checkedRows are the attributes of each principal's row, but for the gateway.
func (p *program) checkedRows(principals []string, flags grantFlags) ([]grant.Attributes, error) {
	flags.expires = expiry(flags.expires, p.now())
	if flags.id != "" && len(principals) > 1 {
		return nil, refuse("--id names one row, and %d principals have one each: leave it out, or grant them one by one", len(principals))
	}
	rows := make([]grant.Attributes, len(principals))
	for i, principal := range principals {
		var err error
		if rows[i], err = p.checkedAttributes(principal, flags); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// checkedAttributes are those of the row but for what AWS has to be asked for.
// They are valid.
func (p *program) checkedAttributes(principal string, flags grantFlags) (grant.Attributes, error) {
	attributes := flags.attributes(principal)
	attributes[grant.AttrGateway] = grant.EveryGateway
	attributes[grant.AttrGrant] = "to be named"
	if flags.id != "" {
		attributes[grant.AttrGrant] = flags.id
	}
	row := grant.Parse(attributes)
	if row.Fault != nil {
		return nil, faulty(row.Fault)
	}
	if !row.Grant.Live(p.now()) {
		return nil, refuse("the grant would have expired at %s: write a later --expires", moment(row.Grant.Expires))
	}
	if flags.id == "" {
		attributes[grant.AttrGrant] = idFor(row.Grant)
	}
	return attributes, nil
}

func (f grantFlags) attributes(principal string) grant.Attributes {
	attributes := grant.Attributes{grant.AttrPrincipal: principal}
	for name, value := range map[string]string{
		grant.AttrRole: f.role, grant.AttrFollow: f.follow, grant.AttrExpires: f.expires, grant.AttrReason: f.reason,
	} {
		if value != "" {
			attributes[name] = value
		}
	}
	if len(f.exclude) > 0 {
		attributes[grant.AttrExclude] = anyList(f.exclude)
	}
	conditions := map[string]any{}
	for name, values := range map[string][]string{
		"sourceVpce": f.sourceVPCE, "sourceVpc": f.sourceVPC, "sourceIp": f.sourceIP,
	} {
		if len(values) > 0 {
			conditions[name] = anyList(values)
		}
	}
	if len(conditions) > 0 {
		attributes[grant.AttrConditions] = conditions
	}
	return attributes
}

func anyList(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// faulty refuses a row that would be Invalid.
func faulty(fault *grant.Error) error {
	return refuse("nothing was granted (%s): %s: %s", fault.Code, fault.Op, fault.Hint)
}

// sameGrant reports whether a row that is there lets in the same as the one that
// is wanted. Who wrote it does not matter, nor does its reason unless another
// one is given.
func sameGrant(known, wanted *grant.Grant) bool {
	return known != nil &&
		subject(known) == subject(wanted) && known.Follow == wanted.Follow &&
		known.Expires.Equal(wanted.Expires) &&
		slices.Equal(known.Exclude.Accounts, wanted.Exclude.Accounts) && slices.Equal(known.Exclude.Units, wanted.Exclude.Units) &&
		slices.Equal(known.Conditions.SourceVPCE, wanted.Conditions.SourceVPCE) &&
		slices.Equal(known.Conditions.SourceVPC, wanted.Conditions.SourceVPC) &&
		slices.Equal(known.Conditions.SourceIP, wanted.Conditions.SourceIP) &&
		(wanted.Reason == "" || known.Reason == wanted.Reason)
}

// grantedText is what became of one row, for other programs.
type grantedText struct {
	Gateway  string `json:"gateway"`
	Grant    string `json:"grant"`
	Written  bool   `json:"written"`
	Extended string `json:"extendedFrom,omitempty"` // when the row would have ended
	Expires  string `json:"expires,omitempty"`
}

// sayGranted says what was written, and what the table has anyway. Rows that an
// error or an interruption kept from being written are left out.
func (p *program) sayGranted(all []granting, waits bool) error {
	if p.settings.structured() {
		texts := []grantedText{}
		for _, g := range all {
			if g.written || g.same {
				texts = append(texts, grantedText{g.row.Gateway, g.row.ID, g.written, moment(g.extended), moment(g.row.Grant.Expires)})
			}
		}
		return p.printValue(texts)
	}
	paint, written := p.paint(p.out), 0
	for _, g := range all {
		verb := paint.green("Granted")
		switch {
		case g.same:
			verb = "Already granted, nothing to do:"
		case !g.written:
			continue
		case !g.extended.IsZero():
			verb = paint.green("Extended") + " from " + moment(g.extended) + ":"
		}
		if g.written {
			written++
		}
		fmt.Fprintf(p.out, "%s %s on %s (grant %s)\n", verb, describe(g.row), g.where, oneLine(g.row.ID))
	}
	if written > 0 && !waits {
		fmt.Fprintln(p.out, paint.faint("It takes effect once it is in the policy: gateway-grants list shows that."))
	}
	return nil
}

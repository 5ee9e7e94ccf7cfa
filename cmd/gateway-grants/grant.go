package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// grantFlags are the attributes of a row as flags say them.
type grantFlags struct {
	id, role, follow, expires, reason string
	exclude                           []string
	sourceVPCE, sourceVPC, sourceIP   []string
	replace                           bool
}

func (p *program) grantCommand() *cobra.Command {
	var flags grantFlags
	cmd := &cobra.Command{
		Use:   "grant [GATEWAY] PRINCIPAL",
		Short: "Let a principal call a gateway",
		Long: `Let a principal call a gateway: write a row of the grants table.

The row is checked first; nothing is written if it is not valid. Its id follows
from the principal and role unless --id says otherwise, so that granting the same
again changes nothing. Another row of the same id is left alone unless --replace
is given. See the help of gateway-grants for GATEWAY and PRINCIPAL.`,
		Example: `  gateway-grants grant 444455556666
  gateway-grants grant tools-abcdefghij 444455556666 --role AgentRole --expires 2027-01-31
  gateway-grants grant '*' ou-abcd-11112222 --exclude 777788889999 --reason "all product teams"
  gateway-grants grant arn:aws:iam::444455556666:role/AgentRole --follow name --source-vpce vpce-0123456789abcdef0`,
		Args: between(1, 2, "an optional GATEWAY and a PRINCIPAL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			gateway, principal := gatewayAndLast(args)
			return p.grant(cmd.Context(), gateway, principal, flags)
		},
	}
	set := cmd.Flags()
	set.StringVar(&flags.id, "id", "", "id of the row (default: from principal and role)")
	set.StringVar(&flags.role, "role", "", "narrow an account, OU, organization or tag to a role name or pattern, path included")
	set.StringVar(&flags.follow, "follow", "", "how to recognise an exact role: by identity (default), or by name, which survives its re-creation")
	set.StringVar(&flags.expires, "expires", "", "a date (to its end, UTC) or an RFC 3339 time")
	set.StringArrayVar(&flags.exclude, "exclude", nil, "account or OU that an OU, organization or tag leaves out; repeat for more")
	set.StringArrayVar(&flags.sourceVPCE, "source-vpce", nil, "VPC endpoint that calls must come through; repeat for alternatives")
	set.StringArrayVar(&flags.sourceVPC, "source-vpc", nil, "VPC that calls must come from; repeat for alternatives")
	set.StringArrayVar(&flags.sourceIP, "source-ip", nil, "address or CIDR range that calls must come from; repeat for alternatives")
	set.StringVar(&flags.reason, "reason", "", "why, in your own words")
	set.BoolVar(&flags.replace, "replace", false, "write over another row of the same id")
	completeWith(cmd, "follow", "identity", "name")
	settingFlag(cmd, settings.GrantsTable)
	p.configFlag(cmd)
	return cmd
}

// gatewayAndLast tells GATEWAY, which may be left out, from what follows it.
func gatewayAndLast(args []string) (gateway, last string) {
	if len(args) > 1 {
		return args[0], args[1]
	}
	return "", args[0]
}

func (p *program) grant(ctx context.Context, gateway, principal string, flags grantFlags) error {
	attributes, err := p.checkedAttributes(principal, flags)
	if err != nil {
		return err
	}
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	where, err := p.scopeOf(ctx, gateway, s)
	if err != nil {
		return err
	}
	who, err := s.identity(ctx)
	if err != nil {
		return err
	}
	attributes[grant.AttrGateway] = where.key()
	attributes[grant.AttrRequestedBy] = who.ARN
	row := grant.Parse(attributes)
	if row.Fault != nil {
		return faulty(row.Fault)
	}
	written, err := put(ctx, p.open(s.config, p.settings.tables).grants, row, attributes, flags)
	if err != nil {
		return err
	}
	return p.sayGranted(where, row, written)
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

// put writes the row, unless one that grants the same is there. It tells
// whether it wrote.
func put(ctx context.Context, table grantsTable, row grant.Row, attributes grant.Attributes, flags grantFlags) (bool, error) {
	if !flags.replace {
		err := table.Put(ctx, attributes, true)
		if grant.CodeOf(err) != store.CodeGrantExists {
			return err == nil, err
		}
	}
	known, err := find(ctx, table, row.Key)
	switch {
	case err != nil:
		return false, err
	case known != nil && sameGrant(known.Grant, row.Grant):
		return false, nil
	case known != nil && !flags.replace:
		return false, refuse("%s grants something else already (%s): choose another --id, or write over it with --replace", row.ID, describe(*known))
	}
	return true, table.Put(ctx, attributes, !flags.replace)
}

// find reads one row; nil for none.
func find(ctx context.Context, table grantsTable, key grant.Key) (*grant.Row, error) {
	rows, err := table.All(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(rows, func(row grant.Row) bool { return row.Key == key })
	if i < 0 {
		return nil, nil
	}
	return &rows[i], nil
}

// sameGrant tells whether a row that is there lets in the same as the one that
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

func (p *program) sayGranted(where scope, row grant.Row, written bool) error {
	if p.settings.structured() {
		return p.printValue(struct {
			Gateway string `json:"gateway"`
			Grant   string `json:"grant"`
			Written bool   `json:"written"`
		}{row.Gateway, row.ID, written})
	}
	verb := p.paint(p.out).green("Granted")
	if !written {
		verb = "Already granted, nothing to do:"
	}
	fmt.Fprintf(p.out, "%s %s on %s (grant %s)\n", verb, describe(row), where, row.ID)
	if written {
		fmt.Fprintln(p.out, p.paint(p.out).faint("It takes effect once it is in the policy: gateway-grants list shows that."))
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// targets are the gateways of a command, and what it does on each of them.
type targets struct {
	gateways []string // as named; none for that of the configuration file
	what     []string // principals or ids
}

// gatewayFlag lets a command name several gateways.
func (p *program) gatewayFlag(cmd *cobra.Command, gateways *[]string) {
	cmd.Flags().StringArrayVar(gateways, "gateway", nil, "gateway, by ARN, id or name; repeat for more")
	if err := cmd.RegisterFlagCompletionFunc("gateway", p.names(false)); err != nil {
		panic(err) // the flag was defined above
	}
}

// targetsOf tells an optional first GATEWAY from what follows it: where several
// arguments are given and no --gateway, the first is one unless it is a principal.
func targetsOf(args, gateways []string) targets {
	if len(gateways) == 0 && len(args) > 1 {
		if _, err := grant.ParsePrincipal(args[0]); err != nil {
			return targets{args[:1], args[1:]}
		}
	}
	return targets{gateways, args}
}

// scopes are the gateways, each once, in the order in which they are named.
func (p *program) scopes(ctx context.Context, names []string, s *session) ([]scope, error) {
	if len(names) == 0 {
		names = []string{""}
	}
	var all []scope
	for _, name := range names {
		where, err := p.scopeOf(ctx, name, s)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, where) {
			all = append(all, where)
		}
	}
	return all, nil
}

// duration is how long a grant holds: 30d, 8h, 2w or 90m.
var duration = regexp.MustCompile(`^([1-9][0-9]{0,5})([mhdw])$`)

var units = map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

// parseDuration reads a duration in one unit: 90m, 8h, 30d, 2w.
func parseDuration(text string) (time.Duration, bool) {
	part := duration.FindStringSubmatch(text)
	if part == nil {
		return 0, false
	}
	n, err := strconv.Atoi(part[1])
	return time.Duration(n) * units[part[2]], err == nil
}

// span is a time back from now: as --expires takes it, or as Go does (1h30m).
type span struct {
	time.Duration

	text string // as it was written
}

// Set parses a span, and fails on text that is none.
func (s *span) Set(text string) error {
	back, is := parseDuration(text)
	if !is {
		var err error
		if back, err = time.ParseDuration(text); err != nil {
			return errors.New("write how far back, such as 90m or 7d")
		}
	}
	*s = span{back, text}
	return nil
}

// String is the span as it was written; "" for none.
func (s *span) String() string { return s.text }

// Type is the word for the value in the usage.
func (*span) Type() string { return "duration" }

// expiry is the attribute for --expires: a time from now on, or what the admin wrote.
func expiry(text string, now time.Time) string {
	ahead, is := parseDuration(text)
	if !is {
		return text
	}
	return now.Add(ahead).UTC().Truncate(time.Second).Format(time.RFC3339)
}

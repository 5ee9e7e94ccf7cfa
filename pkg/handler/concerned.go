package handler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// change is what one record means. It is direct if a row for one gateway changed,
// wide if the gateways that it concerns have to be looked up, and else concerns no
// gateway.
type change struct {
	sequence   string
	cause      string
	at         time.Time         // when it was made, as its stream says; zero if it does not
	everywhere bool              // a grant for every managed gateway
	selectors  []grant.Principal // an account changed: it concerns the grants to these
	account    string            // and to this account or something in it
	owner      string            // an account that came onto the list of owners, or went
	found                        // known at once if it is direct, after resolve if it is wide
}

func (c change) direct() bool { return !c.wide() && len(c.gateways) > 0 }
func (c change) wide() bool {
	return c.everywhere || len(c.selectors) > 0 || c.account != "" || c.owner != ""
}

// changeOf is what a record means. A row concerns its gateway, or all of them; an
// account concerns the grants to it, and to each place and tag that it has or had.
func changeOf(r event.Record) change {
	c := change{sequence: r.Sequence, at: r.At}
	switch {
	case r.Grant != nil:
		c.cause = event.OneLine("grant " + r.Grant.ID + " " + r.Grant.Verb)
		c.everywhere = r.Grant.Every
		if !c.everywhere {
			c.gateways = []grant.Gateway{r.Grant.Gateway}
		}
	case r.Account != nil:
		c.cause = accountCause(r.Account.Before, r.Account.After)
		touch := directory.Touched(r.Account.Before, r.Account.After)
		c.selectors, c.account = touch.Selectors, touch.Account
	case r.List != nil && r.List.List == directory.TopicTrusted:
		c.cause = "trusted account " + r.List.Account + " " + r.List.Verb
		c.account = r.List.Account
	case r.List != nil:
		c.cause = "owner account " + r.List.Account + " " + r.List.Verb
		c.owner = r.List.Account
	}
	return c
}

func accountCause(before, after *directory.Account) string {
	switch {
	case before == nil:
		return "account " + after.ID + " joined"
	case after == nil:
		return "account " + before.ID + " left"
	default:
		return "account " + after.ID + " changed"
	}
}

// found is the gateways that a change concerns, or why they are not known.
type found struct {
	gateways []grant.Gateway
	every    bool // and every managed gateway, which it takes a sweep to find
	err      error
}

// resolve looks up the gateways that the wide changes concern.
func (b *batch) resolve(ctx context.Context) {
	ctx, cancel := b.withReserve(ctx)
	defer cancel()
	for i := range b.changes {
		c := &b.changes[i]
		if !c.wide() {
			continue
		}
		c.found = b.concerned(ctx, *c)
		if c.err != nil {
			b.Log.ErrorContext(ctx, "gateways of a change not found; the stream delivers its record again", "cause", c.cause, "error", event.OneLine(c.err.Error()))
		}
	}
}

func (b *batch) concerned(ctx context.Context, c change) found {
	if c.everywhere {
		return found{every: true}
	}
	var all found
	for _, selector := range c.selectors {
		all.add(b.grantedTo(ctx, selector))
	}
	if c.account != "" {
		all.add(b.grantedWithin(ctx, c.account))
	}
	return all
}

func (f *found) add(other found) {
	f.gateways = append(f.gateways, other.gateways...)
	f.every = f.every || other.every
	f.err = errors.Join(f.err, other.err)
}

// grantedTo finds the gateways of the grants for a selector.
func (b *batch) grantedTo(ctx context.Context, selector grant.Principal) found {
	if known, ok := b.selected[selector]; ok {
		return known
	}
	keys, err := b.Grants.Naming(ctx, []grant.Principal{selector})
	if err != nil {
		err = fmt.Errorf("look up the grants for %s: %w", selector, err)
	}
	all := named(keys)
	all.err = errors.Join(all.err, err)
	b.selected[selector] = all
	return all
}

// unclear stands for the account of a row with a fault that does not say which account it
// lets in: what its last valid revision gave is kept, and may be any account's.
const unclear = ""

// grantedWithin finds the gateways of the grants for an account or for a role,
// pattern or user in it. No index lists them, so all rows are read, once.
func (b *batch) grantedWithin(ctx context.Context, account string) found {
	if b.within == nil {
		rows, err := b.Grants.All(ctx)
		if err != nil {
			return found{err: fmt.Errorf("look up the grants for account %s: %w", account, err)}
		}
		b.within = make(map[string][]string)
		for _, row := range rows {
			principal := row.Named
			if row.Fault == nil {
				principal = row.Grant.Principal
			}
			if !principal.IsSelector() {
				b.within[principal.Account()] = append(b.within[principal.Account()], row.Gateway)
			}
		}
	}
	return named(slices.Concat(b.within[account], b.within[unclear]))
}

// named are the gateways that keys of the grants table name. A key that is no
// ARN is that of an Invalid row.
func named(keys []string) found {
	var all found
	for _, key := range keys {
		if key == grant.EveryGateway {
			all.every = true
		} else if gateway, err := grant.ParseGateway(key); err == nil {
			all.gateways = append(all.gateways, gateway)
		}
	}
	return all
}

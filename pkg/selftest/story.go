package selftest

import (
	"context"
	"errors"
	"maps"
	"net/http"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// story is the one of the grants: no, yes, narrowed, no.
func (r *run) story(ctx context.Context) error {
	gateway, err := r.gateway(ctx, r.Name, true)
	if err != nil {
		return err
	}
	account := r.row("account", gateway.ARN, r.Caller, nil)
	other := r.row("other", gateway.ARN, r.Caller, grant.Attributes{grant.AttrRole: r.Name + "-other", grant.AttrFollow: "name"})
	own := r.row("own", gateway.ARN, r.CallerARN, nil)
	for _, play := range []func() error{
		func() error { return r.refused(ctx, "call without a grant", gateway.URL) },
		func() error { return r.put(ctx, account) },
		func() error { return r.admitted(ctx, "call after a grant for the account", gateway.URL) },
		func() error { return errors.Join(r.put(ctx, other), r.remove(ctx, account)) },
		func() error { return r.refused(ctx, "call after narrowing it to another role", gateway.URL) },
		func() error { return r.put(ctx, own) },
		func() error { return r.admitted(ctx, "call after a grant for the caller's own role", gateway.URL) },
		func() error { return errors.Join(r.remove(ctx, own), r.remove(ctx, other)) },
		func() error { return r.refused(ctx, "call after revoking all grants", gateway.URL) },
	} {
		if err := play(); err != nil {
			return err
		}
	}
	return nil
}

// gateway makes one, with a target.
func (r *run) gateway(ctx context.Context, name string, managed bool) (gateway agentcore.SetUp, err error) {
	what := "make a gateway and a target"
	if !managed {
		what = "make an unmanaged gateway for the questions"
	}
	r.willMake(made{
		what: "gateway " + name, remove: func(ctx context.Context) error { return r.removeGateway(ctx, name) },
		command: r.cleaning(),
	})
	return gateway, r.step(what, "READY", func() (string, bool, error) {
		gateway, err = r.Setup.Gateway(ctx, agentcore.GatewaySpec{Name: name, Description: "Made by gateway-grants selftest, which removes it", RoleARN: r.Target.RoleARN, Unmanaged: !managed})
		if err != nil {
			return "", false, err
		}
		_, _, err = r.Setup.Target(ctx, gateway.ID, r.Target.TargetSpec)
		return "READY", true, err
	})
}

// removeGateway removes whatever bears the name, so that it may be repeated.
func (r *run) removeGateway(ctx context.Context, name string) error {
	id, err := r.Setup.Named(ctx, name)
	if err != nil || id == "" {
		return err
	}
	targets, err := r.Setup.Targets(ctx, id)
	if err != nil {
		return err
	}
	for _, target := range targets {
		if _, err := r.Setup.DeleteTarget(ctx, id, *target.TargetId); err != nil {
			return err
		}
	}
	_, err = r.Setup.DeleteGateway(ctx, id)
	return err
}

// row is one of the grants table.
func (r *run) row(id, gateway, principal string, more grant.Attributes) grant.Attributes {
	row := grant.Attributes{
		grant.AttrGateway: gateway, grant.AttrGrant: r.Name + "-" + id, grant.AttrPrincipal: principal,
		grant.AttrReason: "gateway-grants selftest", grant.AttrSource: "selftest",
	}
	maps.Copy(row, more)
	return row
}

func key(row grant.Attributes) grant.Key {
	gateway, _ := row[grant.AttrGateway].(string)
	id, _ := row[grant.AttrGrant].(string)
	return grant.Key{Gateway: gateway, ID: id}
}

func (r *run) put(ctx context.Context, row grant.Attributes) error {
	r.willMake(made{
		what:    "grant " + key(row).ID,
		command: "gateway-grants revoke " + key(row).Gateway + " " + key(row).ID,
		remove: func(ctx context.Context) error {
			_, err := r.Grants.Delete(ctx, key(row))
			return err
		},
	})
	return r.Grants.Put(ctx, row, true)
}

func (r *run) remove(ctx context.Context, row grant.Attributes) error {
	_, err := r.Grants.Delete(ctx, key(row))
	return err
}

func (r *run) refused(ctx context.Context, name, url string) error {
	return r.called(ctx, name, "403", url, func(a Answer) bool { return a.Status == http.StatusForbidden })
}

func (r *run) admitted(ctx context.Context, name, url string) error {
	return r.called(ctx, name, "SUCCESS", url, func(a Answer) bool { return a.OK })
}

// called calls until the answer is as wanted.
func (r *run) called(ctx context.Context, name, want, url string, as func(Answer) bool) error {
	return r.step(name, want, func() (string, bool, error) {
		var last Answer
		err := r.until(ctx, r.Within, func() bool {
			last = r.Call(ctx, url)
			return as(last)
		})
		switch {
		case errors.Is(err, errTooLong) && last.OK:
			return last.String() + "; grants for every gateway may let the caller in: gateway-grants list '*'", false, nil
		case errors.Is(err, errTooLong):
			return last.String(), false, nil
		}
		return last.String(), true, err
	})
}

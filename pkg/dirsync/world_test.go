package dirsync_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

const (
	management = "111122223333"
	member     = "444455556666"
)

type world struct {
	now           time.Time
	outer, inner  string
	organizations *flaky
	accounts      *accounts
	grants        *memory.Grants
	syncer        *dirsync.Syncer
}

// newWorld is an organization with a member in a unit of a unit, tagged, and no
// grants.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	o := memory.NewOrganization("o-exampleorgid", management, clock)
	var err error
	w.outer, err = o.CreateUnit(o.Root())
	check(t, err)
	w.inner, err = o.CreateUnit(w.outer)
	check(t, err)
	check(t, o.CreateAccount(member))
	check(t, o.MoveAccount(member, w.inner))
	check(t, o.TagAccount(member, "env", "prod"))
	w.organizations = &flaky{twin: o}
	w.accounts = &accounts{table: memory.NewAccounts(memory.Config{Now: clock})}
	w.grants = memory.NewGrants(memory.Config{Now: clock})
	check(t, w.grants.PutSentinel(t.Context()))
	w.syncer = dirsync.New(w.organizations, w.accounts, w.grants, clock)
	return w
}

func (w *world) grant(t *testing.T, principal string, exclude ...string) {
	t.Helper()
	row := grant.Attributes{"gateway": "*", "grant": principal, "principal": principal}
	if len(exclude) > 0 {
		row["exclude"] = exclude
	}
	check(t, w.grants.Put(t.Context(), row, false))
}

// crowd adds accounts to a unit, and lists the organization.
func (w *world) crowd(t *testing.T, n int, unit string) []string {
	t.Helper()
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprintf("5555%08d", i))
		check(t, w.organizations.CreateAccount(ids[i]))
		check(t, w.organizations.MoveAccount(ids[i], unit))
	}
	w.all(t)
	return ids
}

func (w *world) all(t *testing.T) dirsync.Summary {
	t.Helper()
	summary, err := w.syncer.All(t.Context())
	check(t, err)
	return summary
}

func (w *world) read(t *testing.T, id string) {
	t.Helper()
	_, err := w.syncer.Account(t.Context(), id)
	check(t, err)
}

// pass lets time pass, and does what is due every minute.
func (w *world) pass(t *testing.T, d time.Duration) (last dirsync.Summary) {
	t.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(time.Minute)
		var err error
		last, err = w.syncer.Due(t.Context())
		check(t, err)
	}
	return last
}

func (w *world) recorded(t *testing.T) map[string]directory.Account {
	t.Helper()
	all, err := w.accounts.table.Recorded(t.Context())
	check(t, err)
	recorded := make(map[string]directory.Account)
	for _, account := range all {
		recorded[account.ID] = account
	}
	return recorded
}

// selected are the accounts that a selector matches, as a reconcile would see it.
func (w *world) selected(t *testing.T, selector string) []string {
	t.Helper()
	principal, err := grant.ParsePrincipal(selector)
	check(t, err)
	snapshot, err := w.accounts.Lookup(t.Context(), []grant.Principal{principal}, nil)
	check(t, err)
	ids, _ := snapshot.Select(principal, grant.Exclusion{})
	return ids
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type twin = memory.Organization // by another name, since it has a method of this one

// flaky is an organization that answers as badly as a case asks for.
type flaky struct {
	*twin

	withoutPaths, withoutState         bool
	only                               []string // if not nil, who is listed
	lost                               []string // who is neither listed nor found
	membersFail, tagsFail, parentFails error
	failAt                             string // token at which a listing fails
	oddParent, tagsFailFor             string
	parentCalls, tagCalls, listCalls   int
}

func (f *flaky) Member(ctx context.Context, id string) (dirsync.Member, bool, error) {
	if slices.Contains(f.lost, id) {
		return dirsync.Member{}, false, nil
	}
	m, found, err := f.twin.Member(ctx, id)
	return f.spoil(m), found, err
}

func (f *flaky) Members(ctx context.Context, token string) (dirsync.Page, error) {
	f.listCalls++
	page, err := f.twin.Members(ctx, token)
	if f.failAt != "" && token == f.failAt {
		return dirsync.Page{}, f.membersFail
	}
	answer := dirsync.Page{Next: page.Next}
	for _, m := range page.Members {
		if (f.only == nil || slices.Contains(f.only, m.ID)) && !slices.Contains(f.lost, m.ID) {
			answer.Members = append(answer.Members, f.spoil(m))
		}
	}
	if f.failAt == "" {
		err = errors.Join(err, f.membersFail)
	}
	return answer, err
}

func (f *flaky) spoil(m dirsync.Member) dirsync.Member {
	if f.withoutPaths {
		m.Paths = nil
	}
	if f.withoutState {
		m.State = ""
	}
	return m
}

func (f *flaky) Parent(ctx context.Context, child string) (string, error) {
	f.parentCalls++
	if f.oddParent != "" {
		return f.oddParent, f.parentFails
	}
	parent, err := f.twin.Parent(ctx, child)
	return parent, errors.Join(err, f.parentFails)
}

func (f *flaky) Tags(ctx context.Context, id string) (map[string]string, error) {
	f.tagCalls++
	if id == f.tagsFailFor {
		return nil, errors.New("TooManyRequestsException")
	}
	tags, err := f.twin.Tags(ctx, id)
	return tags, errors.Join(err, f.tagsFail)
}

type table = memory.Accounts // by another name, since it has a method of this one

// accounts is a table that fails where a case asks for it.
type accounts struct {
	*table

	writeFails, recordedFails error
	writes                    int
}

func (a *accounts) Recorded(ctx context.Context) ([]directory.Account, error) {
	if a.recordedFails != nil {
		return nil, a.recordedFails
	}
	return a.table.Recorded(ctx)
}

func (a *accounts) Update(ctx context.Context, id string, decide func(*directory.Account) (*directory.Account, bool)) (bool, error) {
	if a.writeFails != nil {
		return false, a.writeFails
	}
	changed, err := a.table.Update(ctx, id, decide)
	if changed {
		a.writes++
	}
	return changed, err
}

func (a *accounts) PutNote(ctx context.Context, note directory.Note) error {
	return errors.Join(a.writeFails, a.table.PutNote(ctx, note))
}

package dirsync_test

import (
	"context"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
)

// plantedBugs are mistakes that this code was written not to make.
var plantedBugs = map[string]planted{
	"one reading is enough for a loss": {rules: func(r *dirsync.Rules) { r.Confirm = 0 }},
	"nothing is ever held":             {rules: func(r *dirsync.Rules) { r.Guard.Accounts = 1 << 30 }},
	"tags are read once and for all":   {rules: func(r *dirsync.Rules) { r.TagsEvery = 1 << 62 }},
	"an event is believed": {event: func(l *life, id string) {
		a := l.organization.history[id][len(l.organization.history[id])-1].account // as it was when the event was sent, at best
		a.ReadAt, a.State, a.Path = l.now, directory.StateActive, l.organization.pathTo("ou-ab12-11111111")
		_, err := l.accounts.Write(context.Background(), a)
		must(err)
	}},
	"a listing ends with an empty page": {organizations: func(_ *life, o dirsync.Organizations) dirsync.Organizations { return endsEarly{o} }},
	"tags that fail are no tags":        {organizations: func(_ *life, o dirsync.Organizations) dirsync.Organizations { return noTags{o} }},
	"only the parent unit counts":       {organizations: func(_ *life, o dirsync.Organizations) dirsync.Organizations { return parentOnly{o} }},
	"an account that fails is gone":     {organizations: func(_ *life, o dirsync.Organizations) dirsync.Organizations { return failedIsGone{o} }},
	"nothing is read again":             {accounts: func(a dirsync.Accounts) dirsync.Accounts { return forgetful{a} }},
	"what is certain is applied blindly": {accounts: func(a dirsync.Accounts) dirsync.Accounts {
		return keepsNothing{a}
	}},
}

type endsEarly struct{ dirsync.Organizations }

func (e endsEarly) Members(ctx context.Context, token string) (dirsync.Page, error) {
	page, err := e.Organizations.Members(ctx, token)
	if len(page.Members) < 3 {
		page.Next = ""
	}
	return page, err
}

// Member lies likewise, since a listing alone makes no account leave.
func (e endsEarly) Member(ctx context.Context, id string) (dirsync.Member, bool, error) {
	for token := ""; ; {
		page, err := e.Members(ctx, token)
		for _, m := range page.Members {
			if m.ID == id {
				return m, true, err
			}
		}
		if token = page.Next; err != nil || token == "" {
			return dirsync.Member{}, false, err
		}
	}
}

type noTags struct{ dirsync.Organizations }

func (n noTags) Tags(ctx context.Context, id string) (map[string]string, error) {
	if id[len(id)-1]%2 == 0 {
		return nil, nil
	}
	return n.Organizations.Tags(ctx, id)
}

type parentOnly struct{ dirsync.Organizations }

func (p parentOnly) Member(ctx context.Context, id string) (dirsync.Member, bool, error) {
	m, found, err := p.Organizations.Member(ctx, id)
	return shortened(m), found, err
}

func (p parentOnly) Members(ctx context.Context, token string) (dirsync.Page, error) {
	page, err := p.Organizations.Members(ctx, token)
	for i, m := range page.Members {
		page.Members[i] = shortened(m)
	}
	return page, err
}

func shortened(m dirsync.Member) dirsync.Member {
	for i, path := range m.Paths {
		for n := range simulatedUnits {
			if parent := simulatedUnits[n] + "/" + n + "/" + m.ID; len(path) > len(parent)+1 && path[len(path)-len(parent)-1:] == parent+"/" {
				m.Paths[i] = "o-exampleorgid/r-ab12/" + n + "/" + m.ID + "/"
			}
		}
	}
	return m
}

type failedIsGone struct{ dirsync.Organizations }

func (f failedIsGone) Member(ctx context.Context, id string) (dirsync.Member, bool, error) {
	if id == "444455550003" {
		return dirsync.Member{}, false, nil // always throttled, say
	}
	return f.Organizations.Member(ctx, id)
}

type forgetful struct{ dirsync.Accounts }

func (f forgetful) PutNote(ctx context.Context, note directory.Note) error {
	if note.Topic == directory.TopicRecheck {
		return nil
	}
	return f.Accounts.PutNote(ctx, note)
}

type keepsNothing struct{ dirsync.Accounts }

func (k keepsNothing) Update(ctx context.Context, id string, decide func(*directory.Account) (*directory.Account, bool)) (bool, error) {
	return k.Accounts.Update(ctx, id, func(was *directory.Account) (*directory.Account, bool) {
		is, change := decide(was)
		if is != nil {
			is.Kept = nil
		}
		return is, change
	})
}

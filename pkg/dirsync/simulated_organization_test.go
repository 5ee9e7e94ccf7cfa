package dirsync_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
)

// The simulated organization's answers are at most lag old, and go back and
// forth within that: each is of a moment of its own.
const lag = 45 * time.Second

// moment is what was true of an account from a time on.
type moment struct {
	from    time.Time
	member  bool
	account directory.Account
}

// simulated is an organization with nested units, whose accounts are created,
// moved, tagged, closed, and leave for another organization and come back.
type simulated struct {
	random  *rand.Rand
	now     func() time.Time
	units   map[string]string // parent of each
	history map[string][]moment
	order   []string
	glitch  map[string]bool // accounts that were answered for wrongly

	withoutPaths, failing bool
}

var simulatedUnits = map[string]string{
	"ou-ab12-11111111": "r-ab12", "ou-ab12-22222222": "ou-ab12-11111111", "ou-ab12-33333333": "ou-ab12-22222222",
	"ou-ab12-44444444": "r-ab12",
}

func newSimulated(random *rand.Rand, now func() time.Time) *simulated {
	return &simulated{
		random: random, now: now, units: simulatedUnits,
		history: make(map[string][]moment), glitch: make(map[string]bool),
	}
}

func (s *simulated) truth(id string) moment { return s.asOf(id, s.now()) }

func (s *simulated) asOf(id string, at time.Time) moment {
	var found moment
	for _, m := range s.history[id] {
		if !m.from.After(at) {
			found = m
		}
	}
	return found
}

// lately is everything that was true of an account within the time that an
// answer may lag behind.
func (s *simulated) lately(id string) []moment { return s.since(id, s.now().Add(-lag)) }

func (s *simulated) since(id string, since time.Time) []moment {
	all := []moment{s.asOf(id, since)}
	for _, m := range s.history[id] {
		if m.from.After(since) {
			all = append(all, m)
		}
	}
	return all
}

// become changes an account.
func (s *simulated) become(id string, change func(*moment)) {
	m := s.truth(id)
	m.account.Tags, m.account.Path = cloned(m.account.Tags), slices.Clone(m.account.Path)
	change(&m)
	m.from, m.account.ID, m.account.Organization = s.now(), id, "o-exampleorgid"
	if len(s.history[id]) == 0 {
		s.order = append(s.order, id)
	}
	s.history[id] = append(s.history[id], m)
}

func cloned(tags map[string]string) map[string]string {
	clone := make(map[string]string, len(tags))
	maps.Copy(clone, tags)
	return clone
}

func (s *simulated) pathTo(unit string) []string {
	var path []string
	for ; unit != "r-ab12"; unit = s.units[unit] {
		path = append([]string{unit}, path...)
	}
	return path
}

func (s *simulated) members() []string {
	var ids []string
	for _, id := range s.order {
		if id != management && s.truth(id).member {
			ids = append(ids, id)
		}
	}
	return ids
}

// change does something to the organization, and returns the account that events
// will be about.
func (s *simulated) change() string {
	members := s.members()
	if len(members) == 0 || s.random.IntN(6) == 0 {
		id := strconv.Itoa(444455550000 + s.random.IntN(14)) // some come back
		if s.truth(id).member {
			return ""
		}
		s.become(id, func(m *moment) {
			m.member, m.account = true, directory.Account{State: directory.StateActive}
		})
		return id
	}
	id := members[s.random.IntN(len(members))]
	s.become(id, s.something())
	return id
}

func (s *simulated) something() func(*moment) {
	units := append(slices.Sorted(maps.Keys(s.units)), "r-ab12")
	unit := units[s.random.IntN(len(units))]
	value := []string{"prod", "test", ""}[s.random.IntN(3)]
	switch s.random.IntN(10) {
	case 0:
		return func(m *moment) { m.member = false }
	case 1, 2:
		states := []directory.State{directory.StatePendingClosure, directory.StateSuspended, directory.StateActive}
		state := states[s.random.IntN(len(states))]
		return func(m *moment) { m.account.State = state }
	case 3, 4:
		return func(m *moment) {
			m.account.Tags["env"] = value
			if value == "" {
				delete(m.account.Tags, "env")
			}
		}
	default:
		return func(m *moment) { m.account.Path = s.pathTo(unit) }
	}
}

var errSimulated = errors.New("TooManyRequestsException")

// answer is some moment within the lag; once for each account it may be wrong. A
// second wrong answer, with no right one between, would look like the truth.
func (s *simulated) answer(id string) (moment, error) {
	if s.failing && s.random.IntN(8) == 0 {
		return moment{}, errSimulated
	}
	m := s.asOf(id, s.now().Add(-time.Duration(s.random.Int64N(int64(lag)))))
	if id != management && m.member && s.failing && !s.glitch[id] && s.random.IntN(10) == 0 {
		s.glitch[id] = true
		if s.random.IntN(2) == 0 {
			return moment{}, nil
		}
		m.account.State = directory.StateSuspended
	}
	return m, nil
}

func (s *simulated) Organization(context.Context) (dirsync.Organization, error) {
	return dirsync.Organization{ID: "o-exampleorgid", Management: management}, nil
}

func (s *simulated) Member(_ context.Context, id string) (dirsync.Member, bool, error) {
	m, err := s.answer(id)
	return s.describe(m), m.member, err
}

func (s *simulated) describe(m moment) dirsync.Member {
	path := "o-exampleorgid/r-ab12/" + strings.Join(append(slices.Clone(m.account.Path), ""), "/")
	member := dirsync.Member{ID: m.account.ID, State: m.account.State}
	if !s.withoutPaths {
		member.Paths = []string{path + m.account.ID + "/"}
	}
	return member
}

// Members has pages of three, some of them empty.
func (s *simulated) Members(_ context.Context, token string) (dirsync.Page, error) {
	from, _ := strconv.Atoi(token)
	to := min(from+3, len(s.order))
	var page dirsync.Page
	for _, id := range s.order[from:to] {
		m, err := s.answer(id)
		if err != nil {
			return dirsync.Page{}, err
		}
		if m.member {
			page.Members = append(page.Members, s.describe(m))
		}
	}
	if to < len(s.order) {
		page.Next = strconv.Itoa(to)
	}
	return page, nil
}

func (s *simulated) Parent(_ context.Context, child string) (string, error) {
	if parent, ok := s.units[child]; ok {
		return parent, nil
	}
	m, err := s.answer(child)
	switch {
	case err != nil:
		return "", err
	case !m.member:
		return "", errors.New("ChildNotFoundException")
	case len(m.account.Path) == 0:
		return "r-ab12", nil
	default:
		return m.account.Path[len(m.account.Path)-1], nil
	}
}

func (s *simulated) Tags(_ context.Context, id string) (map[string]string, error) {
	m, err := s.answer(id)
	if err == nil && !m.member {
		err = errors.New("TargetNotFoundException")
	}
	return m.account.Tags, err
}

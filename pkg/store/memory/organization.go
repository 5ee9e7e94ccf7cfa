package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
)

// Organization is the twin of AWS Organizations: it answers what the product
// reads, and sends the events that EventBridge would deliver.
type Organization struct {
	id, management, root string
	now                  func() time.Time

	mu       sync.Mutex
	members  map[string]*member
	units    map[string]string // parent of each unit
	order    []string          // ids of members as they joined
	sent     int
	tokens   int // goes up when those given no longer lead anywhere
	listener func(event json.RawMessage)
}

type member struct {
	name   string
	state  directory.State
	parent string
	tags   map[string]string
}

var _ dirsync.Organizations = (*Organization)(nil)

// NewOrganization makes an organization with nothing but its root and its
// management account in it.
func NewOrganization(id, management string, now func() time.Time) *Organization {
	o := &Organization{
		id: id, management: management, root: "r-ab12", now: now,
		members: make(map[string]*member), units: make(map[string]string),
		listener: func(json.RawMessage) {},
	}
	o.add(management)
	return o
}

// Listen has every later event delivered to the listener, before the call that
// caused it returns.
func (o *Organization) Listen(listener func(event json.RawMessage)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.listener = listener
}

// Root is the id of the root.
func (o *Organization) Root() string { return o.root }

// CreateUnit makes a unit in a unit or the root and returns its id. It sends no
// event, because it changes no account.
func (o *Organization) CreateUnit(parent string) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.mustBePlace(parent); err != nil {
		return "", err
	}
	id := fmt.Sprintf("ou-ab12-%08d", 11111111*(len(o.units)+1))
	o.units[id] = parent
	return id, nil
}

// CreateAccount makes an account of the given id, active, in the root.
func (o *Organization) CreateAccount(id string) error {
	o.mu.Lock()
	if _, taken := o.members[id]; taken {
		o.mu.Unlock()
		return fmt.Errorf("create account %s: it exists", id)
	}
	o.add(id)
	events := []json.RawMessage{o.serviceEvent("CreateAccountResult", map[string]any{
		"createAccountStatus": map[string]any{
			"id": "car-" + strings.Repeat("0", 20) + id, "state": "SUCCEEDED", "accountName": "****", "accountId": id,
		},
	})}
	return o.unlockAndSend(events)
}

// NameAccount names an account. It sends no event that the product takes.
func (o *Organization) NameAccount(id, name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	m, err := o.mustBeMember(id)
	if err != nil {
		return fmt.Errorf("name account %s: %w", id, err)
	}
	m.name = name
	return nil
}

// MoveAccount moves an account to a unit or the root.
func (o *Organization) MoveAccount(id, destination string) error {
	o.mu.Lock()
	m, err := o.mustBeMember(id)
	if err == nil {
		err = o.mustBePlace(destination)
	}
	if err != nil {
		o.mu.Unlock()
		return fmt.Errorf("move account %s: %w", id, err)
	}
	source := m.parent
	m.parent = destination
	return o.unlockAndSend([]json.RawMessage{o.callEvent("MoveAccount", map[string]any{
		"accountId": id, "sourceParentId": source, "destinationParentId": destination,
	})})
}

// TagAccount sets one tag of an account.
func (o *Organization) TagAccount(id, key, value string) error {
	o.mu.Lock()
	m, err := o.mustBeMember(id)
	if err != nil {
		o.mu.Unlock()
		return fmt.Errorf("tag account %s: %w", id, err)
	}
	m.tags[key] = value
	return o.unlockAndSend([]json.RawMessage{o.callEvent("TagResource", map[string]any{
		"resourceId": id, "tags": []any{map[string]any{"key": key, "value": value}},
	})})
}

// CloseAccount starts the closure of an account, which stays a member.
func (o *Organization) CloseAccount(id string) error {
	o.mu.Lock()
	m, err := o.mustBeMember(id)
	if err != nil {
		o.mu.Unlock()
		return fmt.Errorf("close account %s: %w", id, err)
	}
	m.state = directory.StatePendingClosure
	return o.unlockAndSend([]json.RawMessage{
		o.callEvent("CloseAccount", map[string]any{"accountId": id}),
		o.serviceEvent("CloseAccountResult", map[string]any{
			"closeAccountStatus": map[string]any{"accountId": id, "state": "SUCCEEDED"},
		}),
	})
}

// RemoveAccount takes an account out of the organization.
func (o *Organization) RemoveAccount(id string) error {
	o.mu.Lock()
	if _, err := o.mustBeMember(id); err != nil || id == o.management {
		o.mu.Unlock()
		return fmt.Errorf("remove account %s: it is no member that can be removed", id)
	}
	delete(o.members, id)
	return o.unlockAndSend([]json.RawMessage{
		o.callEvent("RemoveAccountFromOrganization", map[string]any{"accountId": id}),
		o.serviceEvent("AccountDepartedOrganization", map[string]any{
			"accountId": id, "managementAccountId": o.management, "departedMethod": "Removed",
		}),
	})
}

func (o *Organization) add(id string) {
	o.members[id] = &member{state: directory.StateActive, parent: o.root, tags: make(map[string]string)}
	if !slices.Contains(o.order, id) { // it may join again
		o.order = append(o.order, id)
	}
}

func (o *Organization) mustBeMember(id string) (*member, error) {
	m, ok := o.members[id]
	if !ok {
		return nil, fmt.Errorf("%s is no member of %s", id, o.id)
	}
	return m, nil
}

func (o *Organization) mustBePlace(id string) error {
	if _, ok := o.units[id]; !ok && id != o.root {
		return fmt.Errorf("%s is neither a unit of %s nor its root", id, o.id)
	}
	return nil
}

// unlockAndSend delivers outside the lock, so that a listener may call it again.
func (o *Organization) unlockAndSend(events []json.RawMessage) error {
	listener := o.listener
	o.mu.Unlock()
	for _, event := range events {
		listener(event)
	}
	return nil
}

// Organization says which organization this is.
func (o *Organization) Organization(context.Context) (dirsync.Organization, error) {
	return dirsync.Organization{ID: o.id, Management: o.management}, nil
}

// Member describes one account.
func (o *Organization) Member(_ context.Context, id string) (dirsync.Member, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m, ok := o.members[id]
	if !ok {
		return dirsync.Member{}, false, nil
	}
	return o.describe(id, m), true, nil
}

// pageSize is how many accounts a page holds.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
const pageSize = 20

// Members lists a page of the accounts in the order of joining. A page may be
// empty before the last. The token says where in that order the page begins.
func (o *Organization) Members(_ context.Context, token string) (dirsync.Page, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var from int
	if token != "" {
		of, place, _ := strings.Cut(token, "/")
		var err error
		if from, err = strconv.Atoi(place); err != nil || of != strconv.Itoa(o.tokens) || from > len(o.order) {
			return dirsync.Page{}, fmt.Errorf("list accounts from %q: %w", token, dirsync.ErrToken)
		}
	}
	to := min(from+pageSize, len(o.order))
	var page dirsync.Page
	for _, id := range o.order[from:to] {
		if m, ok := o.members[id]; ok {
			page.Members = append(page.Members, o.describe(id, m))
		}
	}
	if to < len(o.order) {
		page.Next = fmt.Sprintf("%d/%d", o.tokens, to)
	}
	return page, nil
}

// ForgetTokens has no listing go on from where it is, as if it took too long.
func (o *Organization) ForgetTokens() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tokens++
}

func (o *Organization) describe(id string, m *member) dirsync.Member {
	path := id + "/"
	for place := m.parent; place != ""; place = o.units[place] {
		path = place + "/" + path
	}
	return dirsync.Member{ID: id, Name: m.name, State: m.state, Paths: []string{o.id + "/" + path}}
}

// Parent is where an account or a unit is directly in.
func (o *Organization) Parent(_ context.Context, child string) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if parent, ok := o.units[child]; ok {
		return parent, nil
	}
	m, err := o.mustBeMember(child)
	if err != nil {
		return "", err
	}
	return m.parent, nil
}

// Tags are those of an account.
func (o *Organization) Tags(_ context.Context, id string) (map[string]string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m, err := o.mustBeMember(id)
	if err != nil {
		return nil, err
	}
	return maps.Clone(m.tags), nil
}

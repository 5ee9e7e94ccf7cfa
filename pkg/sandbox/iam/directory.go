package iam

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// ErrExists says that the name is taken.
var ErrExists = errors.New("already exists")

// Directory is an IAM held in memory: accounts, their users and roles with
// inline policies, access keys and role sessions. It is safe for concurrent use.
type Directory struct {
	now func() time.Time

	mu         sync.RWMutex
	accounts   map[string]bool
	principals map[string]*principal // by ARN
	keys       map[string]AccessKey  // by access key id
}

type principal struct {
	Principal
	name     string
	trust    *policy.Document            // of a role
	policies map[string]*policy.Document // inline, by name
}

// Principal is a user or a role.
type Principal struct {
	Account string
	ARN     string
	// UniqueID is never given to another principal, not even to one of the same
	// name.
	UniqueID string
	Kind     Kind // KindUser or KindAssumedRole
}

// NewDirectory makes an empty directory. Sessions expire by the given clock.
func NewDirectory(now func() time.Time) *Directory {
	return &Directory{
		now:        now,
		accounts:   map[string]bool{},
		principals: map[string]*principal{},
		keys:       map[string]AccessKey{},
	}
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// AddAccount makes an account known. Adding it again changes nothing.
func (d *Directory) AddAccount(id string) error {
	if !accountID.MatchString(id) {
		return fmt.Errorf("account %q: an account id has twelve digits", id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.accounts[id] = true
	return nil
}

// CreateRole makes a role that the trust policy's principals may assume. The
// path begins and ends with a slash; "" is "/".
func (d *Directory) CreateRole(account, path, name string, trust *policy.Document) (Principal, error) {
	return d.create(account, path, name, &principal{Principal: Principal{Kind: KindAssumedRole}, trust: trust})
}

// CreateUser makes a user without keys and policies.
func (d *Directory) CreateUser(account, path, name string) (Principal, error) {
	return d.create(account, path, name, &principal{Principal: Principal{Kind: KindUser}})
}

func (d *Directory) create(account, path, name string, p *principal) (Principal, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.accounts[account] {
		return Principal{}, fmt.Errorf("account %s: %w", account, ErrNotFound)
	}
	resource, prefix := "role", rolePrefix
	if p.Kind == KindUser {
		resource, prefix = "user", userPrefix
	}
	if path == "" {
		path = "/"
	}
	p.Account, p.name = account, name
	p.ARN = fmt.Sprintf("arn:aws:iam::%s:%s%s%s", account, resource, path, name)
	for _, other := range d.principals {
		// Names are unique within an account whatever the path or the case.
		// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
		if other.Account == account && other.Kind == p.Kind && strings.EqualFold(other.name, name) {
			return Principal{}, fmt.Errorf("%s: %w", other.ARN, ErrExists)
		}
	}
	p.UniqueID = newID(prefix, principalIDLength)
	p.policies = map[string]*policy.Document{}
	d.principals[p.ARN] = p
	return p.Principal, nil
}

// Delete removes a user or role with its policies. Its keys and sessions are
// worth nothing from then on, even when the name is created again.
func (d *Directory) Delete(arn string) error {
	return d.change(arn, func(p *principal) {
		delete(d.principals, arn)
		for id, key := range d.keys {
			if key.Caller.UniqueID() == p.UniqueID {
				delete(d.keys, id)
			}
		}
	})
}

// PutPolicy sets an inline identity policy of a user or role.
func (d *Directory) PutPolicy(arn, name string, document *policy.Document) error {
	return d.change(arn, func(p *principal) { p.policies[name] = document })
}

// DeletePolicy removes an inline identity policy. Removing one that is not
// there changes nothing.
func (d *Directory) DeletePolicy(arn, name string) error {
	return d.change(arn, func(p *principal) { delete(p.policies, name) })
}

func (d *Directory) change(arn string, how func(*principal)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.principals[arn]
	if !ok {
		return fmt.Errorf("%s: %w", arn, ErrNotFound)
	}
	how(p)
	return nil
}

// UniqueID is what identifies a principal for good: a user or role by its unique
// id, an account's root by its account id. It is "" when no principal has the ARN.
func (d *Directory) UniqueID(arn string) (string, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if p, ok := d.principals[arn]; ok {
		return p.UniqueID, nil
	}
	account, isRoot := strings.CutSuffix(strings.TrimPrefix(arn, "arn:aws:iam::"), ":root")
	if isRoot && d.accounts[account] {
		return account, nil
	}
	return "", nil
}

// IdentityPolicies gives the inline policies of the caller's user or role,
// ordered by name. An account's root has none.
func (d *Directory) IdentityPolicies(_ context.Context, caller Caller) ([]*policy.Document, error) {
	if caller.Kind == KindRoot {
		return nil, nil
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	p, ok := d.principals[caller.PrincipalARN]
	if !ok || p.UniqueID != caller.UniqueID() {
		return nil, fmt.Errorf("%s (%s): %w", caller.PrincipalARN, caller.UniqueID(), ErrNotFound)
	}
	names := make([]string, 0, len(p.policies))
	for name := range p.policies {
		names = append(names, name)
	}
	slices.Sort(names)
	documents := make([]*policy.Document, 0, len(names))
	for _, name := range names {
		documents = append(documents, p.policies[name])
	}
	return documents, nil
}

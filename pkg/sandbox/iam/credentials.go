package iam

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"regexp"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Prefixes of unique ids and access key ids.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes
const (
	rolePrefix      = "AROA"
	userPrefix      = "AIDA"
	longTermPrefix  = "AKIA"
	temporaryPrefix = "ASIA"

	principalIDLength = 21
	accessKeyIDLength = 20
)

// How long a role session may last.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const (
	minimumSession = 15 * time.Minute
	maximumSession = 12 * time.Hour
)

// AccessKey finds a key by its id.
func (d *Directory) AccessKey(_ context.Context, id string) (AccessKey, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	key, ok := d.keys[id]
	if !ok {
		return AccessKey{}, fmt.Errorf("access key %s: %w", id, ErrNotFound)
	}
	return key, nil
}

// CreateAccessKey gives a user a long-term key.
func (d *Directory) CreateAccessKey(userARN string) (AccessKey, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	user, ok := d.principals[userARN]
	if !ok || user.Kind != KindUser {
		return AccessKey{}, fmt.Errorf("user %s: %w", userARN, ErrNotFound)
	}
	return d.issue(AccessKey{ID: newID(longTermPrefix, accessKeyIDLength), Caller: Caller{
		Account: user.Account, ARN: userARN, PrincipalARN: userARN, UserID: user.UniqueID, Kind: KindUser,
	}}), nil
}

// CreateRootAccessKey gives an account's root a long-term key.
func (d *Directory) CreateRootAccessKey(account string) (AccessKey, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.accounts[account] {
		return AccessKey{}, fmt.Errorf("account %s: %w", account, ErrNotFound)
	}
	root := "arn:aws:iam::" + account + ":root"
	return d.issue(AccessKey{ID: newID(longTermPrefix, accessKeyIDLength), Caller: Caller{
		Account: account, ARN: root, PrincipalARN: root, UserID: account, Kind: KindRoot,
	}}), nil
}

// AssumeRole is sts:AssumeRole: the role's trust policy must let the caller in,
// and so must the caller's own policies unless the trust policy names the
// caller itself in the role's account.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (d *Directory) AssumeRole(ctx context.Context, caller Caller, roleARN, session string, lifetime time.Duration) (AccessKey, error) {
	d.mu.RLock()
	role, ok := d.principals[roleARN]
	d.mu.RUnlock()
	var trust *policy.Document
	if ok {
		trust = role.trust
	}
	decision, err := Decider{Policies: d}.AssumeRole(ctx, caller, roleARN, trust, nil)
	if err != nil {
		return AccessKey{}, err
	}
	if !decision.Allowed {
		// AWS does not tell a role that is not there from one that trusts others.
		return AccessKey{}, fmt.Errorf("AccessDenied: User: %s is not authorized to perform: sts:AssumeRole on resource: %s", caller.ARN, roleARN)
	}
	return d.StartSession(roleARN, session, lifetime)
}

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// StartSession issues a role session without asking who may have it, as a sign-in
// service does. The lifetime is 15 minutes to 12 hours.
func (d *Directory) StartSession(roleARN, session string, lifetime time.Duration) (AccessKey, error) {
	if !sessionName.MatchString(session) {
		return AccessKey{}, fmt.Errorf("session name %q: 2 to 64 letters, digits or any of _+=,.@-", session)
	}
	if lifetime < minimumSession || lifetime > maximumSession {
		return AccessKey{}, fmt.Errorf("session lifetime %s: from %s to %s", lifetime, minimumSession, maximumSession)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	role, ok := d.principals[roleARN]
	if !ok || role.Kind != KindAssumedRole {
		return AccessKey{}, fmt.Errorf("role %s: %w", roleARN, ErrNotFound)
	}
	return d.issue(AccessKey{
		ID:           newID(temporaryPrefix, accessKeyIDLength),
		SessionToken: base64.StdEncoding.EncodeToString(random(96)),
		Expires:      d.now().Add(lifetime),
		Caller: Caller{
			Account:      role.Account,
			ARN:          fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", role.Account, role.name, session),
			PrincipalARN: roleARN,
			UserID:       role.UniqueID + ":" + session,
			Kind:         KindAssumedRole,
		},
	}), nil
}

// issue gives the key a secret and keeps it. The caller holds the lock.
func (d *Directory) issue(key AccessKey) AccessKey {
	key.Secret = base64.StdEncoding.EncodeToString(random(30))
	d.keys[key.ID] = key
	return key
}

func newID(prefix string, length int) string {
	return (prefix + base32.StdEncoding.EncodeToString(random(15)))[:length]
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand crashes the program instead
	return b
}

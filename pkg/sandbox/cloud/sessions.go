package cloud

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// ErrNotTrusted says that a role's trust policy does not let a service in, or that
// there is no such role: AWS does not tell the two apart.
var ErrNotTrusted = errors.New("the role does not exist or does not trust the service")

// ServiceSession issues credentials of a role to an AWS service, as Lambda has
// them for a function, if the role's trust policy lets it in; else the answer is
// ErrNotTrusted. It says something of what it acts for, with keys such as
// aws:SourceArn.
func (i *Identities) ServiceSession(ctx context.Context, service string, with map[string][]string, roleARN, session string, lifetime time.Duration) (iam.AccessKey, error) {
	trust, err := i.trust(ctx, roleARN)
	if errors.Is(err, iam.ErrNotFound) || err == nil && !iam.ServiceMayAssume(service, with, roleARN, trust) {
		return iam.AccessKey{}, fmt.Errorf("%s for %s: %w", roleARN, service, ErrNotTrusted)
	}
	if err != nil {
		return iam.AccessKey{}, err
	}
	return i.StartSession(ctx, roleARN, session, lifetime)
}

// StartSession issues credentials of a role without asking who may have them, as
// a sign-in service does.
func (i *Identities) StartSession(ctx context.Context, roleARN, session string, lifetime time.Duration) (iam.AccessKey, error) {
	role, err := i.role(ctx, roleARN)
	if err != nil {
		return iam.AccessKey{}, err
	}
	id, _, _ := splitARN(roleARN)
	key := iam.AccessKey{
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes
		ID:           "ASIA" + base32.StdEncoding.EncodeToString(random(10)),
		Secret:       base64.StdEncoding.EncodeToString(random(30)),
		SessionToken: base64.StdEncoding.EncodeToString(random(96)),
		Expires:      i.now().Add(lifetime),
		Caller: iam.Caller{
			Account:      id,
			ARN:          fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", id, role.name, session),
			PrincipalARN: roleARN,
			UserID:       role.uniqueID + ":" + session,
			Kind:         iam.KindAssumedRole,
		},
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sessions[key.ID] = key
	return key, nil
}

// role finds a role by its ARN, or answers iam.ErrNotFound.
func (i *Identities) role(ctx context.Context, arn string) (principal, error) {
	id, _, ok := splitARN(arn)
	if !ok {
		return principal{}, fmt.Errorf("role %s: %w", arn, iam.ErrNotFound)
	}
	held, err := i.read(ctx, id)
	if err != nil {
		return principal{}, err
	}
	role, ok := held.find(arn)
	if !ok || role.kind != iam.KindAssumedRole {
		return principal{}, fmt.Errorf("role %s: %w", arn, iam.ErrNotFound)
	}
	return role, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand crashes the program instead
	return b
}

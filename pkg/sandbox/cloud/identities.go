package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// lookUpWithin bounds a question to moto that comes without a context.
const lookUpWithin = 10 * time.Second

// Identities answers from moto's IAM who exists, who holds an access key and
// what identity policies say. A role that `aws iam create-role` has made can be
// named in the next call: what was read is forgotten as soon as something may have
// changed it. Only secrets are kept here for good: moto does not show them again.
type Identities struct {
	moto       *Moto
	region     string
	management string // the organization's management account
	now        func() time.Time

	mu       sync.Mutex
	accounts map[string]bool // that are known to exist: an id is never given up
	sessions map[string]iam.AccessKey
	longTerm map[string]longTermKey

	organizationID string   // once it is known
	partitionKeys  sync.Map // names of attributes, by the ARN of their table
}

type longTermKey struct{ account, user, secret string }

// NewIdentities answers for the given accounts and for those of the organization
// whose management account is named; "" if there is none.
func NewIdentities(moto *Moto, region, management string, accounts []string, now func() time.Time) *Identities {
	known := map[string]bool{}
	for _, id := range accounts {
		known[id] = true
	}
	return &Identities{
		moto: moto, region: region, management: management, now: now, accounts: known,
		sessions: map[string]iam.AccessKey{}, longTerm: map[string]longTermKey{},
	}
}

// AccessKey finds a key that was issued or recorded here, whose holder still
// exists and which is active. Otherwise the answer is iam.ErrNotFound.
func (i *Identities) AccessKey(ctx context.Context, id string) (iam.AccessKey, error) {
	i.mu.Lock()
	session, isSession := i.sessions[id]
	key, isLongTerm := i.longTerm[id]
	i.mu.Unlock()
	switch {
	case isSession:
		_, err := i.holder(ctx, session.Caller)
		return session, err
	case isLongTerm:
		return i.userKey(ctx, id, key)
	default:
		return iam.AccessKey{}, fmt.Errorf("access key %s: %w", id, iam.ErrNotFound)
	}
}

// userKey asks moto who holds the key now, and whether it is active.
func (i *Identities) userKey(ctx context.Context, id string, key longTermKey) (iam.AccessKey, error) {
	held, err := i.read(ctx, key.account)
	if err != nil {
		return iam.AccessKey{}, err
	}
	listed, err := i.client(key.account).ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{UserName: &key.user})
	if err != nil {
		return iam.AccessKey{}, notFoundOr(err, "listing the access keys of "+key.user)
	}
	for _, metadata := range listed.AccessKeyMetadata {
		if aws.ToString(metadata.AccessKeyId) != id || metadata.Status != "Active" {
			continue
		}
		for n := range held.users {
			arn := aws.ToString(held.users[n].Arn)
			if user, ok := held.find(arn); ok && user.name == key.user {
				return iam.AccessKey{ID: id, Secret: key.secret, Caller: iam.Caller{
					Account: key.account, ARN: arn, PrincipalARN: arn, UserID: user.uniqueID, Kind: iam.KindUser,
				}}, nil
			}
		}
	}
	return iam.AccessKey{}, fmt.Errorf("access key %s: %w", id, iam.ErrNotFound)
}

// Record keeps the secret of a long-term key that moto has issued to a user.
func (i *Identities) Record(account, user, id, secret string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.longTerm[id] = longTermKey{account: account, user: user, secret: secret}
}

// UniqueID is what identifies the principal with that ARN for good: an account's
// root by its account id, a user or role by its unique id. It is "" when no principal
// has the ARN.
func (i *Identities) UniqueID(arn string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookUpWithin)
	defer cancel()
	id, resource, ok := splitARN(arn)
	if !ok {
		return "", nil
	}
	exists, err := i.exists(ctx, id)
	if err != nil || !exists {
		return "", err
	}
	if resource == "root" {
		return id, nil
	}
	held, err := i.read(ctx, id)
	if err != nil {
		return "", err
	}
	found, _ := held.find(arn)
	return found.uniqueID, nil
}

// IdentityPolicies gives the policies that are inline in and attached to the
// caller's role, or its user and the user's groups. An account's root has none.
func (i *Identities) IdentityPolicies(ctx context.Context, caller iam.Caller) ([]*policy.Document, error) {
	if caller.Kind == iam.KindRoot {
		return nil, nil
	}
	held, found, err := i.lookUp(ctx, caller)
	if err != nil {
		return nil, err
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	if documents, parsed := held.parsed[caller.PrincipalARN]; parsed {
		return documents, nil
	}
	documents, err := i.parse(ctx, caller.Account, held, found)
	if err != nil {
		return nil, err
	}
	if held.parsed == nil {
		held.parsed = map[string][]*policy.Document{}
	}
	held.parsed[caller.PrincipalARN] = documents
	return documents, nil
}

// parse reads what is inline in and attached to a principal.
func (i *Identities) parse(ctx context.Context, account string, held *account, found principal) ([]*policy.Document, error) {
	documents := make([]*policy.Document, 0, len(found.inline)+len(found.attached))
	for _, inline := range found.inline {
		document, err := parsePolicy(aws.ToString(inline.PolicyName), aws.ToString(inline.PolicyDocument))
		if err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
	for _, attached := range found.attached {
		document, err := i.managed(ctx, account, held, aws.ToString(attached.PolicyArn))
		if err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
	return documents, nil
}

// managed reads the version in force of a managed policy, the account's own or
// one of AWS's.
func (i *Identities) managed(ctx context.Context, account string, held *account, arn string) (*policy.Document, error) {
	if own, ok := held.policies[arn]; ok {
		for _, version := range own.PolicyVersionList {
			if version.IsDefaultVersion {
				return parsePolicy(arn, aws.ToString(version.Document))
			}
		}
	}
	if !strings.HasPrefix(arn, "arn:aws:iam::aws:") {
		return i.readManaged(ctx, account, arn)
	}
	return i.moto.iam.awsManaged(arn, func() (*policy.Document, error) { return i.readManaged(ctx, account, arn) })
}

func (i *Identities) readManaged(ctx context.Context, account, arn string) (*policy.Document, error) {
	client := i.client(account)
	got, err := client.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: &arn})
	if err != nil {
		return nil, fmt.Errorf("reading policy %s: %w", arn, err)
	}
	version, err := client.GetPolicyVersion(ctx, &awsiam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: got.Policy.DefaultVersionId})
	if err != nil {
		return nil, fmt.Errorf("reading policy %s: %w", arn, err)
	}
	return parsePolicy(arn, aws.ToString(version.PolicyVersion.Document))
}

// holder is the user or role that the caller is, as long as it is the same one:
// a principal created again under its name is another one.
func (i *Identities) holder(ctx context.Context, caller iam.Caller) (principal, error) {
	_, found, err := i.lookUp(ctx, caller)
	return found, err
}

func (i *Identities) lookUp(ctx context.Context, caller iam.Caller) (*account, principal, error) {
	held, err := i.read(ctx, caller.Account)
	if err != nil {
		return nil, principal{}, err
	}
	found, ok := held.find(caller.PrincipalARN)
	if !ok || found.uniqueID != caller.UniqueID() {
		return nil, principal{}, fmt.Errorf("%s (%s): %w", caller.PrincipalARN, caller.UniqueID(), iam.ErrNotFound)
	}
	return held, found, nil
}

// exists says whether an account is known or in the organization.
func (i *Identities) exists(ctx context.Context, id string) (bool, error) {
	i.mu.Lock()
	known := i.accounts[id]
	i.mu.Unlock()
	if known || i.management == "" {
		return known, nil
	}
	pages := organizations.NewListAccountsPaginator(organizations.NewFromConfig(i.moto.Config(i.management, i.region)), &organizations.ListAccountsInput{})
	var members []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, fmt.Errorf("listing the organization's accounts: %w", err)
		}
		for n := range page.Accounts {
			members = append(members, aws.ToString(page.Accounts[n].Id))
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, member := range members {
		i.accounts[member] = true
	}
	return i.accounts[id], nil
}

// entityARN finds the ARN of a role, user, group or policy; "" if there is none.
func (i *Identities) entityARN(ctx context.Context, account, kind, name string) (string, error) {
	held, err := i.read(ctx, account)
	if err != nil {
		return "", err
	}
	return held.arn(kind, name), nil
}

func (i *Identities) read(ctx context.Context, id string) (*account, error) {
	return i.moto.iam.account(id, func() (*account, error) { return readAccount(ctx, i.client(id), id) })
}

func (i *Identities) client(account string) *awsiam.Client {
	return awsiam.NewFromConfig(i.moto.Config(account, i.region))
}

// splitARN takes the account and the resource out of an IAM ARN.
func splitARN(arn string) (account, resource string, ok bool) {
	rest, ok := strings.CutPrefix(arn, "arn:aws:iam::")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ":")
}

func notFoundOr(err error, doing string) error {
	if missing := (interface{ ErrorCode() string })(nil); errors.As(err, &missing) && missing.ErrorCode() == "NoSuchEntity" {
		return fmt.Errorf("%s: %w", doing, iam.ErrNotFound)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

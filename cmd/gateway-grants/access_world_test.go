package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"

	"github.com/gateway-grants/gateway-grants/pkg/iam"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	standin "github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// identities reads the world's IAM with the rights of the configuration's account.
func (w *world) identities(config aws.Config) identities {
	key, err := config.Credentials.Retrieve(w.t.Context())
	w.must(err)
	return worldIAM{w, key.AccountID, key.AccessKeyID}
}

type worldIAM struct {
	*world

	account, key string
}

func (i worldIAM) Role(ctx context.Context, name string) (iam.Principal, error) {
	return i.read(ctx, "role/", name, standin.KindAssumedRole)
}

func (i worldIAM) User(ctx context.Context, name string) (iam.Principal, error) {
	return i.read(ctx, "user/", name, standin.KindUser)
}

// read reads a role or user of the account that the key is of. Those of the tests
// have the path / or /team/.
func (i worldIAM) read(ctx context.Context, kind, name string, what standin.Kind) (iam.Principal, error) {
	key, err := i.directory.AccessKey(ctx, i.key)
	if err != nil {
		return iam.Principal{}, &smithy.GenericAPIError{Code: "InvalidClientTokenId", Message: err.Error()}
	}
	if strings.HasSuffix(key.Caller.PrincipalARN, "/BlindRole") {
		return iam.Principal{}, &smithy.GenericAPIError{Code: "AccessDenied", Message: "not authorized to perform: iam:GetRole"}
	}
	for _, path := range []string{"", "team/"} {
		arn := "arn:aws:iam::" + key.Caller.Account + ":" + kind + path + name
		id, err := i.directory.UniqueID(arn)
		if err != nil || id == "" {
			continue
		}
		documents, err := i.directory.IdentityPolicies(ctx, standin.Caller{Kind: what, PrincipalARN: arn, UserID: id})
		found := iam.Principal{ARN: arn, UniqueID: id}
		for _, document := range documents {
			found.Policies = append(found.Policies, iam.Policy{Name: "identity", Document: document})
		}
		return found, err
	}
	return iam.Principal{}, &types.NoSuchEntityException{}
}

// caller makes a role with an identity policy, and a profile that is in its session.
func (w *world) caller(account, path, name, identity string) (arn, profile string) {
	w.t.Helper()
	made, err := w.directory.CreateRole(account, path, name, w.parse(trustNobody))
	w.must(err)
	w.must(w.directory.PutPolicy(made.ARN, "identity", w.parse(identity)))
	return made.ARN, w.profile(made.ARN)
}

// document is a policy of statements.
func document(statements ...policy.Statement) *policy.Document {
	return (&policy.Document{Version: policy.Version2012}).WithStatements(statements...)
}

// profile adds a profile that acts as the role or user, under a name that follows
// from its ARN.
func (w *world) profile(arn string) string {
	w.t.Helper()
	var key standin.AccessKey
	var err error
	if strings.Contains(arn, ":user/") {
		key, err = w.directory.CreateAccessKey(arn)
	} else {
		key, err = w.directory.StartSession(arn, "session", time.Hour)
	}
	w.must(err)
	name := strings.NewReplacer(":", "-", "/", "-").Replace(strings.TrimPrefix(arn, "arn:aws:iam::"))
	file, err := os.OpenFile(os.Getenv("AWS_CONFIG_FILE"), os.O_APPEND|os.O_WRONLY, 0o600)
	w.must(err)
	_, err = fmt.Fprintf(file, "[profile %s]\nregion = %s\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n",
		name, region, key.ID, key.Secret, key.SessionToken)
	w.must(err)
	w.must(file.Close())
	return name
}

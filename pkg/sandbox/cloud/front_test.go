package cloud_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

const (
	region   = "us-east-1"
	accountA = "111122223333"
	accountB = "444455556666"
	stranger = "999999999999"
)

// world is a moto behind a front, with a role Admin in each of two accounts that
// may do everything.
type world struct {
	moto       *cloud.Moto
	identities *cloud.Identities
	upstream   *cloud.Upstream
	sts        *cloud.STS
	endpoint   string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	moto := cloudtest.Moto(t)
	identities := cloud.NewIdentities(moto, region, "", []string{accountA, accountB}, time.Now)
	verifier := &sigv4.Verifier{Keys: identities, Now: time.Now}
	upstream, err := cloud.NewUpstream(moto, verifier, identities)
	if err != nil {
		t.Fatal(err)
	}
	tokens := &cloud.STS{Verifier: verifier, Identities: identities}
	server := httptest.NewServer(&cloud.Front{
		Services: map[string]http.Handler{"sts": tokens},
		Rest:     upstream,
	})
	t.Cleanup(server.Close)
	w := &world{moto: moto, identities: identities, upstream: upstream, sts: tokens, endpoint: server.URL}
	for _, account := range []string{accountA, accountB} {
		w.createRole(t, awsiam.NewFromConfig(moto.Config(account, region)), "Admin", account)
	}
	return w
}

// createRole makes a role that the account trusts and that may do everything.
func (w *world) createRole(t *testing.T, client *awsiam.Client, name, trusted string) string {
	t.Helper()
	created, err := client.CreateRole(t.Context(), &awsiam.CreateRoleInput{
		RoleName:                 &name,
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + trusted + `:root"},"Action":"sts:AssumeRole"}]}`),
	})
	if err != nil {
		t.Fatalf("creating role %s: %v", name, err)
	}
	_, err = client.PutRolePolicy(t.Context(), &awsiam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("everything"), PolicyDocument: aws.String(everything)})
	if err != nil {
		t.Fatalf("giving role %s its policy: %v", name, err)
	}
	return aws.ToString(created.Role.Arn)
}

const everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// as makes clients that sign as the account's Admin.
func (w *world) as(t *testing.T, account string) aws.Config {
	t.Helper()
	key, err := w.identities.StartSession(t.Context(), "arn:aws:iam::"+account+":role/Admin", "session", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return w.with(key.ID, key.Secret, key.SessionToken)
}

func (w *world) with(id, secret, token string) aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: &w.endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider(id, secret, token),
		// A busy machine breaks connections (aws/aws-sdk-go-v2#2737): no answer to test.
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Retryables = []retry.IsErrorRetryable{retry.RetryableConnectionError{}}
			})
		},
	}
}

func TestEachCallerActsInTheAccountOfItsKey(t *testing.T) {
	w := newWorld(t)
	a, b := dynamodb.NewFromConfig(w.as(t, accountA)), dynamodb.NewFromConfig(w.as(t, accountB))
	_, err := a.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:            aws.String("grants"),
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("gateway"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("gateway"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatalf("creating a table as account A: %v", err)
	}

	table, err := a.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("grants")})
	if err != nil {
		t.Fatalf("describing it as account A: %v", err)
	}
	if got, want := aws.ToString(table.Table.TableArn), "arn:aws:dynamodb:us-east-1:111122223333:table/grants"; got != want {
		t.Errorf("its ARN is %s, want %s", got, want)
	}
	_, err = b.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("grants")})
	if missing := (*types.ResourceNotFoundException)(nil); !errors.As(err, &missing) {
		t.Errorf("account B sees no such table: got %v", err)
	}
}

func TestForgedSignatureIsRefused(t *testing.T) {
	w := newWorld(t)
	honest := w.as(t, accountA)
	held, err := honest.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	forged := w.with(held.AccessKeyID, "not the secret", held.SessionToken)
	cases := map[string]struct {
		reason string
		call   func() error
		want   string
	}{
		"json": {
			reason: "DynamoDB's clients read __type",
			call: func() error {
				_, err := dynamodb.NewFromConfig(forged).ListTables(t.Context(), &dynamodb.ListTablesInput{})
				return err
			},
			want: "InvalidSignatureException",
		},
		"query": {
			reason: "IAM's clients read XML",
			call: func() error {
				_, err := awsiam.NewFromConfig(forged).ListRoles(t.Context(), &awsiam.ListRolesInput{})
				return err
			},
			want: "SignatureDoesNotMatch",
		},
		"rest": {
			reason: "Lambda's clients read X-Amzn-ErrorType",
			call: func() error {
				_, err := lambda.NewFromConfig(forged).ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
				return err
			},
			want: "InvalidSignatureException",
		},
		"sts": {
			reason: "what is served here verifies too",
			call: func() error {
				_, err := sts.NewFromConfig(forged).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/Admin"), RoleSessionName: aws.String("forged")})
				return err
			},
			want: "SignatureDoesNotMatch",
		},
		"no such key": {
			reason: "moto would have taken it for account 123456789012",
			call: func() error {
				_, err := dynamodb.NewFromConfig(w.with("AKIAUNKNOWN", "secret", "")).ListTables(t.Context(), &dynamodb.ListTablesInput{})
				return err
			},
			want: "UnrecognizedClientException",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := errorCode(c.call()); got != c.want {
				t.Errorf("%s: want %s, got %q", c.reason, c.want, got)
			}
		})
	}
}

func TestMotosOwnAPIIsOutOfReach(t *testing.T) {
	w := newWorld(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.endpoint+"/moto-api/reset", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("want 404, got %s", answer.Status)
	}
	if id, err := w.identities.UniqueID("arn:aws:iam::111122223333:role/Admin"); err != nil || id == "" {
		t.Errorf("the role is gone: %q, %v", id, err)
	}
}

func TestWhoIsMadeThroughTheEndpointExistsAtOnce(t *testing.T) {
	w := newWorld(t)
	asB := awsiam.NewFromConfig(w.as(t, accountB))
	const agent = "arn:aws:iam::444455556666:role/Agent"

	if id, err := w.identities.UniqueID(agent); err != nil || id != "" {
		t.Fatalf("before it is made: want none, got %q, %v", id, err)
	}
	w.createRole(t, asB, "Agent", accountB)
	first, err := w.identities.UniqueID(agent)
	if err != nil || first == "" {
		t.Fatalf("once it is made: got %q, %v", first, err)
	}
	if _, err := asB.DeleteRolePolicy(t.Context(), &awsiam.DeleteRolePolicyInput{RoleName: aws.String("Agent"), PolicyName: aws.String("everything")}); err != nil {
		t.Fatal(err)
	}
	if _, err := asB.DeleteRole(t.Context(), &awsiam.DeleteRoleInput{RoleName: aws.String("Agent")}); err != nil {
		t.Fatal(err)
	}
	w.createRole(t, asB, "Agent", accountB)
	second, err := w.identities.UniqueID(agent)
	if err != nil || second == "" || second == first {
		t.Errorf("created again: want another id than %q, got %q, %v", first, second, err)
	}
	for arn, want := range map[string]string{
		"arn:aws:iam::444455556666:root": accountB,
		"arn:aws:iam::999999999999:root": "",
		"arn:aws:s3:::bucket":            "",
	} {
		if id, err := w.identities.UniqueID(arn); err != nil || id != want {
			t.Errorf("%s: want %q, got %q, %v", arn, want, id, err)
		}
	}
}

func TestRoleIsAssumedByTrustedPrincipals(t *testing.T) {
	w := newWorld(t)
	asA := awsiam.NewFromConfig(w.as(t, accountA))
	trustsB := w.createRole(t, asA, "ForB", accountB)
	trustsNobody := w.createRole(t, asA, "ForStrangers", stranger)
	client := sts.NewFromConfig(w.as(t, accountB))

	assumed, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &trustsB, RoleSessionName: aws.String("visit")})
	if err != nil {
		t.Fatalf("assuming a role that trusts us: %v", err)
	}
	if got, want := aws.ToString(assumed.AssumedRoleUser.Arn), "arn:aws:sts::111122223333:assumed-role/ForB/visit"; got != want {
		t.Errorf("we are %s, want %s", got, want)
	}
	c := assumed.Credentials
	visiting := w.with(aws.ToString(c.AccessKeyId), aws.ToString(c.SecretAccessKey), aws.ToString(c.SessionToken))
	if _, err := awsiam.NewFromConfig(visiting).GetRole(t.Context(), &awsiam.GetRoleInput{RoleName: aws.String("ForB")}); err != nil {
		t.Errorf("the session acts in account A: %v", err)
	}

	for _, role := range []string{trustsNobody, "arn:aws:iam::111122223333:role/Missing"} {
		_, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("visit")})
		if code := errorCode(err); code != "AccessDenied" {
			t.Errorf("assuming %s: want AccessDenied, got %v", role, err)
		}
	}
	_, err = client.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	if code := errorCode(err); code != "InvalidAction" {
		t.Errorf("an operation that is not served: want InvalidAction, got %v", err)
	}
}

func TestCreatedAccessKeyWorksUntilInactive(t *testing.T) {
	w := newWorld(t)
	admin := awsiam.NewFromConfig(w.as(t, accountB))
	if _, err := admin.CreateUser(t.Context(), &awsiam.CreateUserInput{UserName: aws.String("alice")}); err != nil {
		t.Fatal(err)
	}
	created, err := admin.CreateAccessKey(t.Context(), &awsiam.CreateAccessKeyInput{UserName: aws.String("alice")})
	if err != nil {
		t.Fatal(err)
	}
	id := aws.ToString(created.AccessKey.AccessKeyId)

	key, err := w.identities.AccessKey(t.Context(), id)
	if err != nil {
		t.Fatalf("finding the key: %v", err)
	}
	if got, want := key.Caller.ARN, "arn:aws:iam::444455556666:user/alice"; got != want {
		t.Errorf("it is the key of %s, want %s", got, want)
	}
	alice := awsiam.NewFromConfig(w.with(id, aws.ToString(created.AccessKey.SecretAccessKey), ""))
	if _, err := alice.ListUsers(t.Context(), &awsiam.ListUsersInput{}); err != nil {
		t.Errorf("signing with it: %v", err)
	}

	_, err = admin.UpdateAccessKey(t.Context(), &awsiam.UpdateAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: &id, Status: "Inactive"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = alice.ListUsers(t.Context(), &awsiam.ListUsersInput{})
	if code := errorCode(err); code != "InvalidClientTokenId" {
		t.Errorf("signing with it once it is inactive: want InvalidClientTokenId, got %v", err)
	}
}

func TestIdentityPoliciesOfAllKinds(t *testing.T) {
	w := newWorld(t)
	admin := awsiam.NewFromConfig(w.as(t, accountB))
	steps := []func() error{
		func() error {
			_, err := admin.CreateUser(t.Context(), &awsiam.CreateUserInput{UserName: aws.String("bob")})
			return err
		},
		func() error {
			_, err := admin.PutUserPolicy(t.Context(), &awsiam.PutUserPolicyInput{UserName: aws.String("bob"), PolicyName: aws.String("inline"), PolicyDocument: aws.String(everything)})
			return err
		},
		func() error {
			_, err := admin.AttachUserPolicy(t.Context(), &awsiam.AttachUserPolicyInput{UserName: aws.String("bob"), PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})
			return err
		},
		func() error {
			_, err := admin.CreateGroup(t.Context(), &awsiam.CreateGroupInput{GroupName: aws.String("agents")})
			return err
		},
		func() error {
			_, err := admin.AddUserToGroup(t.Context(), &awsiam.AddUserToGroupInput{GroupName: aws.String("agents"), UserName: aws.String("bob")})
			return err
		},
		func() error {
			_, err := admin.CreatePolicy(t.Context(), &awsiam.CreatePolicyInput{PolicyName: aws.String("ours"), PolicyDocument: aws.String(everything)})
			return err
		},
		func() error {
			_, err := admin.AttachGroupPolicy(t.Context(), &awsiam.AttachGroupPolicyInput{GroupName: aws.String("agents"), PolicyArn: aws.String("arn:aws:iam::444455556666:policy/ours")})
			return err
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	const arn = "arn:aws:iam::444455556666:user/bob"
	id, err := w.identities.UniqueID(arn)
	if err != nil {
		t.Fatal(err)
	}
	bob := iam.Caller{Account: accountB, ARN: arn, PrincipalARN: arn, UserID: id, Kind: iam.KindUser}

	documents, err := w.identities.IdentityPolicies(t.Context(), bob)
	if err != nil || len(documents) != 3 {
		t.Errorf("want the inline, the attached and the group's policy, got %d, %v", len(documents), err)
	}
	bob.UserID = "AIDASOMEBODYELSE0000"
	if _, err := w.identities.IdentityPolicies(t.Context(), bob); !errors.Is(err, iam.ErrNotFound) {
		t.Errorf("another user of the same name: want ErrNotFound, got %v", err)
	}
}

func errorCode(err error) string {
	if answered := (smithy.APIError)(nil); errors.As(err, &answered) {
		return answered.ErrorCode()
	}
	return ""
}

package runner

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

const (
	// sessionLifetime is that of the credentials that services have in a role.
	sessionLifetime = 6 * time.Hour
	// renewBefore is how long before their end credentials are replaced: whatever
	// has begun with them can go on for as long as any function may.
	// https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
	renewBefore = 30 * time.Minute
)

// session is a role that a service acts in, with credentials that are renewed in
// time.
type session struct {
	runner  *Runner
	service string
	role    string // ARN
	name    string
	context map[string][]string // what the service says of the resource that it acts for

	mu  sync.Mutex
	key iam.AccessKey
}

// credentials are those of a role, renewed in time.
type credentials func(context.Context) (iam.AccessKey, error)

// current gives credentials that are good for renewBefore at least.
func (s *session) current(ctx context.Context) (iam.AccessKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key.ID != "" && s.runner.Now().Before(s.key.Expires.Add(-renewBefore)) {
		return s.key, nil
	}
	key, err := s.runner.Sessions.ServiceSession(ctx, s.service, s.context, s.role, s.name, sessionLifetime)
	if err != nil {
		return iam.AccessKey{}, err
	}
	s.key = key
	return key, nil
}

// config makes clients that act in the role, at the endpoint that everybody uses.
func (r *Runner) config(region string, current credentials) aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(r.Endpoint),
		Credentials: aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
			key, err := current(ctx)
			return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret, SessionToken: key.SessionToken}, err
		}),
	}
}

// place is where a resource is: arn:aws:SERVICE:REGION:ACCOUNT:REST.
type place struct{ service, region, account, rest string }

func parseARN(arn string) place {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return place{rest: arn}
	}
	return place{service: parts[2], region: parts[3], account: parts[4], rest: parts[5]}
}

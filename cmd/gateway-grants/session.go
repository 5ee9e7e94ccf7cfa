package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"github.com/gateway-grants/gateway-grants/pkg/handler"
)

// session is the identity with which a command acts in AWS, and the Region.
type session struct {
	config  aws.Config
	profile string // as the user would name it
	caller  *identity
}

// identity is who the caller is, by AWS's own account.
type identity struct {
	Account   string
	ARN       string
	Partition string
}

// session finds configuration and credentials as the AWS CLI does, once.
func (p *program) session(ctx context.Context) (*session, error) {
	if p.opened != nil {
		return p.opened, nil
	}
	options := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}), // the error of the call reports a failure once
		// CloudTrail shows a put from here as the product's own.
		config.WithAppID(handler.AppID),
	}
	if p.settings.profile != "" {
		options = append(options, config.WithSharedConfigProfile(p.settings.profile))
	}
	if p.settings.region != "" {
		options = append(options, config.WithRegion(p.settings.region))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	if loaded.Region == "" {
		return nil, errors.New("no AWS region is set: use --region, AWS_REGION or a profile with a region")
	}
	p.region = loaded.Region
	found, err := loaded.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoCredentials, err)
	}
	p.opened = &session{config: loaded, profile: p.profileName(found.Source)}
	return p.opened, nil
}

var errNoCredentials = errors.New("find AWS credentials")

// profileName is the profile in use, or where else the credentials came from.
func (p *program) profileName(source string) string {
	switch {
	case p.settings.profile != "":
		return p.settings.profile
	case source == config.CredentialsSourceName:
		return "(environment)"
	default:
		return variable("AWS_PROFILE", variable("AWS_DEFAULT_PROFILE", "default"))
	}
}

// identity asks AWS who the caller is, once.
func (s *session) identity(ctx context.Context) (identity, error) {
	if s.caller != nil {
		return *s.caller, nil
	}
	answer, err := sts.NewFromConfig(s.config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return identity{}, fmt.Errorf("ask AWS who the caller is: %w", err)
	}
	who := identity{Account: aws.ToString(answer.Account), ARN: aws.ToString(answer.Arn)}
	if part := strings.SplitN(who.ARN, ":", 3); len(part) == 3 {
		who.Partition = part[1]
	}
	s.caller = &who
	return who, nil
}

package inspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/smithy-go/transport/http/protocol/awsquery"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/doctor"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// watch reaches CloudWatch by the protocol that local clouds speak as well as AWS.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/making-api-requests.html
func (r *Reader) watch() *cloudwatch.Client {
	return cloudwatch.NewFromConfig(r.Config, func(o *cloudwatch.Options) {
		o.Protocol = awsquery.New(schemas.GraniteServiceVersion20100801)
	})
}

// beatsWithin is how far back a heartbeat is looked for, as its alarm looks.
const beatsWithin = 10 * time.Minute

func (r *Reader) heartbeat(ctx context.Context, name string) (bool, error) {
	answer, err := r.watch().GetMetricStatistics(ctx, &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("GatewayGrants"), MetricName: aws.String("Heartbeat"),
		Dimensions: []types.Dimension{{Name: aws.String("FunctionName"), Value: aws.String(name + "-sweep")}},
		StartTime:  aws.Time(r.Now().Add(-beatsWithin)), EndTime: aws.Time(r.Now()), Period: aws.Int32(60),
		Statistics: []types.Statistic{types.StatisticMaximum},
	})
	if err != nil {
		return false, err
	}
	for _, point := range answer.Datapoints {
		if aws.ToFloat64(point.Maximum) >= 1 {
			return true, nil
		}
	}
	return false, nil
}

func (r *Reader) alarms(ctx context.Context) ([]doctor.Alarm, error) {
	pages := cloudwatch.NewDescribeAlarmsPaginator(r.watch(), &cloudwatch.DescribeAlarmsInput{
		AlarmNames: r.resources["AWS::CloudWatch::Alarm"],
	})
	var all []doctor.Alarm
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, a := range page.MetricAlarms {
			all = append(all, doctor.Alarm{
				Name: aws.ToString(a.AlarmName), Description: aws.ToString(a.AlarmDescription),
				Ringing: a.StateValue == types.StateValueAlarm, Muted: !aws.ToBool(a.ActionsEnabled),
			})
		}
	}
	return all, nil
}

// trails reads those that record the Region, trails of the organization included. One
// that cannot be read is an error only where no other one is as needed.
func (r *Reader) trails(ctx context.Context) ([]doctor.Trail, error) {
	client := cloudtrail.NewFromConfig(r.Config)
	described, err := client.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{})
	if err != nil {
		return nil, err
	}
	var all []doctor.Trail
	var failures []error
	for _, t := range described.TrailList {
		trail, err := readTrail(ctx, client, t)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", aws.ToString(t.Name), err))
			continue
		}
		if trail.Logging && trail.Management {
			return []doctor.Trail{trail}, nil
		}
		all = append(all, trail)
	}
	return all, errors.Join(failures...)
}

func readTrail(ctx context.Context, client *cloudtrail.Client, t trailtypes.Trail) (doctor.Trail, error) {
	trail := doctor.Trail{Name: aws.ToString(t.Name)}
	status, err := client.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: t.TrailARN})
	if err != nil {
		return trail, err
	}
	trail.Logging = aws.ToBool(status.IsLogging)
	selectors, err := client.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: t.TrailARN})
	if err != nil {
		return trail, err
	}
	trail.Management = logsManagementWrites(selectors)
	return trail, nil
}

// logsManagementWrites reports whether the selectors take management events that write.
// A trail without selectors takes them all.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-management-events-with-cloudtrail.html
func logsManagementWrites(s *cloudtrail.GetEventSelectorsOutput) bool {
	if len(s.EventSelectors) == 0 && len(s.AdvancedEventSelectors) == 0 {
		return true
	}
	for _, basic := range s.EventSelectors {
		if (basic.IncludeManagementEvents == nil || *basic.IncludeManagementEvents) && basic.ReadWriteType != trailtypes.ReadWriteTypeReadOnly {
			return true
		}
	}
	for _, advanced := range s.AdvancedEventSelectors {
		management, readsOnly := false, false
		for _, field := range advanced.FieldSelectors {
			switch aws.ToString(field.Field) {
			case "eventCategory":
				management = len(field.Equals) == 1 && field.Equals[0] == "Management"
			case "readOnly":
				readsOnly = len(field.Equals) == 1 && field.Equals[0] == "true"
			}
		}
		if management && !readsOnly {
			return true
		}
	}
	return false
}

// organization reports whether the caller may read it as the functions do. Every member
// may describe its organization: where the caller may not do even that, the rights that
// lack are the caller's own.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html
func (r *Reader) organization(ctx context.Context) (bool, error) {
	client := organizations.NewFromConfig(r.Config)
	if _, err := client.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{}); err != nil {
		if hasCode(err, "AWSOrganizationsNotInUseException") {
			return false, nil
		}
		return false, err
	}
	_, err := client.ListAccounts(ctx, &organizations.ListAccountsInput{MaxResults: aws.Int32(1)})
	if hasCode(err, "AccessDeniedException") {
		return false, nil
	}
	return err == nil, err
}

// stackSets is who StackSets are in the list of trusted services.
// https://docs.aws.amazon.com/organizations/latest/userguide/services-that-can-integrate-cloudformation.html
const stackSets = "member.org.stacksets.cloudformation.amazonaws.com"

// StackSets reads whether StackSets have trusted access to the organization. Only its
// management account and delegated administrators may ask.
func (r *Reader) StackSets(ctx context.Context) doctor.Reading[bool] {
	return read(r, "read the services with trusted access", func() (bool, error) {
		pages := organizations.NewListAWSServiceAccessForOrganizationPaginator(organizations.NewFromConfig(r.Config), &organizations.ListAWSServiceAccessForOrganizationInput{})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return false, err
			}
			for _, service := range page.EnabledServicePrincipals {
				if aws.ToString(service.ServicePrincipal) == stackSets {
					return true, nil
				}
			}
		}
		return false, nil
	})
}

// Owner lists the gateways of an owner's account by its role.
func (r *Reader) Owner(ctx context.Context, account string, d agentcore.Deployment) doctor.Owner {
	d.Owners = []string{account}
	gateways := agentcore.New(r.Config, d)
	return doctor.Owner{Account: account, Assumed: read(r, "list the gateways of account "+account, func() (bool, error) {
		err := gateways.Walk(ctx, func(grant.Gateway) bool { return false }, func(grant.Gateway, bool) {})
		return err == nil, err
	})}
}

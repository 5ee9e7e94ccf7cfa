package actions

import "strings"

// logs asks for a log stream, or for a log group in the form that ends in a colon
// and stars of policies cover: a policy that names a group without ":*" gives
// nothing but its tags.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
func logs(c *call) ([]Permission, error) {
	switch {
	case c.is("CreateLogStream", "DeleteLogStream", "PutLogEvents", "GetLogEvents"):
		group := c.params.text("logGroupName")
		if group == "" {
			group = c.params.text("logGroupIdentifier")
		}
		return []Permission{c.on(c.logGroup(group) + c.params.text("logStreamName"))}, nil
	case c.is("TagResource", "UntagResource", "ListTagsForResource"):
		return []Permission{c.on(strings.TrimSuffix(c.params.text("resourceArn"), ":*"))}, nil
	case c.is("DescribeLogGroups"):
		return []Permission{c.on("*")}, nil
	}
	var asked []Permission
	groups := append(c.params.texts("logGroupNames"), c.params.texts("logGroupIdentifiers")...)
	for _, group := range append(groups, c.params.text("logGroupName"), c.params.text("logGroupIdentifier")) {
		if group != "" {
			asked = append(asked, c.on(c.logGroup(group)))
		}
	}
	return asked, nil
}

// logGroup takes a name or an ARN.
func (c *call) logGroup(group string) string {
	return strings.TrimSuffix(c.arn(group, "log-group:"), ":*") + ":log-stream:"
}

// cloudwatch knows the one action that has a condition key. Of a request in CBOR
// the namespace is not read.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
func cloudwatch(c *call) ([]Permission, error) {
	asked := c.on("*")
	if c.is("PutMetricData") {
		asked = asked.with("cloudwatch:namespace", c.params.text("Namespace"))
	}
	return []Permission{asked}, nil
}

package actions

import "strings"

// events decides each entry of PutEvents for itself.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
func events(c *call) ([]Permission, error) {
	switch {
	case c.is("PutEvents"):
		var asked []Permission
		for _, entry := range c.params.objects("Entries") {
			asked = append(asked, c.on(c.bus(entry.text("EventBusName"))).
				with("events:source", entry.text("Source")).
				with("events:detail-type", entry.text("DetailType")).
				// Not sent by a rule of another bus.
				// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
				with("events:eventBusInvocation", "false"))
		}
		return asked, nil
	case c.is("DescribeEventBus", "CreateEventBus", "UpdateEventBus", "DeleteEventBus"):
		return []Permission{c.on(c.bus(c.params.text("Name")))}, nil
	case c.is("PutPermission", "RemovePermission"):
		return []Permission{c.on(c.bus(c.params.text("EventBusName")))}, nil
	case c.is("PutRule", "DescribeRule", "DeleteRule", "EnableRule", "DisableRule"):
		return []Permission{c.on(c.rule(c.params.text("Name")))}, nil
	case c.is("PutTargets", "RemoveTargets", "ListTargetsByRule"):
		return []Permission{c.on(c.rule(c.params.text("Rule")))}, nil
	case c.is("TagResource", "UntagResource", "ListTagsForResource"):
		return []Permission{c.on(c.params.text("ResourceARN"))}, nil
	default:
		return []Permission{c.on("*")}, nil
	}
}

// bus takes a name or an ARN.
func (c *call) bus(name string) string {
	if name == "" {
		name = "default"
	}
	return c.arn(name, "event-bus/")
}

// rule has the bus in its ARN unless it is the default one.
func (c *call) rule(name string) string {
	bus := c.bus(c.params.text("EventBusName"))
	prefix, bus, _ := strings.Cut(bus, "event-bus/")
	if bus == "default" {
		return prefix + "rule/" + name
	}
	return prefix + "rule/" + bus + "/" + name
}

package actions

import (
	"slices"
	"strings"
)

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
func events(c *call) ([]Permission, error) {
	switch {
	case c.is("PutEvents"):
		return c.putEvents(), nil
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

// putEvents asks for each bus once, with what all entries for it say: events:source and
// events:detail-type are multivalued, with a value for each entry. A condition on them needs a
// set operator.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func (c *call) putEvents() []Permission {
	var buses []string
	sources, types := map[string][]string{}, map[string][]string{}
	for _, entry := range c.params.objects("Entries") {
		bus := c.bus(entry.text("EventBusName"))
		if !slices.Contains(buses, bus) {
			buses = append(buses, bus)
		}
		sources[bus] = append(sources[bus], entry.text("Source"))
		types[bus] = append(types[bus], entry.text("DetailType"))
	}
	var asked []Permission
	for _, bus := range buses {
		asked = append(asked, c.on(bus).
			with("events:source", sources[bus]...).
			with("events:detail-type", types[bus]...).
			with("events:eventBusInvocation", "false")) // not sent by a rule of another bus
	}
	return asked
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

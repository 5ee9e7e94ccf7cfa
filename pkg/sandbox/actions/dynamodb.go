package actions

import (
	"maps"
	"slices"
	"strings"
)

// dynamodb asks for single items' actions on behalf of batches and transactions,
// as DynamoDB does.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
func dynamodb(c *call) ([]Permission, error) {
	if strings.HasPrefix(c.HTTP.Header.Get("X-Amz-Target"), "DynamoDBStreams_") {
		return c.streams(), nil
	}
	switch {
	case c.is("BatchGetItem", "BatchWriteItem"):
		return c.batch(), nil
	case c.is("TransactGetItems", "TransactWriteItems"):
		return c.transaction(), nil
	case c.is("Query", "Scan"):
		return []Permission{c.item(c.operation, c.tableOrIndex(), c.params)}, nil
	case c.is("GetItem", "PutItem", "UpdateItem", "DeleteItem"):
		return []Permission{c.item(c.operation, c.table(c.params), c.params)}, nil
	case c.params.text("TableName") != "":
		return []Permission{c.on(c.table(c.params))}, nil
	case c.params.text("ResourceArn") != "": // tags and resource policies
		return []Permission{c.on(c.params.text("ResourceArn"))}, nil
	default:
		return []Permission{c.on("*")}, nil
	}
}

func (c *call) table(params object) string { return c.arn(params.text("TableName"), "table/") }

func (c *call) tableOrIndex() string {
	if index := c.params.text("IndexName"); index != "" {
		return c.table(c.params) + "/index/" + index
	}
	return c.table(c.params)
}

// item adds the condition keys that a call on items has as parameters. The keys
// dynamodb:LeadingKeys and dynamodb:Attributes are not known: see Modelled.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func (c *call) item(action, table string, params object) Permission {
	return c.ask(action, table).
		with("dynamodb:Select", params.text("Select")).
		with("dynamodb:ReturnValues", params.text("ReturnValues")).
		with("dynamodb:ReturnConsumedCapacity", c.params.text("ReturnConsumedCapacity"))
}

func (c *call) batch() []Permission {
	var asked []Permission
	for _, table := range slices.Sorted(maps.Keys(c.params.object("RequestItems"))) {
		asked = append(asked, c.item(c.operation, c.arn(table, "table/"), nil))
	}
	return asked
}

// parts are the actions on the items of a transaction.
var parts = map[string]string{
	"Get":            "GetItem",
	"Put":            "PutItem",
	"Update":         "UpdateItem",
	"Delete":         "DeleteItem",
	"ConditionCheck": "ConditionCheckItem",
}

func (c *call) transaction() []Permission {
	var asked []Permission
	for _, item := range c.params.objects("TransactItems") {
		for _, part := range slices.Sorted(maps.Keys(item)) {
			action, ok := parts[part]
			if !ok {
				action = part // which no policy names
			}
			permission := c.item(action, c.table(item.object(part)), nil)
			if part != "ConditionCheck" {
				permission = permission.with("dynamodb:EnclosingOperation", c.operation)
			}
			asked = append(asked, permission)
		}
	}
	return asked
}

// streams asks for a stream, which an iterator names before its first bar.
// ListStreams has no resource, so that it is allowed on "*" or not at all; see the
// Service Authorization Reference, and not DynamoDB's own guide, which says
// otherwise.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/api-permissions-reference.html
func (c *call) streams() []Permission {
	switch stream := c.params.text("StreamArn"); {
	case c.is("GetRecords"):
		stream, _, _ = strings.Cut(c.params.text("ShardIterator"), "|")
		return []Permission{c.on(stream)}
	case c.is("DescribeStream", "GetShardIterator"):
		return []Permission{c.on(stream)}
	default:
		return []Permission{c.on("*")}
	}
}

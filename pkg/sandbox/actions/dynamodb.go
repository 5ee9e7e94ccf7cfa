package actions

import (
	"maps"
	"regexp"
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
		return c.batch()
	case c.is("TransactGetItems", "TransactWriteItems"):
		return c.transaction()
	case c.is("Query", "Scan"):
		return one(c.item(c.operation, c.tableOrIndex(), c.params))
	case c.is("GetItem", "PutItem", "UpdateItem", "DeleteItem"):
		return one(c.item(c.operation, c.table(c.params), c.params))
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

func one(p Permission, err error) ([]Permission, error) { return []Permission{p}, err }

// item adds the condition keys that a call on items has as parameters. The key
// dynamodb:Attributes is not known: see Modelled.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
func (c *call) item(action, table string, items ...object) (Permission, error) {
	var params object
	if len(items) == 1 {
		params = items[0]
	}
	leading, err := c.leadingKeys(table, items)
	return c.ask(action, table).
		with("dynamodb:Select", params.text("Select")).
		with("dynamodb:ReturnValues", params.text("ReturnValues")).
		with("dynamodb:ReturnConsumedCapacity", c.params.text("ReturnConsumedCapacity")).
		with("dynamodb:LeadingKeys", leading...), err
}

// leadingKeys are the texts of the partition keys that the items have, each once. An index
// has another key, and a Scan has none.
func (c *call) leadingKeys(table string, items []object) ([]string, error) {
	if c.PartitionKey == nil || strings.Contains(table, "/index/") {
		return nil, nil
	}
	name, err := c.PartitionKey(table)
	if err != nil || name == "" {
		return nil, err
	}
	var keys []string
	for _, item := range items {
		key := item.object("Item").object(name).text("S")
		if key == "" {
			key = item.object("Key").object(name).text("S")
		}
		if key == "" {
			key = queried(item, name)
		}
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

var equality = regexp.MustCompile(`([#\w.-]+)\s*=\s*(:\w+)`)

// queried is the value that a Query's key condition wants of the attribute.
func queried(params object, name string) string {
	for _, match := range equality.FindAllStringSubmatch(params.text("KeyConditionExpression"), -1) {
		attribute := match[1]
		if strings.HasPrefix(attribute, "#") {
			attribute = params.object("ExpressionAttributeNames").text(attribute)
		}
		if attribute == name {
			return params.object("ExpressionAttributeValues").object(match[2]).text("S")
		}
	}
	return ""
}

func (c *call) batch() ([]Permission, error) {
	var asked []Permission
	tables := c.params.object("RequestItems")
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		var items []object
		for _, key := range tables.object(table).objects("Keys") {
			items = append(items, object{"Key": map[string]any(key)})
		}
		for _, write := range tables.objects(table) {
			items = append(items, write.object("PutRequest"), write.object("DeleteRequest"))
		}
		permission, err := c.item(c.operation, c.arn(table, "table/"), items...)
		if err != nil {
			return nil, err
		}
		asked = append(asked, permission)
	}
	return asked, nil
}

// parts are the actions on the items of a transaction.
var parts = map[string]string{
	"Get":            "GetItem",
	"Put":            "PutItem",
	"Update":         "UpdateItem",
	"Delete":         "DeleteItem",
	"ConditionCheck": "ConditionCheckItem",
}

func (c *call) transaction() ([]Permission, error) {
	var asked []Permission
	for _, item := range c.params.objects("TransactItems") {
		for _, part := range slices.Sorted(maps.Keys(item)) {
			action, ok := parts[part]
			if !ok {
				action = part // which no policy names
			}
			permission, err := c.item(action, c.table(item.object(part)), object{"Item": item.object(part)["Item"], "Key": item.object(part)["Key"]})
			if err != nil {
				return nil, err
			}
			if part != "ConditionCheck" {
				permission = permission.with("dynamodb:EnclosingOperation", c.operation)
			}
			asked = append(asked, permission)
		}
	}
	return asked, nil
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

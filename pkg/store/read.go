package store

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// condition is an expression with the names and values that stand in it.
type condition struct {
	text   string
	names  map[string]string
	values Item
}

// inPartition matches the items of one partition.
func inPartition(attribute, value string) condition {
	return condition{
		text:   "#partition = :partition",
		names:  map[string]string{"#partition": attribute},
		values: Item{":partition": S(value)},
	}
}

// and narrows a condition by one that compares an attribute, which the text
// calls #sort, with a value that it calls :sort.
func (c condition) and(text, attribute, value string) condition {
	c.text += " AND " + text
	c.names["#sort"] = attribute
	c.values[":sort"] = S(value)
	return c
}

// equal matches an item of which each attribute is as given, and that has none of
// those named which the given one lacks.
func equal(read Item, absent []string) condition {
	is := condition{names: make(map[string]string), values: make(Item)}
	var texts []string
	for i, name := range slices.Sorted(maps.Keys(read)) {
		texts = append(texts, fmt.Sprintf("#a%d = :a%d", i, i))
		is.names[fmt.Sprintf("#a%d", i)] = name
		is.values[fmt.Sprintf(":a%d", i)] = read[name]
	}
	for i, name := range absent {
		if _, present := read[name]; !present {
			texts = append(texts, fmt.Sprintf("attribute_not_exists(#o%d)", i))
			is.names[fmt.Sprintf("#o%d", i)] = name
		}
	}
	is.text = strings.Join(texts, " AND ")
	return is
}

// given are the condition's values; nil for none, because DynamoDB rejects an empty map.
func (c condition) given() Item {
	if len(c.values) == 0 {
		return nil
	}
	return c.values
}

// query reads every page of what matches, consistently.
func query(ctx context.Context, client dynamodb.QueryAPIClient, table string, keys condition) ([]Item, error) {
	return queryPages(ctx, client, consistent(table, keys))
}

func consistent(table string, keys condition) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName:                 aws.String(table),
		ConsistentRead:            aws.Bool(true),
		KeyConditionExpression:    aws.String(keys.text),
		ExpressionAttributeNames:  keys.names,
		ExpressionAttributeValues: keys.values,
	}
}

// queryIndex reads every page of what matches in an index, which follows its
// table with a short delay: an index cannot be read consistently.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
func queryIndex(ctx context.Context, client dynamodb.QueryAPIClient, table, index string, keys condition) ([]Item, error) {
	return queryPages(ctx, client, &dynamodb.QueryInput{
		TableName:                 aws.String(table),
		IndexName:                 aws.String(index),
		KeyConditionExpression:    aws.String(keys.text),
		ExpressionAttributeNames:  keys.names,
		ExpressionAttributeValues: keys.values,
	})
}

func queryPages(ctx context.Context, client dynamodb.QueryAPIClient, input *dynamodb.QueryInput) ([]Item, error) {
	var items []Item
	for pages := dynamodb.NewQueryPaginator(client, input); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err //nolint:wrapcheck // the caller says what was being read
		}
		items = append(items, page.Items...)
	}
	return items, nil
}

// scan reads every page of the whole table, consistently.
func scan(ctx context.Context, client dynamodb.ScanAPIClient, input *dynamodb.ScanInput) ([]Item, error) {
	input.ConsistentRead = aws.Bool(true)
	var items []Item
	for pages := dynamodb.NewScanPaginator(client, input); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err //nolint:wrapcheck // the caller says what was being read
		}
		items = append(items, page.Items...)
	}
	return items, nil
}

// pause waits before the next attempt, from 0: up to 50 ms at first, then up to
// twice as long each time, never more than a second.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html#Programming.Errors.BatchOperations
func pause(ctx context.Context, attempt int) error {
	most := min(50*time.Millisecond<<min(attempt, 10), time.Second)
	wait := time.NewTimer(rand.N(most)) //nolint:gosec // jitter needs no secrecy
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wait.C:
		return nil
	}
}

// attempts is how often DynamoDB is asked again for what it left out, and how
// often a write that lost a race is decided again.
const attempts = 10

// errLeftOut is the throttle that a batch reports by leaving something out.
var errLeftOut = &types.ThrottlingException{Message: aws.String("DynamoDB kept leaving items of a batch unprocessed")}

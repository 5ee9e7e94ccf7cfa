package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// partitionKey is the name of the attribute that is a table's partition key; "" if there
// is no such table. It is asked of moto once, because a table's key never changes.
func (i *Identities) partitionKey(ctx context.Context, table string) (string, error) {
	known, _ := i.partitionKeys.Load(table)
	if name, is := known.(string); is {
		return name, nil
	}
	field := strings.SplitN(table, ":", 6) // arn:aws:dynamodb:REGION:ACCOUNT:table/NAME
	if len(field) < 6 {
		return "", nil
	}
	described, err := dynamodb.NewFromConfig(i.moto.Config(field[4], field[3])).DescribeTable(ctx, &dynamodb.DescribeTableInput{
		TableName: aws.String(strings.TrimPrefix(field[5], "table/")),
	})
	if _, refused := errors.AsType[smithy.APIError](err); refused { // the call that asks is refused alike
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("describing %s: %w", table, err)
	}
	for _, key := range described.Table.KeySchema {
		if key.KeyType == types.KeyTypeHash {
			i.partitionKeys.Store(table, aws.ToString(key.AttributeName))
			return aws.ToString(key.AttributeName), nil
		}
	}
	return "", nil
}

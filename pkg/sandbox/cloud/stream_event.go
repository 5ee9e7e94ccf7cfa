package cloud

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// streamEvent is what Lambda hands a function for a batch of stream records.
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
func streamEvent(streamARN string, records []types.Record) ([]byte, error) {
	event := events.DynamoDBEvent{Records: make([]events.DynamoDBEventRecord, 0, len(records))}
	for i := range records {
		record, err := streamRecord(streamARN, &records[i])
		if err != nil {
			return nil, err
		}
		event.Records = append(event.Records, record)
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("writing a stream event: %w", err)
	}
	return payload, nil
}

func streamRecord(streamARN string, record *types.Record) (events.DynamoDBEventRecord, error) {
	change := record.Dynamodb
	keys, err := eventItem(change.Keys)
	if err != nil {
		return events.DynamoDBEventRecord{}, err
	}
	before, err := eventItem(change.OldImage)
	if err != nil {
		return events.DynamoDBEventRecord{}, err
	}
	after, err := eventItem(change.NewImage)
	if err != nil {
		return events.DynamoDBEventRecord{}, err
	}
	written := events.DynamoDBEventRecord{
		AWSRegion:      aws.ToString(record.AwsRegion),
		EventID:        aws.ToString(record.EventID),
		EventName:      string(record.EventName),
		EventSource:    "aws:dynamodb",
		EventVersion:   "1.1",
		EventSourceArn: streamARN,
		Change: events.DynamoDBStreamRecord{
			ApproximateCreationDateTime: events.SecondsEpochTime{Time: aws.ToTime(change.ApproximateCreationDateTime)},
			Keys:                        keys,
			NewImage:                    after,
			OldImage:                    before,
			SequenceNumber:              aws.ToString(change.SequenceNumber),
			SizeBytes:                   aws.ToInt64(change.SizeBytes),
			StreamViewType:              string(change.StreamViewType),
		},
	}
	if by := record.UserIdentity; by != nil {
		written.UserIdentity = &events.DynamoDBUserIdentity{Type: aws.ToString(by.Type), PrincipalID: aws.ToString(by.PrincipalId)}
	}
	return written, nil
}

func eventItem(item map[string]types.AttributeValue) (map[string]events.DynamoDBAttributeValue, error) {
	if item == nil {
		return nil, nil
	}
	written := make(map[string]events.DynamoDBAttributeValue, len(item))
	for name, value := range item {
		var err error
		if written[name], err = eventValue(value); err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
	}
	return written, nil
}

func eventValue(value types.AttributeValue) (events.DynamoDBAttributeValue, error) {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return events.NewStringAttribute(v.Value), nil
	case *types.AttributeValueMemberN:
		return events.NewNumberAttribute(v.Value), nil
	case *types.AttributeValueMemberB:
		return events.NewBinaryAttribute(v.Value), nil
	case *types.AttributeValueMemberBOOL:
		return events.NewBooleanAttribute(v.Value), nil
	case *types.AttributeValueMemberNULL:
		return events.NewNullAttribute(), nil
	case *types.AttributeValueMemberSS:
		return events.NewStringSetAttribute(v.Value), nil
	case *types.AttributeValueMemberNS:
		return events.NewNumberSetAttribute(v.Value), nil
	case *types.AttributeValueMemberBS:
		return events.NewBinarySetAttribute(v.Value), nil
	case *types.AttributeValueMemberM:
		members, err := eventItem(v.Value)
		return events.NewMapAttribute(members), err
	case *types.AttributeValueMemberL:
		elements := make([]events.DynamoDBAttributeValue, 0, len(v.Value))
		for _, element := range v.Value {
			written, err := eventValue(element)
			if err != nil {
				return events.DynamoDBAttributeValue{}, err
			}
			elements = append(elements, written)
		}
		return events.NewListAttribute(elements), nil
	default:
		return events.DynamoDBAttributeValue{}, fmt.Errorf("a value of unknown type %T", value)
	}
}

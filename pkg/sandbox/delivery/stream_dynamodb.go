package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// readAtOnce is the most that GetRecords allows.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
const readAtOnce = 1000

// StreamsAPI is what Lambda reads a table's stream with.
// https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
type StreamsAPI interface {
	ListStreams(ctx context.Context, input *dynamodbstreams.ListStreamsInput, options ...func(*dynamodbstreams.Options)) (*dynamodbstreams.ListStreamsOutput, error)
	DescribeStream(ctx context.Context, input *dynamodbstreams.DescribeStreamInput, options ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error)
	GetShardIterator(ctx context.Context, input *dynamodbstreams.GetShardIteratorInput, options ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error)
	GetRecords(ctx context.Context, input *dynamodbstreams.GetRecordsInput, options ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error)
}

// DynamoDBStream is a stream of one shard, as moto's tables have them.
type DynamoDBStream struct {
	Client     StreamsAPI
	ARN        string
	FromLatest bool // begin with what is written from now on, not with the oldest record
}

var _ Stream = (*DynamoDBStream)(nil)

// Read reads on from the iterator that the last reading gave, unless the place is
// another now.
func (s *DynamoDBStream) Read(ctx context.Context, place *Place, most int) ([]Record, error) {
	if place.read != place.done {
		place.iterator = nil
	}
	if err := s.seek(ctx, place); err != nil {
		return nil, err
	}
	read, err := s.Client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: place.iterator, Limit: aws.Int32(int32(min(most, readAtOnce)))}) //nolint:gosec // 1,000 at most
	if err != nil {
		s.lookAgain(place)
		return nil, fmt.Errorf("reading the stream: %w", err)
	}
	records := make([]Record, 0, len(read.Records))
	for i := range read.Records {
		record, err := streamRecord(s.ARN, &read.Records[i])
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	place.iterator, place.read = read.NextShardIterator, place.done
	if len(records) > 0 {
		place.read = sequence(records[len(records)-1])
	}
	return records, nil
}

// lookAgain has the place in the stream looked for: the iterator may have expired. A
// mapping that began with the latest record and has dealt with none has no other place
// than its iterator.
func (s *DynamoDBStream) lookAgain(place *Place) {
	if place.done != "" || !s.FromLatest {
		place.iterator = nil
	}
}

// seek finds the place after the last record that was dealt with.
func (s *DynamoDBStream) seek(ctx context.Context, place *Place) error {
	if place.iterator != nil {
		return nil
	}
	shard, err := s.findShard(ctx)
	if err != nil {
		return err
	}
	from := &dynamodbstreams.GetShardIteratorInput{StreamArn: &s.ARN, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	switch {
	case place.done != "":
		from.ShardIteratorType, from.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &place.done
	case s.FromLatest:
		from.ShardIteratorType = types.ShardIteratorTypeLatest
	}
	got, err := s.Client.GetShardIterator(ctx, from)
	if err != nil {
		return fmt.Errorf("finding the place in the stream: %w", err)
	}
	place.shard, place.iterator, place.read = shard, got.ShardIterator, place.done
	return nil
}

// findShard looks for the stream among its table's and for its one shard.
func (s *DynamoDBStream) findShard(ctx context.Context) (string, error) {
	// arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL
	parts := strings.Split(s.ARN, "/")
	if len(parts) != 4 || parts[2] != "stream" {
		return "", fmt.Errorf("%s is not the ARN of a table's stream", s.ARN)
	}
	table := parts[1]
	listed, err := s.Client.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{TableName: &table})
	if err != nil {
		return "", fmt.Errorf("listing the streams of table %s: %w", table, err)
	}
	if !slices.ContainsFunc(listed.Streams, func(other types.Stream) bool { return aws.ToString(other.StreamArn) == s.ARN }) {
		return "", fmt.Errorf("table %s has no stream %s", table, s.ARN)
	}
	described, err := s.Client.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &s.ARN})
	if err != nil {
		return "", fmt.Errorf("describing the stream: %w", err)
	}
	shards := described.StreamDescription.Shards
	if len(shards) != 1 {
		return "", fmt.Errorf("stream %s has %d shards, where moto has one that never ends", s.ARN, len(shards))
	}
	return aws.ToString(shards[0].ShardId), nil
}

// streamRecord is what Lambda makes of a record.
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
func streamRecord(streamARN string, record *types.Record) (Record, error) {
	change := record.Dynamodb
	keys, err := eventItem(change.Keys)
	if err != nil {
		return Record{}, err
	}
	before, err := eventItem(change.OldImage)
	if err != nil {
		return Record{}, err
	}
	after, err := eventItem(change.NewImage)
	if err != nil {
		return Record{}, err
	}
	written := Record{
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

package memory

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// firstSequence makes every sequence number as long as the next, so that their
// text sorts as they do: DynamoDB's have 21 digits and more.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
const firstSequence = "1%023d"

// changes calls listen with each later change of the table, as the event that
// Lambda would be invoked with: one for each write that changed anything, in
// their order, one at a time. The writer makes the calls, before the
// write returns, unless another writer is already at it, which then makes them.
// So listen may read and write the table itself: listeners get its changes next.
func (t *table) changes(listen func(events.DynamoDBEvent)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listeners = append(t.listeners, listen)
}

func (t *table) deliver() {
	for {
		event, listeners := t.next()
		if listeners == nil {
			return
		}
		t.call(listeners, event)
	}
}

// next takes the earliest event that was not delivered, and the right to deliver it.
func (t *table) next() (events.DynamoDBEvent, []func(events.DynamoDBEvent)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.delivering || len(t.pending) == 0 {
		return events.DynamoDBEvent{}, nil
	}
	event := t.pending[0]
	t.pending = t.pending[1:]
	t.delivering = true
	return event, t.listeners
}

func (t *table) call(listeners []func(events.DynamoDBEvent), event events.DynamoDBEvent) {
	defer func() {
		t.mu.Lock()
		t.delivering = false
		t.mu.Unlock()
	}()
	for _, listen := range listeners {
		listen(event)
	}
}

// record notes a change for those who listen; a nil item is none.
func (v *view) record(key store.Key, was, is store.Item) {
	v.sequence++
	sequence := fmt.Sprintf(firstSequence, v.sequence)
	keys := v.layout.Item(key)
	record := events.DynamoDBEventRecord{
		AWSRegion:      v.Region,
		EventID:        eventID(v.Name, sequence),
		EventName:      string(operation(was, is)),
		EventSource:    "aws:dynamodb",
		EventVersion:   "1.1",
		EventSourceArn: v.streamARN(),
		Change: events.DynamoDBStreamRecord{
			ApproximateCreationDateTime: events.SecondsEpochTime{Time: v.Now().UTC().Truncate(time.Second)},
			Keys:                        image(keys),
			SequenceNumber:              sequence,
			SizeBytes:                   size(keys) + size(was) + size(is),
			StreamViewType:              string(events.DynamoDBStreamViewTypeNewAndOldImages),
		},
	}
	if was != nil {
		record.Change.OldImage = image(was)
	}
	if is != nil {
		record.Change.NewImage = image(is)
	}
	v.records = append(v.records, record)
}

func operation(was, is store.Item) events.DynamoDBOperationType {
	switch {
	case was == nil:
		return events.DynamoDBOperationTypeInsert
	case is == nil:
		return events.DynamoDBOperationTypeRemove
	default:
		return events.DynamoDBOperationTypeModify
	}
}

func eventID(table, sequence string) string {
	sum := sha256.Sum256([]byte(table + sequence))
	return hex.EncodeToString(sum[:16])
}

func (t *table) streamARN() string {
	return "arn:aws:dynamodb:" + t.Region + ":" + t.Account + ":table/" + t.Name + "/stream/2026-01-01T00:00:00.000"
}

// size counts bytes nearly as DynamoDB does.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func size(item store.Item) int64 {
	var total int64
	for name, value := range item {
		total += int64(len(name)) + valueSize(value)
	}
	return total
}

func valueSize(value types.AttributeValue) int64 {
	var total int64
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return int64(len(v.Value))
	case *types.AttributeValueMemberN:
		return int64(len(v.Value)+1)/2 + 1
	case *types.AttributeValueMemberB:
		return int64(len(v.Value))
	case *types.AttributeValueMemberSS:
		for _, element := range v.Value {
			total += int64(len(element))
		}
		return total
	case *types.AttributeValueMemberL:
		for _, element := range v.Value {
			total += valueSize(element) + 1
		}
		return total + 3
	case *types.AttributeValueMemberM:
		return size(v.Value) + int64(len(v.Value)) + 3
	default:
		return 1
	}
}

package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gateway-grants/gateway-grants/pkg/event"
)

// Queued takes events out of the messages of an SQS queue, each with an event as
// its body, and hands them on one by one. What fails leaves its message in the
// queue, which delivers it again. A payload of another kind is handed on as it is.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
func Queued(handle func(context.Context, json.RawMessage) error) func(context.Context, json.RawMessage) error {
	return func(ctx context.Context, payload json.RawMessage) error {
		var batch struct {
			Records []struct {
				Source string `json:"eventSource"`
				ID     string `json:"messageId"`
				Body   string `json:"body"`
			}
		}
		if json.Unmarshal(payload, &batch) != nil || len(batch.Records) == 0 || batch.Records[0].Source != "aws:sqs" {
			return handle(ctx, payload)
		}
		var failures []error
		for _, message := range batch.Records {
			if err := handle(ctx, json.RawMessage(message.Body)); err != nil {
				failures = append(failures, fmt.Errorf("message %s: %w", event.OneLine(message.ID), err))
			}
		}
		return errors.Join(failures...)
	}
}

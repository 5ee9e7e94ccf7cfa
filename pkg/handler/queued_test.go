package handler_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/handler"
)

func TestQueueMessagesAreHandledOneByOne(t *testing.T) {
	for name, c := range map[string]struct {
		reason, payload string
		want            []string
		fails           bool
	}{
		"a message":        {"its body is the event", `{"Records":[{"eventSource":"aws:sqs","messageId":"1","body":"{\"a\":1}"}]}`, []string{`{"a":1}`}, false},
		"a batch":          {"one that fails blocks no other", `{"Records":[{"eventSource":"aws:sqs","body":"bad"},{"eventSource":"aws:sqs","body":"{}"}]}`, []string{`bad`, `{}`}, true},
		"an event":         {"a call without the queue", `{"source":"gateway-grants"}`, []string{`{"source":"gateway-grants"}`}, false},
		"another stream":   {"records of something else are not taken apart", `{"Records":[{"eventSource":"aws:dynamodb"}]}`, []string{`{"Records":[{"eventSource":"aws:dynamodb"}]}`}, false},
		"no JSON":          {"the handler says what is wrong", `bad`, []string{`bad`}, true},
		"an empty message": {"it is an event like any other", `{"Records":[{"eventSource":"aws:sqs","body":""}]}`, []string{``}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			err := handler.Queued(func(_ context.Context, payload json.RawMessage) error {
				got = append(got, string(payload))
				if string(payload) == "bad" {
					return errors.New("it is no event")
				}
				return nil
			})(t.Context(), json.RawMessage(c.payload))
			if diff := cmp.Diff(c.want, got); diff != "" || (err != nil) != c.fails {
				t.Errorf("%s: %v, -want +got\n%s", c.reason, err, diff)
			}
		})
	}
}

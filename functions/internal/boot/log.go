package boot

import (
	"context"
	"io"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/gateway-grants/gateway-grants/pkg/version"
)

// newLog writes one JSON object a line, each with the product's version, and with the id
// of the request that it belongs to.
func newLog(to io.Writer, level slog.Level) *slog.Logger {
	return slog.New(requestHandler{slog.NewJSONHandler(to, &slog.HandlerOptions{Level: level})}).With("version", version.Product())
}

// requestHandler adds the request's id, by which Lambda's own lines are found.
type requestHandler struct{ slog.Handler }

func (h requestHandler) Handle(ctx context.Context, record slog.Record) error {
	if invocation, ok := lambdacontext.FromContext(ctx); ok {
		record = record.Clone()
		record.AddAttrs(slog.String("requestId", invocation.AwsRequestID))
	}
	return h.Handler.Handle(ctx, record) //nolint:wrapcheck // a handler passes on what the next one says
}

func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}

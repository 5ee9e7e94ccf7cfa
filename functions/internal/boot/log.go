package boot

import (
	"context"
	"io"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Log writes one JSON object a line, each with the id of the request that it
// belongs to. LOG_LEVEL is DEBUG, INFO (the default), WARN or ERROR.
func (e *Environment) Log(to io.Writer) *slog.Logger {
	var level slog.Level
	if name := e.Or("LOG_LEVEL", "INFO"); level.UnmarshalText([]byte(name)) != nil {
		e.fail("LOG_LEVEL", "is "+name+"; write DEBUG, INFO, WARN or ERROR")
	}
	return slog.New(requestHandler{slog.NewJSONHandler(to, &slog.HandlerOptions{Level: level})})
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

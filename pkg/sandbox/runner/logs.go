package runner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Limits of PutLogEvents.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
const (
	maxLogBatch  = 1 << 20 // bytes, with logEventOverhead for each event
	maxLogEvents = 10_000
	maxLogEvent  = 256 << 10 // bytes; Lambda cuts longer lines
	logOverhead  = 26
	logWithin    = 10 * time.Second // of one request
)

// logStream sends what an environment prints to CloudWatch Logs, line by line, as
// Lambda does: in the function's role, after the fact, and without anybody being
// reported when it fails but in the sandbox's own log.
type logStream struct {
	runner      *Runner
	config      aws.Config
	group, name string

	mu     sync.Mutex
	rest   []byte // of a line that has not ended
	events []logEvent
	closed bool
	more   chan struct{} // there are events, or it is closed
}

type logEvent struct {
	Time    int64  `json:"timestamp"` // milliseconds since 1970
	Message string `json:"message"`
}

func (r *Runner) newLogStream(s *session, region, group, name string) io.WriteCloser {
	l := &logStream{runner: r, config: r.config(region, s.current), group: group, name: name, more: make(chan struct{}, 1)}
	r.spawn(l.run)
	return l
}

func (l *logStream) Write(text []byte) (int, error) {
	now := l.runner.Now().UnixMilli()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, text...)
	for {
		line, rest, ended := bytes.Cut(l.rest, []byte("\n"))
		if !ended {
			break
		}
		l.add(now, line)
		l.rest = rest
	}
	l.wake()
	return len(text), nil
}

// add keeps a line; an empty one is no log event. The caller holds the lock.
func (l *logStream) add(now int64, line []byte) {
	if len(line) > 0 {
		l.events = append(l.events, logEvent{now, strings.ToValidUTF8(string(line[:min(len(line), maxLogEvent)]), "\uFFFD")})
	}
}

// Close has what is left sent, without waiting for that.
func (l *logStream) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(l.runner.Now().UnixMilli(), l.rest)
	l.rest, l.closed = nil, true
	l.wake()
	return nil
}

func (l *logStream) wake() {
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// take gives the next batch, and whether that is the last.
func (l *logStream) take() (batch []logEvent, last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	size, n := 0, 0
	for n < len(l.events) && n < maxLogEvents {
		size += len(l.events[n].Message) + logOverhead
		if size > maxLogBatch {
			break
		}
		n++
	}
	batch = l.events[:n:n]
	l.events = l.events[n:]
	return batch, l.closed && len(l.events) == 0
}

// run sends until the stream is closed and nothing is left. The first thing that
// an environment says makes the stream.
func (l *logStream) run() {
	made := false
	for {
		batch, last := l.take()
		if len(batch) > 0 {
			err := l.put(&made, batch)
			if err != nil {
				l.runner.Log.Error("log events lost", "group", l.group, "stream", l.name, "events", len(batch), "error", err)
			}
			continue
		}
		if last {
			return
		}
		<-l.more
	}
}

func (l *logStream) put(made *bool, batch []logEvent) error {
	// The last words of a function come when everything else has stopped.
	ctx, cancel := context.WithTimeout(context.Background(), logWithin)
	defer cancel()
	if !*made {
		if err := l.make(ctx); err != nil {
			return err
		}
		*made = true
	}
	return l.call(ctx, "PutLogEvents", map[string]any{"logGroupName": l.group, "logStreamName": l.name, "logEvents": batch})
}

// make makes the log stream and, where the group is not there, that too: Lambda
// makes no group that is there already.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
func (l *logStream) make(ctx context.Context) error {
	stream := map[string]any{"logGroupName": l.group, "logStreamName": l.name}
	err := l.call(ctx, "CreateLogStream", stream)
	if refused := (*logsError)(nil); errors.As(err, &refused) && refused.code == "ResourceNotFoundException" {
		if err := l.call(ctx, "CreateLogGroup", map[string]any{"logGroupName": l.group}); err != nil {
			return err
		}
		err = l.call(ctx, "CreateLogStream", stream)
	}
	return err
}

// logsError is a refusal by CloudWatch Logs.
type logsError struct{ operation, code, message string }

func (e *logsError) Error() string { return e.operation + ": " + e.code + ": " + e.message }

// call makes one call to CloudWatch Logs.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_Operations.html
func (l *logStream) call(ctx context.Context, operation string, input map[string]any) error {
	body, err := json.Marshal(input)
	if err != nil {
		return fmt.Errorf("writing the input of %s: %w", operation, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, aws.ToString(l.config.BaseEndpoint)+"/", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request of %s: %w", operation, err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "Logs_20140328."+operation)
	credentials, err := l.config.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("signing %s: %w", operation, err)
	}
	hash := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(hash[:]), "logs", l.config.Region, l.runner.Now()); err != nil {
		return fmt.Errorf("signing %s: %w", operation, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("calling %s: %w", operation, err)
	}
	defer response.Body.Close()
	return answered(operation, response)
}

func answered(operation string, response *http.Response) error {
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", operation, err)
	}
	if response.StatusCode == http.StatusOK {
		return nil
	}
	var answer struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &answer) != nil || answer.Type == "" {
		answer.Type, answer.Message = response.Status, string(text)
	}
	return &logsError{operation, answer.Type[strings.LastIndexByte(answer.Type, '#')+1:], answer.Message}
}

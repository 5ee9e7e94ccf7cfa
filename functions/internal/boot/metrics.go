package boot

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/gateway-grants/gateway-grants/pkg/handler"
)

// namespace is where CloudWatch keeps the metrics.
const namespace = "GatewayGrants"

// Metrics writes metrics as lines in CloudWatch's embedded metric format, which
// CloudWatch Logs turns into metrics of the namespace GatewayGrants, by function.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
type Metrics struct {
	function string
	now      func() time.Time

	mu sync.Mutex
	to io.Writer
}

var _ handler.Metrics = (*Metrics)(nil)

// NewMetrics writes the metrics of the function of that name.
func NewMetrics(to io.Writer, function string, now func() time.Time) *Metrics {
	return &Metrics{function: function, now: now, to: to}
}

// The parts of a line, in the specification's own names.
type (
	metadata struct {
		Timestamp         int64       `json:"Timestamp"` // milliseconds since 1970
		CloudWatchMetrics []directive `json:"CloudWatchMetrics"`
	}
	directive struct {
		Namespace  string       `json:"Namespace"`
		Dimensions [][]string   `json:"Dimensions"`
		Metrics    []definition `json:"Metrics"`
	}
	definition struct {
		Name string `json:"Name"`
		Unit string `json:"Unit"`
	}
)

// Emit writes one line with all values; no values are no line. A line that
// cannot be written is lost: it must not fail what it counts.
//
// Only gauges become metrics: CloudWatch charges for each combination of name and
// dimensions. All other values, and the gateway, are members of the line to search by.
func (m *Metrics) Emit(ctx context.Context, gateway string, values map[string]int) {
	if len(values) == 0 {
		return
	}
	const dimension = "FunctionName"
	line := map[string]any{dimension: m.function}
	if gateway != "" {
		line["gateway"] = gateway
	}
	if invocation, ok := lambdacontext.FromContext(ctx); ok {
		line["requestId"] = invocation.AwsRequestID
	}
	all := directive{Namespace: namespace, Dimensions: [][]string{{dimension}}}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		line[name] = values[name]
		if handler.IsGauge(name) {
			all.Metrics = append(all.Metrics, definition{Name: name, Unit: "Count"})
		}
	}
	if len(all.Metrics) > 0 {
		line["_aws"] = metadata{Timestamp: m.now().UnixMilli(), CloudWatchMetrics: []directive{all}}
	}
	encoded, err := json.Marshal(line)
	if err != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprintln(m.to, string(encoded))
}

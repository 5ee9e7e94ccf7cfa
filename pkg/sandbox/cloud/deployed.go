package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Deployed is what clients have deployed and the stand-in has to run. Moto keeps it
// and runs none of it.
type Deployed struct {
	Functions []DeployedFunction `json:"functions"`
	Mappings  []DeployedMapping  `json:"mappings"`
	Schedules []DeployedSchedule `json:"schedules"`
}

// DeployedFunction is a Lambda function as CreateFunction, UpdateFunction… and
// PutFunctionConcurrency left it.
type DeployedFunction struct {
	ARN          string            `json:"arn"` // without a version
	Role         string            `json:"role"`
	Runtime      string            `json:"runtime"`
	Handler      string            `json:"handler"`
	Architecture string            `json:"architecture"` // x86_64 or arm64
	Timeout      int               `json:"timeout"`      // seconds
	Memory       int               `json:"memory"`       // MB
	Reserved     *int              `json:"reserved"`     // concurrent executions; nil: no limit of its own
	Environment  map[string]string `json:"environment"`
	LogGroup     string            `json:"logGroup"`
	LogFormat    string            `json:"logFormat"` // Text or JSON
	Code         string            `json:"code"`      // SHA-256 of the zip, base64
	Policy       json.RawMessage   `json:"policy"`    // resource policy; null if none
	Async        AsyncSettings     `json:"async"`
}

// AsyncSettings are a function's event invoke config; nil is Lambda's default.
type AsyncSettings struct {
	Retries   *int   `json:"retries"` // 0 to 2
	MaxAge    *int   `json:"maxAge"`  // seconds
	OnFailure string `json:"onFailure"`
}

// DeployedMapping is an event source mapping of a DynamoDB stream or an SQS queue.
type DeployedMapping struct {
	UUID                    string   `json:"uuid"`
	Function                string   `json:"function"` // ARN
	Source                  string   `json:"source"`   // ARN of the stream or queue
	Enabled                 bool     `json:"enabled"`
	StartingPosition        string   `json:"startingPosition"` // of a stream
	BatchSize               int      `json:"batchSize"`
	BisectOnError           bool     `json:"bisectOnError"`
	ReportBatchItemFailures bool     `json:"reportBatchItemFailures"`
	Retries                 int      `json:"retries"` // -1: without end
	MaxAge                  int      `json:"maxAge"`  // seconds; -1: without end
	OnFailure               string   `json:"onFailure"`
	Filters                 []string `json:"filters"`            // event patterns
	MaximumConcurrency      int      `json:"maximumConcurrency"` // of a queue; 0: none set
	BatchingWindow          int      `json:"batchingWindow"`     // seconds
}

// DeployedSchedule is a schedule of EventBridge Scheduler.
type DeployedSchedule struct {
	ARN        string `json:"arn"`
	Expression string `json:"expression"`
	Timezone   string `json:"timezone"`
	Enabled    bool   `json:"enabled"`
	Target     string `json:"target"` // a function's ARN
	Role       string `json:"role"`
	Input      string `json:"input"`
	Retries    *int   `json:"retries"`
	MaxAge     *int   `json:"maxAge"` // seconds
	DeadLetter string `json:"deadLetter"`
}

// RuleMatch is an event that a rule's pattern has picked for a function, a queue or
// another event bus.
type RuleMatch struct {
	Rule       string          `json:"rule"`   // ARN
	Target     string          `json:"target"` // ARN of the function, queue or bus
	Role       string          `json:"role"`   // ARN; what the target is reached as, "" for none
	Event      json.RawMessage `json:"event"`
	Retries    *int            `json:"retries"`
	MaxAge     *int            `json:"maxAge"` // seconds
	DeadLetter string          `json:"deadLetter"`
}

// Deployed reads everything that is deployed at this moment, in all accounts and
// regions.
func (m *Moto) Deployed(ctx context.Context) (Deployed, error) {
	body, err := m.ask(ctx, "deployed", nil)
	if err != nil {
		return Deployed{}, fmt.Errorf("reading what is deployed: %w", err)
	}
	var deployed Deployed
	if err := json.Unmarshal(body, &deployed); err != nil {
		return Deployed{}, fmt.Errorf("reading what is deployed: %w", err)
	}
	return deployed, nil
}

// Code reads the zip of a function.
func (m *Moto) Code(ctx context.Context, function string) ([]byte, error) {
	code, err := m.ask(ctx, "code", url.Values{"function": {function}})
	if err != nil {
		return nil, fmt.Errorf("reading the code of %s: %w", function, err)
	}
	return code, nil
}

// ask gets what serve.py answers to the sandbox alone.
func (m *Moto) ask(ctx context.Context, about string, with url.Values) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.endpoint+"/_sandbox/"+about+"?"+with.Encode(), http.NoBody)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it was for
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it was for
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("moto answers %s: %.200s", response.Status, body)
	}
	return body, err
}

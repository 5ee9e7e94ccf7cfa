package boot

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/version"
)

func TestALogLineBelongsToItsRequest(t *testing.T) {
	var out bytes.Buffer
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "05be9129"})
	log := newLog(&out, slog.LevelWarn)
	log.InfoContext(ctx, "not of interest")
	log.With("gateway", "gw").WithGroup("g").WarnContext(ctx, "of interest", "error", "x")

	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: want exactly one line of JSON, got %s", err, out.String())
	}
	if line["level"] != "WARN" || line["msg"] != "of interest" || line["gateway"] != "gw" || line["version"] != version.Product() || !strings.Contains(out.String(), `"requestId":"05be9129"`) {
		t.Errorf("got %s", out.String())
	}
}

func TestGaugesAreEmbeddedMetrics(t *testing.T) {
	var out bytes.Buffer
	m := NewMetrics(&out, "table-changes", func() time.Time { return time.UnixMilli(1795165200123) })
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "05be9129"})
	m.Emit(ctx, "", map[string]int{"GatewaysFailing": 0, "PoliciesWritten": 2})
	m.Emit(ctx, "", map[string]int{"PoliciesWritten": 3})
	m.Emit(ctx, "", nil)

	want := `{"FunctionName":"table-changes","GatewaysFailing":0,"PoliciesWritten":2,"_aws":{"Timestamp":1795165200123,` +
		`"CloudWatchMetrics":[{"Namespace":"GatewayGrants","Dimensions":[["FunctionName"]],"Metrics":[` +
		`{"Name":"GatewaysFailing","Unit":"Count"}]}]},"requestId":"05be9129"}` + "\n" +
		`{"FunctionName":"table-changes","PoliciesWritten":3,"requestId":"05be9129"}` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// CloudTrail shows the product's own calls by the user agent of its clients.
func TestEveryCallNamesTheProduct(t *testing.T) {
	var agent string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { agent = r.UserAgent() }))
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_CA_BUNDLE": "", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": server.URL, "AWS_PROFILE": "", "AWS_CONFIG_FILE": "none",
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(name, value)
	}
	loaded, err := loadAWS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dynamodb.NewFromConfig(loaded).ListTables(t.Context(), &dynamodb.ListTablesInput{}); err == nil {
		t.Log("an empty answer passed for a list of tables") // what is answered does not matter here
	}
	if !slices.Contains(strings.Fields(agent), "app/"+handler.AppID) {
		t.Errorf("the user agent is %q", agent)
	}
}

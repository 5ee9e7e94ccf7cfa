package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
)

// outcome is how a caller fared with the gateway.
type outcome struct {
	refusal *mcpclient.RefusedError
	tools   []*mcp.Tool
	answer  string // of the echo tool
}

func (o outcome) in() bool      { return len(o.tools) == 1 && strings.Contains(o.answer, greeting) }
func (o outcome) refused() bool { return o.refusal != nil && o.refusal.Status == http.StatusForbidden }

const greeting = "hello across accounts"

// call has a session of the role list the gateway's tools and call the first,
// telling what comes back in the seed's words.
func (t *story) call(ctx context.Context, account, role string) (outcome, error) {
	config, err := t.stage.config("arn:aws:iam::"+account+":role/"+role, "session")
	if err != nil {
		return outcome{}, err
	}
	caller, err := sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return outcome{}, fmt.Errorf("ask who calls: %w", err)
	}
	t.say("Caller: %s", aws.ToString(caller.Arn))

	o, err := reach(ctx, config, t.gatewayURL)
	if errors.As(err, &o.refusal) {
		t.say("FAILED: %d %s for url '%s'", o.refusal.Status, http.StatusText(o.refusal.Status), o.refusal.URL)
		t.aside("%s", strings.TrimSpace(o.refusal.Body))
		return o, nil
	}
	if err != nil {
		return outcome{}, err
	}
	t.say("SUCCESS! tools/list returned:")
	for _, tool := range o.tools {
		t.say(" - %s: %s", tool.Name, tool.Description)
	}
	t.say("tools/call {\"message\":%q} returned: %s", greeting, o.answer)
	return o, nil
}

func reach(ctx context.Context, config aws.Config, url string) (outcome, error) {
	var o outcome
	client, err := mcpclient.Connect(ctx, url, mcpclient.Options{Credentials: config.Credentials, Region: region})
	if err != nil {
		return o, err
	}
	defer client.Close()
	if o.tools, err = client.Tools(ctx); err != nil || len(o.tools) == 0 {
		return o, err
	}
	result, err := client.Call(ctx, o.tools[0].Name, map[string]any{"message": greeting})
	if err != nil {
		return o, err
	}
	for _, content := range result.Content {
		if text, ok := content.(*mcp.TextContent); ok {
			o.answer += text.Text
		}
	}
	return o, nil
}

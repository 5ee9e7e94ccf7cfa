package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
)

func TestAGatewayIsCalledByWhateverNamesIt(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	for reason, name := range map[string]string{
		"its URL": "" + config.GatewayURL,
		"its URL without a scheme would be https, so the id": config.GatewayID,
		"its ARN":                config.GatewayARN,
		"the configuration file": "",
		"a slash at the end":     config.GatewayURL + "/",
	} {
		args := []string{"invoke"}
		if name != "" {
			args = append(args, name)
		}
		if got := w.run(args...); got.code != exitDone || !strings.Contains(got.out, "SUCCESS! tools/list returned:") {
			t.Errorf("%s: exit %d\n%s%s", reason, got.code, got.out, got.err)
		}
	}
	if got := w.run("invoke", "other-abcdefghij"); got.code != exitError || !strings.Contains(got.err, "does not tell where gateway other-abcdefghij is") {
		t.Errorf("an id of no gateway: exit %d\n%s%s", got.code, got.out, got.err)
	}
}

func TestOnAWSTheHostFollowsFromIdAndRegion(t *testing.T) {
	const at = "https://tools-abcdefghij.gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp"
	for _, test := range []struct {
		reason, name, flag string
		want               mcpclient.Endpoint
	}{
		{"an id is one of the session's Region", "tools-abcdefghij", "", mcpclient.Endpoint{URL: strings.Replace(at, "us-east-1", "eu-west-1", 1), Region: "eu-west-1"}},
		{"an ARN names its own", gatewayARN, "", mcpclient.Endpoint{URL: at, Region: "us-east-1"}},
		{"a host names its own, whatever the flag says", at, "eu-west-1", mcpclient.Endpoint{URL: at, Region: "us-east-1"}},
		{"a custom domain has the flag's", "mcp.example.com", "us-west-2", mcpclient.Endpoint{URL: "https://mcp.example.com/mcp", Region: "us-west-2"}},
	} {
		p := &program{}
		p.settings.region = test.flag
		got, err := p.endpoint(t.Context(), test.name, &session{config: aws.Config{Region: "eu-west-1"}})
		if err != nil || got != test.want {
			t.Errorf("%s: %+v, %v", test.reason, got, err)
		}
	}
}

package mcpclient_test

import (
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
)

const tools = "https://tools-abcdefghij.gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp"

func TestAGatewaysURLIsReadAsPeopleWriteIt(t *testing.T) {
	for text, test := range map[string]struct{ reason, url, region string }{
		strings.TrimSuffix(tools, "/mcp"): {"AWS gives it so where the gateway has no protocolType", tools, "us-east-1"},
		strings.TrimSuffix(tools, "mcp"):  {"a slash says nothing", tools, "us-east-1"},
		tools:                             {"AWS gives it so where the protocol is MCP", tools, "us-east-1"},
		tools + "/":                       {"a slash says nothing", tools, "us-east-1"},
		strings.Replace(tools, "tools", "TOOLS", 1): {"hosts have no case", tools, "us-east-1"},
		strings.TrimPrefix(tools, "https://"):       {"browsers leave the scheme out", tools, "us-east-1"},
		"  " + tools + "\n":                         {"it was pasted", tools, "us-east-1"},
		"https://tools-abcdefghij.gateway.bedrock-agentcore.cn-north-1.amazonaws.com.cn/mcp": {
			"China has a domain of its own", "https://tools-abcdefghij.gateway.bedrock-agentcore.cn-north-1.amazonaws.com.cn/mcp", "cn-north-1",
		},
		"https://tools-abcdefghij.gateway.bedrock-agentcore.us-gov-west-1.amazonaws.com/mcp": {
			"GovCloud has none", "https://tools-abcdefghij.gateway.bedrock-agentcore.us-gov-west-1.amazonaws.com/mcp", "us-gov-west-1",
		},
		"tools-abcdefghij.gateway.bedrock-agentcore.eusc-de-east-1.amazonaws.eu": {
			"the sovereign cloud has its own", "https://tools-abcdefghij.gateway.bedrock-agentcore.eusc-de-east-1.amazonaws.eu/mcp", "eusc-de-east-1",
		},
		"https://mcp.example.com":                            {"a custom domain says no Region", "https://mcp.example.com/mcp", ""},
		"https://MCP.example.com/tools/mcp":                  {"and may have any path", "https://mcp.example.com/tools/mcp", ""},
		"http://127.0.0.1:4566/gateway/tools-abcdefghij/mcp": {"a stand-in is local", "http://127.0.0.1:4566/gateway/tools-abcdefghij/mcp", ""},
		"https://vpce-0123456789abcdef0-abcdefgh.gateway.bedrock-agentcore.us-east-1.vpce.amazonaws.com/mcp": {
			"an endpoint in a VPC has a host of its own", "https://vpce-0123456789abcdef0-abcdefgh.gateway.bedrock-agentcore.us-east-1.vpce.amazonaws.com/mcp", "",
		},
	} {
		got, err := mcpclient.ParseEndpoint(text)
		if err != nil || got.URL != test.url || got.Region != test.region {
			t.Errorf("%s: %q: %+v, %v", test.reason, text, got, err)
		}
	}
}

func TestURLOfNoGateway(t *testing.T) {
	for text, test := range map[string]struct{ reason, says string }{
		"":                                       {"nothing is nowhere", "no URL"},
		"https://":                               {"a host is missing", "no URL"},
		"https://a_b.example.com":                {"no host is called so", "no URL"},
		"ftp://mcp.example.com/mcp":              {"calls are made by HTTP", "not https"},
		"https://key:secret@mcp.example.com/mcp": {"a secret in a URL ends up in logs", "credentials"},
		tools + "?x=1":                           {"a gateway takes no query", "follows its path"},
		tools + "#x":                             {"nor a fragment", "follows its path"},
		strings.Replace(tools, "https", "http", 1):                               {"AWS does not answer there", "https only"},
		strings.Replace(tools, "/mcp", "/tool/invocations", 1):                   {"it is the path of another protocol", "speaks MCP at /mcp"},
		strings.Replace(tools, "us-east-1", "cn-north-1", 1):                     {"China has a domain of its own", "no gateway at such a host"},
		"https://bedrock-agentcore-control.us-east-1.amazonaws.com":              {"gateways are kept there, not called", "no gateway at such a host"},
		"https://tools-abcdefghij.bedrock-agentcore.us-east-1.amazonaws.com/mcp": {"a part of the host is missing", "no gateway at such a host"},
	} {
		got, err := mcpclient.ParseEndpoint(text)
		if err == nil || !strings.Contains(err.Error(), test.says) || got != (mcpclient.Endpoint{}) {
			t.Errorf("%s: %q: %+v, %v", test.reason, text, got, err)
		}
	}
}

func TestTheHostOfAnIdReadsBackAsItsRegion(t *testing.T) {
	for _, region := range []string{"us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1", "us-isob-east-1", "mx-central-1"} {
		made := mcpclient.EndpointOf("Tools-abcdefghij", region)
		if read, err := mcpclient.ParseEndpoint(made.URL); err != nil || read != made || read.Region != region {
			t.Errorf("%s: made %+v, read %+v, %v", region, made, read, err)
		}
	}
}

package mcpclient

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Endpoint is where a gateway speaks MCP.
type Endpoint struct {
	URL    string // absolute; its host in lower case
	Region string // that the host names, which signatures must name too; "" where it names none
}

// What the names of AWS's hosts end in, by what the Regions of a partition begin
// with; of those that are not here, suffix.
// https://docs.aws.amazon.com/general/latest/gr/rande.html, and the SDKs' list of partitions
const suffix = "amazonaws.com"

var suffixes = map[string]string{
	"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu", "us-iso-": "c2s.ic.gov", "us-isob-": "sc2s.sgov.gov",
	"eu-isoe-": "cloud.adc-e.uk", "us-isof-": "csp.hci.ic.gov",
}

func suffixOf(region string) string {
	for prefix, special := range suffixes {
		if strings.HasPrefix(region, prefix) {
			return special
		}
	}
	return suffix
}

// EndpointOf is where AWS serves the gateway with this id.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-using.html
func EndpointOf(id, region string) Endpoint {
	return Endpoint{URL: "https://" + strings.ToLower(id) + ".gateway.bedrock-agentcore." + region + "." + suffixOf(region) + mcpPath, Region: region}
}

// mcpPath is where every gateway that AWS serves speaks MCP. The gatewayUrl of
// one made without protocolType leaves it out, and a call without it is answered
// with UnknownOperationException: https://github.com/awslabs/agentcore-samples/pull/1952
const mcpPath = "/mcp"

var awsHost = regexp.MustCompile(`^[^.]+\.gateway\.bedrock-agentcore\.([a-z]+(?:-[a-z]+)+-\d+)\.(.+)$`)

// ParseEndpoint reads a gateway's URL, or its host, with or without the path. On
// hosts of AWS's the path can only be /mcp; any other host keeps the path that it
// is given, and has /mcp where it is given none.
func ParseEndpoint(text string) (Endpoint, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Hostname() == "" || strings.Contains(parsed.Hostname(), "_") {
		return Endpoint{}, errors.New("it is no URL and no host")
	}
	switch {
	case parsed.Scheme != "https" && parsed.Scheme != "http":
		return Endpoint{}, fmt.Errorf("its scheme is %s, not https", parsed.Scheme)
	case parsed.User != nil:
		return Endpoint{}, errors.New("it holds credentials, and a call is signed with those of AWS")
	case parsed.RawQuery != "" || parsed.Fragment != "":
		return Endpoint{}, errors.New("something follows its path")
	}
	parsed.Host = strings.ToLower(parsed.Host)
	path := strings.TrimSuffix(parsed.Path, "/")
	if path == "" {
		path = mcpPath
	}
	region := regionOfHost(parsed.Hostname())
	if region == "" {
		if isAWS(parsed.Hostname()) {
			return Endpoint{}, errors.New("AWS serves no gateway at such a host")
		}
		parsed.Path, parsed.RawPath = path, ""
		return Endpoint{URL: parsed.String()}, nil
	}
	switch {
	case parsed.Scheme != "https":
		return Endpoint{}, errors.New("AWS serves gateways by https only")
	case path != mcpPath:
		return Endpoint{}, fmt.Errorf("its path is %s, and a gateway speaks MCP at %s", path, mcpPath)
	}
	parsed.Path, parsed.RawPath = path, ""
	return Endpoint{URL: parsed.String(), Region: region}, nil
}

// regionOfHost is the Region that a host of AWS's for gateways names, "" of any
// other host.
func regionOfHost(host string) string {
	if found := awsHost.FindStringSubmatch(host); len(found) == 3 && found[2] == suffixOf(found[1]) {
		return found[1]
	}
	return ""
}

// isAWS reports whether a host is AWS's. Those of VPC endpoints are left out: there
// a gateway may be, under a name that does not say its Region in the usual place.
func isAWS(host string) bool {
	return (strings.HasSuffix(host, "."+suffix) || strings.HasSuffix(host, "."+suffixOf("cn-")) || strings.HasSuffix(host, "."+suffixOf("eusc-"))) &&
		!strings.Contains(host, ".vpce.")
}

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/gateway-grants/gateway-grants/pkg/access"
)

func (p *program) sayCaller(i invocation) {
	if p.settings.structured() {
		return
	}
	fmt.Fprintf(p.out, "Profile: %s\nAccount: %s\nCaller: %s\n%s\n", i.Profile, i.Account, i.Caller, strings.Repeat("-", 60))
}

// sayInvoked prints what came of the call, and fails if it is a no.
func (p *program) sayInvoked(i invocation) error {
	if p.settings.structured() {
		if err := p.printValue(i); err != nil {
			return err
		}
	} else {
		p.sayAnswer(i)
	}
	if i.Refused != nil || i.Result != nil && i.Result.IsError {
		return errPrinted
	}
	return nil
}

func (p *program) sayAnswer(i invocation) {
	paint := p.paint(p.out)
	success, failed := paint.green("SUCCESS!"), paint.red("FAILED:")
	switch {
	case i.Refused != nil:
		fmt.Fprintln(p.out, failed, oneLine(i.Refused.Message))
		fmt.Fprintln(p.out, hint(*i.Refused, i))
	case i.Result != nil && i.Result.IsError:
		fmt.Fprintln(p.out, failed, "tools/call", i.Tool, "returned an error:")
		fmt.Fprintln(p.out, answerText(i.Result))
	case i.Result != nil:
		fmt.Fprintln(p.out, success, "tools/call", i.Tool, "returned:")
		fmt.Fprintln(p.out, answerText(i.Result))
	default:
		fmt.Fprintln(p.out, success, "tools/list returned:")
		for _, tool := range i.Tools {
			fmt.Fprintf(p.out, " - %s: %s\n", oneLine(tool.Name), oneLine(tool.Description))
		}
	}
}

// hint says what to do about a refusal. A 403 does not tell which of the two
// sides lacks the permission, so it names both.
func hint(refused refusedText, i invocation) string {
	switch {
	case refused.Status == http.StatusUnauthorized:
		return "Hint: the gateway does not accept the signature: check the credentials, the region of the URL, and that the gateway authenticates with IAM."
	case refused.Denied:
		return "Hint: " + deniedHint(i)
	case refused.Status == http.StatusBadRequest && i.Tool != "":
		return "Hint: check the tool's name and arguments: gateway-grants invoke without --tool lists the tools."
	case refused.Status == http.StatusNotFound:
		return notFoundHint(i.URL)
	default:
		return "Hint: the gateway did not answer the call; try again, and look at the gateway's logs if it stays so."
	}
}

// deniedHint says which side denies, where the caller may read the gateway's policy,
// and otherwise who can find out.
func deniedHint(i invocation) string {
	gateway := cmp.Or(i.gateway, "GATEWAY")
	asks := "gateway-grants access " + gateway + " --principal " + i.Caller + ", run by the gateway's owner, says which side denies."
	switch side := i.Refused.GatewaySide; {
	case side == nil:
		return "two policies must allow this call: the caller's identity policy (gateway-grants caller-policy GATEWAY prints it) and the gateway's resource policy (its owner runs gateway-grants grant GATEWAY " + i.Account + "). " + asks
	case side.Access == access.Denied:
		return side.Why + ". " + asks
	default:
		return "the gateway's side allows the call as far as its policy tells (" + side.Why + "), so look at the caller's own: gateway-grants caller-policy " + gateway + " prints what it needs. " + asks
	}
}

// notFoundHint tells a path that is not that of MCP from a gateway that is not
// there.
func notFoundHint(url string) string {
	if !strings.HasSuffix(url, "/mcp") {
		return "Hint: there is no gateway at this URL: a gateway speaks MCP at a path that ends in /mcp, so try " + strings.TrimSuffix(url, "/") + "/mcp."
	}
	return "Hint: there is no gateway at this URL: check it against gateway_url in gateway_config.json, or what its owner says."
}

// answerText is what a tool answered: its texts as they are, anything else as
// JSON.
func answerText(result *mcp.CallToolResult) string {
	parts := make([]string, 0, len(result.Content))
	for _, content := range result.Content {
		if text, ok := content.(*mcp.TextContent); ok {
			parts = append(parts, text.Text)
			continue
		}
		encoded, err := json.Marshal(content)
		if err != nil {
			encoded = []byte("(content that cannot be shown: " + err.Error() + ")")
		}
		parts = append(parts, string(encoded))
	}
	if len(parts) == 0 && result.StructuredContent != nil {
		if encoded, err := json.Marshal(result.StructuredContent); err == nil {
			parts = append(parts, string(encoded))
		}
	}
	return strings.Join(parts, "\n")
}

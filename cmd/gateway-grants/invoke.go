package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
)

type invokeFlags struct {
	tool      string
	arguments []string
	json      bool
}

func (p *program) invokeCommand() *cobra.Command {
	var flags invokeFlags
	cmd := &cobra.Command{
		Use:   "invoke [URL | GATEWAY]",
		Short: "Call a gateway as you are: list its tools, or call one",
		Long: `Call a gateway as you are: list its tools, or call one.

Prints who the caller is, then SUCCESS with the tools, or FAILED with the status and
the body of the refusal, and exits with 1. Name the gateway by its URL, with or without
/mcp, by its host, its ARN, or its id in your Region; left out, it is that of
gateway_config.json. At a custom domain the Region to sign for comes from --region.`,
		Example: `  gateway-grants invoke --profile account-b
  gateway-grants invoke https://tools-abcdefghij.gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp
  gateway-grants invoke https://mcp.example.com/mcp --region us-east-1
  gateway-grants invoke --tool echo-tools___echo_message --arg message=hello
  gateway-grants invoke --tool calc___add --arg a:=1 --arg b:=2`,
		Args: checked(between(0, 1, "an optional URL, id or ARN"), func(*cobra.Command, []string) error {
			_, err := toolArguments(flags)
			return err
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.invoke(cmd.Context(), strings.Join(args, ""), flags)
		},
	}
	set := cmd.Flags()
	set.StringVar(&flags.tool, "tool", "", "tool to call, by the name that the list gives it")
	set.StringArrayVar(&flags.arguments, "arg", nil, "argument of the tool: name=text, or name:=JSON; repeat for more")
	set.BoolVar(&flags.json, "json", false, "the same as --output json")
	p.configFlag(cmd)
	return cmd
}

func (p *program) invoke(ctx context.Context, name string, flags invokeFlags) error {
	if flags.json {
		p.settings.output = outputJSON
	}
	arguments, err := toolArguments(flags)
	if err != nil {
		return err
	}
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	at, err := p.endpoint(ctx, name, s)
	if err != nil {
		return err
	}
	who, err := s.identity(ctx)
	if err != nil {
		return err
	}
	call := invocation{Profile: s.profile, Account: who.Account, Caller: who.ARN, URL: at.URL, Tool: flags.tool}
	p.sayCaller(call)
	err = call.make(ctx, arguments, mcpclient.Options{Credentials: s.config.Credentials, Region: at.Region, Now: p.now})
	if refused, ok := errors.AsType[*mcpclient.RefusedError](err); ok {
		call.Refused = &refusedText{Status: refused.Status, Body: refused.Body, Message: refused.Error(), Denied: refused.Denied()}
		call.gateway, call.Refused.GatewaySide = p.gatewaySide(ctx, name, at.URL, s, *call.Refused)
		err = nil
	}
	if err != nil {
		return err
	}
	return p.sayInvoked(call)
}

// toolArguments reads name=text and name:=JSON.
func toolArguments(flags invokeFlags) (map[string]any, error) {
	if flags.tool == "" && len(flags.arguments) > 0 {
		return nil, refuse("--arg is for a tool: name it with --tool")
	}
	arguments := map[string]any{}
	for _, text := range flags.arguments {
		name, value, found := strings.Cut(text, "=")
		if !found || strings.TrimSuffix(name, ":") == "" {
			return nil, refuse("--arg %q has no name: write name=text, or name:=JSON", text)
		}
		typed, isJSON := strings.CutSuffix(name, ":")
		if !isJSON {
			arguments[name] = value
			continue
		}
		var decoded any
		if err := json.Unmarshal([]byte(value), &decoded); err != nil {
			return nil, refuse("--arg %q is not JSON after := (%v): correct it, or write %s=text", text, err, typed)
		}
		arguments[typed] = decoded
	}
	return arguments, nil
}

// invocation is a call of a gateway and what came of it.
type invocation struct {
	Profile string              `json:"profile"`
	Account string              `json:"account"`
	Caller  string              `json:"caller"`
	URL     string              `json:"url"`
	Tools   []toolText          `json:"tools,omitempty"`
	Tool    string              `json:"tool,omitempty"`
	Result  *mcp.CallToolResult `json:"result,omitempty"`
	Refused *refusedText        `json:"refused,omitempty"`

	gateway string // its ARN; "" for not known
}

type toolText struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

type refusedText struct {
	Status  int    `json:"status"`
	Body    string `json:"body"`
	Message string `json:"message"`
	Denied  bool   `json:"denied"`

	GatewaySide *partText `json:"gatewaySide,omitempty"` // what the gateway's policy says, where the caller may read it
}

// make connects and lists or calls.
func (i *invocation) make(ctx context.Context, arguments map[string]any, options mcpclient.Options) error {
	client, err := mcpclient.Connect(ctx, i.URL, options)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // the answer is there, or the error is
	if i.Tool != "" {
		i.Result, err = client.Call(ctx, i.Tool, arguments)
		return err
	}
	tools, err := client.Tools(ctx)
	if err != nil {
		return err
	}
	i.Tools = make([]toolText, len(tools))
	for n, tool := range tools {
		i.Tools[n] = toolText{Name: tool.Name, Description: tool.Description}
	}
	return nil
}

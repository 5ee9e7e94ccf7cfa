"""A Strands agent calls the tool of a gateway: URL."""

import sys

from mcp_proxy_for_aws.client import aws_iam_streamablehttp_client
from strands import Agent
from strands.models import Model
from strands.tools.mcp import MCPClient

from report import client, did, expect, expect_refused

TOOL = "echo-tools___echo_message"


class Scripted(Model):
    """Answers as a model would that calls the tool once and then says what it heard."""

    def update_config(self, **config):
        pass

    def get_config(self):
        return {}

    async def structured_output(self, output_model, prompt, system_prompt=None, **settings):
        raise NotImplementedError
        yield

    async def stream(self, messages, tool_specs=None, system_prompt=None, **settings):
        expect("tools offered to the model", [spec["name"] for spec in tool_specs], [TOOL])
        heard = [part["toolResult"] for part in messages[-1]["content"] if "toolResult" in part]
        yield {"messageStart": {"role": "assistant"}}
        if heard:
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": f"{heard[0]['status']}: {heard[0]['content']}"}}}
        else:
            yield {"contentBlockStart": {"start": {"toolUse": {"name": TOOL, "toolUseId": "call-1"}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"message": "hello"}'}}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn" if heard else "tool_use"}}


def tools(url, profile):
    return MCPClient(
        lambda: aws_iam_streamablehttp_client(
            endpoint=url, aws_region="us-east-1", aws_profile=profile, aws_service="bedrock-agentcore"
        )
    )


url = sys.argv[1]
client("strands-agents")
with tools(url, "account-b") as gateway:
    agent = Agent(model=Scripted(), tools=gateway.list_tools_sync(), callback_handler=None)
    said = str(agent("Say hello with the tool."))
    if "success" not in said or "hello" not in said:
        raise AssertionError(f"the agent says {said}")
did("ran an agent that called the tool and read its answer")
try:
    with tools(url, "management") as gateway:
        gateway.list_tools_sync()
except Exception as error:
    expect_refused(error)
    did("was refused with 403 as an account without a grant")
else:
    raise AssertionError("an account without a grant was let in")

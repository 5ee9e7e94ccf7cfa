"""mcp-proxy-for-aws stands between an MCP client and a gateway: URL."""

import asyncio
import os
import sys
from pathlib import Path

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_proxy_for_aws.client import aws_iam_streamablehttp_client

from report import client, did, expect, expect_refused

TOOL = "echo-tools___echo_message"


async def use(read, write):
    async with ClientSession(read, write) as session:
        await session.initialize()
        tools = (await session.list_tools()).tools
        expect("tools", [tool.name for tool in tools], [TOOL])
        answer = await session.call_tool(TOOL, {"message": "hello"})
        if answer.isError or "hello" not in answer.content[0].text:
            raise AssertionError(f"the tool answers {answer}")


async def as_proxy(url):
    program = StdioServerParameters(
        command=str(Path(sys.executable).with_name("mcp-proxy-for-aws")),
        args=[url, "--service", "bedrock-agentcore", "--region", "us-east-1", "--profile", "account-b"],
        env=dict(os.environ),
    )
    async with stdio_client(program) as (read, write):
        await use(read, write)


async def as_library(url, profile):
    transport = aws_iam_streamablehttp_client(
        endpoint=url, aws_region="us-east-1", aws_profile=profile, aws_service="bedrock-agentcore"
    )
    async with transport as (read, write, _):
        await use(read, write)


url = sys.argv[1]
client("mcp-proxy-for-aws")
client("mcp")
asyncio.run(as_proxy(url))
did("listed and called the tool through the proxy's standard input and output")
asyncio.run(as_library(url, "account-b"))
did("listed and called the tool through its signing transport")
try:
    asyncio.run(as_library(url, "management"))
except Exception as error:
    expect_refused(error)
    did("was refused with 403 as an account without a grant")
else:
    raise AssertionError("an account without a grant was let in")

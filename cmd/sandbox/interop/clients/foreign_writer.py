"""AWS's MCP server for AgentCore replaces or deletes a policy: put|delete ARN [POLICY]."""

import asyncio
import os
import sys
from pathlib import Path

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from report import client, did


async def call(tool, arguments):
    server = StdioServerParameters(
        command=str(Path(sys.executable).with_name("awslabs.amazon-bedrock-agentcore-mcp-server")),
        env=dict(os.environ),
    )
    async with Client(stdio_client(server)) as session:
        answer = await session.call_tool(tool, arguments)
        said = answer.content[0].text
        if answer.is_error or '"success"' not in said:
            raise AssertionError(f"{tool} answers {said}")


what, gateway, *policy = sys.argv[1:]
client("awslabs-amazon-bedrock-agentcore-mcp-server")
if what == "put":
    asyncio.run(call("gateway_resource_policy_put", {"resource_arn": gateway, "policy": policy[0]}))
    did("replaced the whole policy of a managed gateway; the product's statements came back and its own stayed")
else:
    asyncio.run(call("gateway_resource_policy_delete", {"resource_arn": gateway}))
    did("deleted the whole policy; the product's statements came back")

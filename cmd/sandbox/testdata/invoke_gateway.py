"""Lists a gateway's tools and calls the first one, signed by mcp-proxy-for-aws:

invoke_gateway.py URL MESSAGE

Prints one JSON object: {"tools": [...], "answer": "..."} or {"refused": "..."}.
Who calls is said by AWS_PROFILE.
"""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp_proxy_for_aws.client import aws_iam_streamablehttp_client


def innermost(error):
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def invoke(url, message):
    transport = aws_iam_streamablehttp_client(endpoint=url, aws_region="us-east-1", aws_service="bedrock-agentcore")
    async with transport as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        called = await session.call_tool(tools[0], {"message": message})
        return {"tools": tools, "answer": called.content[0].text, "failed": called.isError}


try:
    outcome = asyncio.run(invoke(*sys.argv[1:]))
except BaseException as error:
    outcome = {"refused": str(innermost(error))}
print(json.dumps(outcome))

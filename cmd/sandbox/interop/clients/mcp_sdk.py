"""The newest MCP SDK calls a gateway through a transport that signs: URL."""

import asyncio
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from report import client, did, expect, expect_refused
from signed_httpx import signing

TOOL = "echo-tools___echo_message"


async def call(url, profile):
    async with httpx2.AsyncClient(auth=signing(httpx2, profile), timeout=30) as http:
        async with Client(streamable_http_client(url, http_client=http)) as session:
            tools = (await session.list_tools()).tools
            expect("tools", [tool.name for tool in tools], [TOOL])
            answer = await session.call_tool(TOOL, {"message": "hello"})
            if answer.is_error or "hello" not in answer.content[0].text:
                raise AssertionError(f"the tool answers {answer}")
            return session.protocol_version


url = sys.argv[1]
client("mcp")
version = asyncio.run(call(url, "account-b"))
did(f"listed and called the tool with MCP {version}, over a SigV4 transport")
try:
    asyncio.run(call(url, "management"))
except Exception as error:
    expect_refused(error)
    did("was refused with 403 as an account without a grant")
else:
    raise AssertionError("an account without a grant was let in")

"""LangChain's adapters make a tool of a gateway's: URL."""

import asyncio
import sys

import httpx
from langchain_mcp_adapters.client import MultiServerMCPClient

from report import client, did, expect, expect_refused
from signed_httpx import signing

TOOL = "echo-tools___echo_message"


async def call(url, profile):
    server = {"transport": "streamable_http", "url": url, "auth": signing(httpx, profile)}
    tools = await MultiServerMCPClient({"gateway": server}).get_tools()
    expect("tools", [tool.name for tool in tools], [TOOL])
    answer = await tools[0].ainvoke({"message": "hello"})
    if "hello" not in str(answer):
        raise AssertionError(f"the tool answers {answer}")


url = sys.argv[1]
client("langchain-mcp-adapters")
asyncio.run(call(url, "account-b"))
did("made a LangChain tool of the gateway's and invoked it")
try:
    asyncio.run(call(url, "management"))
except Exception as error:
    expect_refused(error)
    did("was refused with 403 as an account without a grant")
else:
    raise AssertionError("an account without a grant was let in")

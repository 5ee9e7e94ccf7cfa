"""Lists the tools of a gateway as one profile, and calls the first if there is a message.

invoke_gateway.py [PROFILE] [--url URL] [--message TEXT] [--region us-east-1]

The gateway is that of gateway_config.json unless --url names one. Exit code 1 means
that the gateway, or its tool, has refused.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

import boto3
from mcp import ClientSession
from mcp_proxy_for_aws.client import aws_iam_streamablehttp_client

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup


async def invoke(url, profile, region, message):
    transport = aws_iam_streamablehttp_client(
        endpoint=url, aws_region=region, aws_profile=profile, aws_service="bedrock-agentcore"
    )
    async with transport as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        tools = (await session.list_tools()).tools
        print("SUCCESS! tools/list returned:")
        for tool in tools:
            print(f" - {tool.name}: {tool.description}")
        if message is None:
            return
        answer = await session.call_tool(tools[0].name, {"message": message})
        text = "".join(part.text for part in answer.content if part.type == "text")
        if answer.isError:
            raise RuntimeError(f"{tools[0].name} answered with an error: {text}")
        print(f"tools/call {tools[0].name} returned: {text}")


def causes(error):
    """Gives what is inside the groups that concurrent tasks wrap their errors in."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from causes(inner)
    else:
        yield error


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("profile", nargs="?", default="account-a", help="who calls")
    arguments.add_argument("--url", help="the gateway's; by default that of gateway_config.json")
    arguments.add_argument("--message", help="call the first tool with it, too")
    arguments.add_argument("--region", default="us-east-1")
    options = arguments.parse_args()
    url = options.url or json.loads(Path("gateway_config.json").read_text())["gateway_url"]

    session = boto3.Session(profile_name=options.profile, region_name=options.region)
    caller = session.client("sts").get_caller_identity()
    print(f"Profile: {options.profile}")
    print(f"Account: {caller['Account']}")
    print(f"Caller: {caller['Arn']}")
    print("-" * 60)
    try:
        asyncio.run(invoke(url, options.profile, options.region, options.message))
    except Exception as failed:
        for cause in causes(failed):
            # The first line says what happened; httpx adds where to read about it.
            print(f"FAILED: {type(cause).__name__}: {str(cause).partition(chr(10))[0]}")
        sys.exit(1)


if __name__ == "__main__":
    main()

"""AWS's GatewayClient takes a gateway through its life: ROLE_ARN LAMBDA_ARN."""

import sys

from bedrock_agentcore._utils.config import WaitConfig
from bedrock_agentcore.gateway import GatewayClient

from report import client, did, expect

role, function = sys.argv[1:]
client("bedrock-agentcore")
gateways = GatewayClient(region_name="us-east-1")
soon = WaitConfig(max_wait=30, poll_interval=1)

gateway = gateways.create_gateway_and_wait(
    wait_config=soon, name="made-by-the-sdk", role_arn=role, protocol_type="MCP", authorizer_type="AWS_IAM"
)
expect("authorizer", gateway["authorizerType"], "AWS_IAM")
made = gateway["gatewayId"]
expect("by name", gateways.get_gateway_by_name("made-by-the-sdk")["gatewayId"], made)
did("created a gateway, waited until it was ready and found it by name")

tool = {"name": "echo_message", "description": "Echoes.", "inputSchema": {"type": "object"}}
target = gateways.create_gateway_target_and_wait(
    wait_config=soon,
    gatewayIdentifier=made,
    name="echo-tools",
    targetConfiguration={"mcp": {"lambda": {"lambdaArn": function, "toolSchema": {"inlinePayload": [tool]}}}},
    credentialProviderConfigurations=[{"credentialProviderType": "GATEWAY_IAM_ROLE"}],
)
found = gateways.get_gateway_target_by_name(made, "echo-tools")
expect("target by name", found["targetId"], target["targetId"])
did("added a Lambda target and found it by name")

updated = gateways.update_gateway_and_wait(
    wait_config=soon,
    gatewayIdentifier=made,
    name="made-by-the-sdk",
    roleArn=role,
    protocolType="MCP",
    authorizerType="AWS_IAM",
    description="Updated.",
)
expect("description", updated["description"], "Updated.")
did("updated the gateway")

gateways.delete_gateway_target_and_wait(
    wait_config=soon, gatewayIdentifier=made, targetId=target["targetId"]
)
gateways.delete_gateway_and_wait(wait_config=soon, gatewayIdentifier=made)
expect("after the delete", gateways.get_gateway_by_name("made-by-the-sdk"), None)
did("deleted target and gateway, and waited until they were gone")

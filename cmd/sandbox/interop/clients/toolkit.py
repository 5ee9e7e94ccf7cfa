"""The starter toolkit makes a gateway with a role and a function of its own making."""

from bedrock_agentcore_starter_toolkit.operations.gateway.client import GatewayClient

from report import client, did, expect

client("bedrock-agentcore-starter-toolkit")
toolkit = GatewayClient(region_name="us-east-1")
issuer = "https://idp.example.com/.well-known/openid-configuration"

gateway = toolkit.create_mcp_gateway(
    name="made-by-the-toolkit",
    authorizer_config={"customJWTAuthorizer": {"discoveryUrl": issuer, "allowedClients": ["agents"]}},
    enable_observability=False,
)
expect("authorizer", gateway["authorizerType"], "CUSTOM_JWT")
did("created an IAM role and a CUSTOM_JWT gateway with semantic search")

target = toolkit.create_mcp_gateway_target(gateway, name="weather", target_type="lambda")
listed = toolkit.list_gateway_targets(gateway_identifier=gateway["gatewayId"])
expect("targets", [item["targetId"] for item in listed["items"]], [target["targetId"]])
did("created a Lambda function and a target for it, and listed it")

one = toolkit.get_gateway(name="made-by-the-toolkit")
expect("gateway", one["gateway"]["gatewayArn"], gateway["gatewayArn"])
toolkit.update_gateway(gateway_identifier=gateway["gatewayId"], description="Updated.")
one = toolkit.get_gateway(gateway_identifier=gateway["gatewayId"])
expect("description", one["gateway"]["description"], "Updated.")
did("found the gateway by name and updated it")

gone = toolkit.delete_gateway(gateway_identifier=gateway["gatewayId"], skip_resource_in_use=True)
expect("deletion", gone["status"], "success")
did("deleted the gateway with its target")

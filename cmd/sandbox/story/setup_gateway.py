"""Makes a gateway with IAM authentication and one tool behind it, a Lambda function.

setup_gateway.py [--profile account-a] [--region us-east-1]

Whatever is there already is used as it is, but for the gateway itself. What was made
is written down in gateway_config.json, which the other scripts read. Nothing here
knows whether it talks to AWS or to the stand-in: the profile says where.
"""

import argparse
import io
import json
import time
import zipfile
from pathlib import Path

import boto3

GATEWAY = "cross-account-test"
FUNCTION = "cross-account-gateway-test"
GATEWAY_ROLE = "AgentCoreGatewayServiceRole"
FUNCTION_ROLE = "CrossAccountTestLambdaRole"
BASIC_EXECUTION = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"

HANDLER = '''\
def handler(event, context):
    """Gets the tool's arguments as its event; which tool it is, is in the context."""
    return {"message": event["message"]}
'''

ECHO = {
    "name": "echo_message",
    "description": "Echo back a message for testing",
    "inputSchema": {
        "type": "object",
        "properties": {"message": {"type": "string", "description": "The message to echo"}},
        "required": ["message"],
    },
}

PATIENCE = 120  # seconds that a state of AWS is waited for
PAUSE = 2  # seconds between two looks


def policy(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def until(what, look):
    """Looks again and again, and gives what was found as soon as there is something."""
    print(f"Waiting: {what} ...", end="", flush=True)
    deadline = time.monotonic() + PATIENCE
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise SystemExit(f" not within {PATIENCE} seconds")
        time.sleep(PAUSE)
    print(" done")
    return found


def role(iam, name, trust):
    """Makes a role, and says whether it is new."""
    try:
        return iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"], True
    except iam.exceptions.EntityAlreadyExistsException:
        return iam.get_role(RoleName=name)["Role"]["Arn"], False


def gateway_role(iam, account, region):
    # Without the conditions AgentCore could be led to act as this role for a gateway of
    # somebody else's: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    trust = policy(
        Principal={"Service": "bedrock-agentcore.amazonaws.com"},
        Action="sts:AssumeRole",
        Condition={
            "StringEquals": {"aws:SourceAccount": account},
            "ArnLike": {"aws:SourceArn": f"arn:aws:bedrock-agentcore:{region}:{account}:*"},
        },
    )
    arn, new = role(iam, GATEWAY_ROLE, trust)
    print(f"Gateway role {'made' if new else 'is there'}: {arn}")
    return arn


def function_role(iam):
    arn, new = role(iam, FUNCTION_ROLE, policy(Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole"))
    if new:
        iam.attach_role_policy(RoleName=FUNCTION_ROLE, PolicyArn=BASIC_EXECUTION)
    print(f"Function role {'made' if new else 'is there'}: {arn}")
    return arn


def deployment_package():
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lambda_function.py", HANDLER)
    return package.getvalue()


def function(client, role_arn):
    def make():
        try:
            return client.create_function(
                FunctionName=FUNCTION,
                Runtime="python3.12",
                Handler="lambda_function.handler",
                Role=role_arn,
                Code={"ZipFile": deployment_package()},
            )["FunctionArn"]
        except client.exceptions.ResourceConflictException:
            return client.get_function(FunctionName=FUNCTION)["Configuration"]["FunctionArn"]
        except client.exceptions.InvalidParameterValueException as refused:
            # IAM takes seconds to tell Lambda of a new role.
            if "cannot be assumed" in str(refused):
                return None
            raise

    arn = until("Lambda knows the role, and makes the function", make)
    print(f"Function: {arn}")
    return arn


def gateway(client, role_arn):
    made = client.create_gateway(
        name=GATEWAY,
        description="Cross-account access test gateway",
        protocolType="MCP",
        authorizerType="AWS_IAM",
        roleArn=role_arn,
    )
    print(f"Gateway: {made['gatewayArn']}")
    until("the gateway is READY", lambda: ready(client.get_gateway(gatewayIdentifier=made["gatewayId"])))
    return made


def target(client, gateway_id, function_arn):
    made = client.create_gateway_target(
        gatewayIdentifier=gateway_id,
        name="echo-tools",
        targetConfiguration={"mcp": {"lambda": {"lambdaArn": function_arn, "toolSchema": {"inlinePayload": [ECHO]}}}},
        credentialProviderConfigurations=[{"credentialProviderType": "GATEWAY_IAM_ROLE"}],
    )["targetId"]
    print(f"Target: {made}")
    until("the target is READY", lambda: ready(client.get_gateway_target(gatewayIdentifier=gateway_id, targetId=made)))
    return made


def ready(described):
    if described["status"] == "FAILED":
        raise SystemExit(f" it failed: {described.get('statusReasons')}")
    return described if described["status"] == "READY" else None


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--profile", default="account-a", help="account that provides the tool")
    arguments.add_argument("--region", default="us-east-1")
    options = arguments.parse_args()

    session = boto3.Session(profile_name=options.profile, region_name=options.region)
    iam, agentcore = session.client("iam"), session.client("bedrock-agentcore-control")
    account = session.client("sts").get_caller_identity()["Account"]

    gateway_role_arn = gateway_role(iam, account, options.region)
    function_arn = function(session.client("lambda"), function_role(iam))
    iam.put_role_policy(
        RoleName=GATEWAY_ROLE,
        PolicyName="LambdaInvoke",
        PolicyDocument=policy(Action="lambda:InvokeFunction", Resource=function_arn),
    )
    made = gateway(agentcore, gateway_role_arn)
    target_id = target(agentcore, made["gatewayId"], function_arn)

    config = {
        "gateway_id": made["gatewayId"],
        "gateway_url": made["gatewayUrl"],
        "gateway_arn": made["gatewayArn"],
        "target_id": target_id,
        "lambda_arn": function_arn,
        "account_id": account,
        "region": options.region,
    }
    Path("gateway_config.json").write_text(json.dumps(config, indent=2) + "\n")
    print(f"Ready: {made['gatewayUrl']} (all of it is in gateway_config.json)")


if __name__ == "__main__":
    main()

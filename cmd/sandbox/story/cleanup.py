"""Deletes what setup_gateway.py has made, as gateway_config.json has it.

cleanup.py [--profile account-a]
"""

import argparse
import json
from pathlib import Path

import boto3
from setup_gateway import FUNCTION, FUNCTION_ROLE, GATEWAY_ROLE, until


def delete_gateway(client, config):
    try:
        client.delete_resource_policy(resourceArn=config["gateway_arn"])
        print("Resource policy deleted")
    except client.exceptions.ResourceNotFoundException:
        print("There is no resource policy")
    gateway, target = config["gateway_id"], config["target_id"]
    client.delete_gateway_target(gatewayIdentifier=gateway, targetId=target)
    print(f"Target deleted: {target}")

    # A target is deleted after the call is answered, and a gateway that has one is kept.
    def delete():
        try:
            return client.delete_gateway(gatewayIdentifier=gateway)
        except client.exceptions.ClientError as refused:
            if refused.response["Error"]["Code"] in ("ConflictException", "ValidationException"):
                return None
            raise

    until("the gateway has no target, and is deleted", delete)


def delete_role(iam, name):
    for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=inline)
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
    iam.delete_role(RoleName=name)
    print(f"Role deleted: {name}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--profile", default="account-a", help="account that provides the tool")
    options = arguments.parse_args()
    config = json.loads(Path("gateway_config.json").read_text())

    session = boto3.Session(profile_name=options.profile, region_name=config["region"])
    delete_gateway(session.client("bedrock-agentcore-control"), config)
    session.client("lambda").delete_function(FunctionName=FUNCTION)
    print(f"Function deleted: {FUNCTION}")
    for name in (FUNCTION_ROLE, GATEWAY_ROLE):
        delete_role(session.client("iam"), name)


if __name__ == "__main__":
    main()

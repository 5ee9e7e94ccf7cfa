"""Lets another account call the gateway of gateway_config.json, by hand.

put_resource_policy.py [ACCOUNT_OR_ROLE_ARN] [--profile account-a]

This replaces the whole resource policy, whatever was in it. Gateway Grants does it
without that, for many gateways, and takes it back.
"""

import argparse
import json
from pathlib import Path

import boto3


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument(
        "principal",
        nargs="?",
        default="arn:aws:iam::444455556666:root",
        help="ARN of a role, a user, or an account's root, which stands for the whole account",
    )
    arguments.add_argument("--profile", default="account-a", help="account that provides the tool")
    options = arguments.parse_args()
    config = json.loads(Path("gateway_config.json").read_text())

    session = boto3.Session(profile_name=options.profile, region_name=config["region"])
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AllowCrossAccountInvoke",
                "Effect": "Allow",
                "Principal": {"AWS": options.principal},
                "Action": "bedrock-agentcore:InvokeGateway",
                # Nothing but the gateway's own ARN is taken here; not "*" either.
                "Resource": config["gateway_arn"],
            }
        ],
    }
    session.client("bedrock-agentcore-control").put_resource_policy(
        resourceArn=config["gateway_arn"], policy=json.dumps(document)
    )
    print(f"{options.principal} may call {config['gateway_arn']}")


if __name__ == "__main__":
    main()

"""AWS's ResourcePolicyClient puts, reads and deletes a gateway's policy: ARN ACCOUNT."""

import sys

from bedrock_agentcore.services.resource_policy import ResourcePolicyClient
from botocore.exceptions import ClientError

from report import client, did, expect

gateway, account = sys.argv[1:]
client("bedrock-agentcore")
policies = ResourcePolicyClient(region="us-east-1")


def refused(call):
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


expect("a gateway without a policy", policies.get_resource_policy(gateway), None)
expect(
    "deleting none", refused(lambda: policies.delete_resource_policy(gateway)), "ResourceNotFoundException"
)
did("read and deleted a policy that is not there")

document = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Partner",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": "bedrock-agentcore:InvokeGateway",
            "Resource": gateway,
        }
    ],
}
expect("put", policies.put_resource_policy(gateway, document), document)
expect("get", policies.get_resource_policy(gateway), document)
did("put a policy and read it back")

document["Statement"][0]["Resource"] = "*"
expect(
    "a policy for every resource",
    refused(lambda: policies.put_resource_policy(gateway, document)),
    "ValidationException",
)
did("was refused a policy for every resource")

policies.delete_resource_policy(gateway)
expect("after the delete", policies.get_resource_policy(gateway), None)
did("deleted the policy")

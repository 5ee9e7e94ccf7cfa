"""Resource policies of single log groups, which moto does not know: it takes them for those of
the account, of which there are ten at most.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutResourcePolicy.html
"""

import json
from collections import defaultdict
from time import time
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.logs.responses import LogsResponse

MOST = 10  # of an account and region

scoped: defaultdict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)  # by account and region

by_moto = {
    name: getattr(LogsResponse, name)
    for name in ("put_resource_policy", "describe_resource_policies", "delete_resource_policy")
}


def install() -> None:
    """Puts what is here in place of moto's own."""
    LogsResponse.put_resource_policy = put_resource_policy
    LogsResponse.describe_resource_policies = describe_resource_policies
    LogsResponse.delete_resource_policy = delete_resource_policy


def put_resource_policy(call: LogsResponse) -> str:
    """Puts the one policy of a log group, or one of the account's."""
    asked = json.loads(call.body)
    group = asked.get("resourceArn")
    if group is None:
        names = {p.policy_name for p in call.logs_backend.describe_resource_policies()}
        if asked["policyName"] not in names and len(names) >= MOST:
            raise JsonRESTError("LimitExceededException", "Resource limit exceeded.")
        return by_moto["put_resource_policy"](call)
    if group.rpartition(":log-group:")[2] not in call.logs_backend.groups:
        raise JsonRESTError("ResourceNotFoundException", "The specified log group does not exist.")
    policy = {"policyDocument": asked["policyDocument"], "policyScope": "RESOURCE", "resourceArn": group, "lastUpdatedTime": int(time() * 1000)}
    scoped[call.current_account, call.region][group] = policy
    return json.dumps({"resourcePolicy": policy})


def describe_resource_policies(call: LogsResponse) -> str:
    """Lists a log group's policy, or those of the account."""
    asked = json.loads(call.body) if call.body else {}
    if asked.get("policyScope") != "RESOURCE":
        return by_moto["describe_resource_policies"](call)
    here = scoped[call.current_account, call.region]
    return json.dumps({"resourcePolicies": [p for group, p in here.items() if asked.get("resourceArn") in (None, group)]})


def delete_resource_policy(call: LogsResponse) -> str:
    """Deletes the policy of a log group, or one of the account's."""
    group = json.loads(call.body).get("resourceArn")
    if group is None:
        return by_moto["delete_resource_policy"](call)
    if scoped[call.current_account, call.region].pop(group, None) is None:
        raise JsonRESTError("ResourceNotFoundException", "Policy does not exist.")
    return ""

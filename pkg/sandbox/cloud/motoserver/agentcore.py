"""AgentCore's gateways and their targets. This server has none: they are made where the
client of CloudFormation is served, with his credentials, as CloudFormation makes them.
https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-create.html
"""

import time
from collections.abc import Callable
from typing import Any

from aws import AWS
from botocore.exceptions import ClientError
from kinds import Kind, Made, Properties, changed, without

CONTROL = "bedrock-agentcore-control"
READY_WITHIN = 60  # seconds
PAUSE = 0.2  # seconds


class Gateway(Kind):
    name, longest, fixed = "Name", 48, ("ProtocolType", "AuthorizerType")

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        identity = aws(CONTROL, "CreateGateway", **p | {"Name": name})["gatewayId"]
        return self._ready(aws, identity)

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        if "Tags" in changed(old, p):
            raise ValueError("the tags of a gateway cannot change here")
        aws(CONTROL, "UpdateGateway", **without(p, "Tags"), GatewayIdentifier=made.id)
        return self._ready(aws, made.id)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws(CONTROL, "DeleteGateway", GatewayIdentifier=made.id)
        _gone(lambda: aws(CONTROL, "GetGateway", GatewayIdentifier=made.id))

    def _ready(self, aws: AWS, identity: str) -> Made:
        gateway = _ready(lambda: aws(CONTROL, "GetGateway", GatewayIdentifier=identity))
        attributes = {"GatewayIdentifier": identity, "GatewayArn": gateway["gatewayArn"], "GatewayUrl": gateway["gatewayUrl"]}
        return Made(identity, attributes)


class GatewayTarget(Kind):
    fixed = ("GatewayIdentifier",)

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        identity = aws(CONTROL, "CreateGatewayTarget", **p)["targetId"]
        return self._ready(aws, p, identity)

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        identity = made.attributes["TargetId"]
        aws(CONTROL, "UpdateGatewayTarget", **p, TargetId=identity)
        return self._ready(aws, p, identity)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        which = {"GatewayIdentifier": p["GatewayIdentifier"], "TargetId": made.attributes["TargetId"]}
        aws(CONTROL, "DeleteGatewayTarget", **which)
        _gone(lambda: aws(CONTROL, "GetGatewayTarget", **which))

    def _ready(self, aws: AWS, p: Properties, identity: str) -> Made:
        gateway = p["GatewayIdentifier"]
        _ready(lambda: aws(CONTROL, "GetGatewayTarget", GatewayIdentifier=gateway, TargetId=identity))
        return Made(f"{gateway}|{identity}", {"TargetId": identity})


def _ready(get: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Waits until what was asked for is done; AgentCore answers before it is."""
    end = time.monotonic() + READY_WITHIN
    while (got := get())["status"] != "READY":
        if got["status"] in ("FAILED", "UPDATE_UNSUCCESSFUL") or time.monotonic() > end:
            raise ValueError(f"it is {got['status']}: {got.get('statusReasons')}")
        time.sleep(PAUSE)
    return got


def _gone(get: Callable[[], dict[str, Any]]) -> None:
    end = time.monotonic() + READY_WITHIN
    while True:
        try:
            status = get()["status"]
        except ClientError as refusal:
            if refusal.response["Error"]["Code"] == "ResourceNotFoundException":
                return
            raise
        if time.monotonic() > end:
            raise ValueError(f"it is still {status}")
        time.sleep(PAUSE)

"""A pytest plugin: moto's own tests run against the stand-in instead of against moto."""

import boto3
import moto
import pytest

from report import client

moto.mock_aws = lambda test: test  # the tests import it from here
client("moto")


@pytest.fixture(autouse=True)
def nothing_left():
    """Gives each test an account without gateways, as moto would."""
    yield
    control = boto3.client("bedrock-agentcore-control", region_name="us-east-1")
    for gateway in control.list_gateways()["items"]:
        identifier = gateway["gatewayId"]
        for target in control.list_gateway_targets(gatewayIdentifier=identifier)["items"]:
            control.delete_gateway_target(gatewayIdentifier=identifier, targetId=target["targetId"])
        control.delete_gateway(gatewayIdentifier=identifier)

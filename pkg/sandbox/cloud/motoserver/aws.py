"""Calls of AWS's services on this very server, as CloudFormation makes them.

A resource's properties are mostly the parameters of the call that makes it. What differs
is only how they are written, which botocore's description of the call shows; a
property that the call does not know is an error, never dropped.
"""

import json
from contextvars import ContextVar
from functools import lru_cache
from threading import Lock
from typing import Any

from botocore.client import BaseClient
from botocore.config import Config
from botocore.model import Shape
from botocore.session import Session
from moto.utilities.utils import get_partition

# Where this server listens, and under which name the client knows it: services put that
# name into the URLs that they give out, such as those of queues.
endpoint: ContextVar[str] = ContextVar("endpoint")
host: ContextVar[str] = ContextVar("host")

# With what the client has called: key, secret and, of a session, its token. It is for what
# is not on this server but beside it, behind the name that the client knows.
caller: ContextVar[list[str] | None] = ContextVar("caller")
BESIDE = ("bedrock-agentcore-control",)


class AWS:
    """Calls services in one account and region."""

    def __init__(self, account: str, region: str):
        self.account = account
        self.region = region
        self.partition = get_partition(region)

    def __call__(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Calls, with parameters written as CloudFormation writes them."""
        client = self._client(service)
        model = client.meta.service_model.operation_model(operation)
        members = model.input_shape.members if model.input_shape else {}
        fitted = _members(parameters, members, operation) if parameters else {}
        token = _account.set(self.account)
        try:
            return getattr(client, client.sandbox_methods[operation])(**fitted)
        finally:
            _account.reset(token)

    def _client(self, service: str) -> BaseClient:
        if service not in BESIDE:
            return _client(service, self.region, endpoint.get(), "SANDBOX", "unchecked")
        credentials = caller.get()
        if credentials is None:
            raise ValueError(f"{service} is not on this server, and who called it did so without credentials")
        return _client(service, self.region, f"http://{host.get()}", *credentials)


_account: ContextVar[str] = ContextVar("account")

# One session for all clients: each would load what botocore knows of endpoints again. It
# makes one client at a time.
# https://boto3.amazonaws.com/v1/documentation/api/latest/guide/session.html
_session = Session()
_making = Lock()


@lru_cache(maxsize=128)
def _client(service: str, region: str, url: str, key: str, secret: str, token: str | None = None) -> BaseClient:
    with _making:
        client = _session.create_client(
            service,
            region_name=region,
            endpoint_url=url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}),
        )
    client.sandbox_methods = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
    if service not in BESIDE:
        client.meta.events.register("before-send", _address)
    return client


def _address(request: Any, **_named: Any) -> None:
    request.headers["X-Moto-Account-Id"] = _account.get()
    request.headers["Host"] = host.get()


def fit(value: Any, shape: Shape, path: str) -> Any:
    """Writes a value of a template as a call wants it."""
    match shape.type_name:
        case "structure":
            return _members(value, shape.members, path)
        case "list":
            values = value if isinstance(value, list) else [value]
            return [fit(v, shape.member, f"{path}[{i}]") for i, v in enumerate(values)]
        case "map":
            pairs = {p["Key"]: p["Value"] for p in value} if isinstance(value, list) else value
            return {str(k): fit(v, shape.value, f"{path}.{k}") for k, v in pairs.items()}
        case "integer" | "long":
            return int(value)
        case "float" | "double":
            return float(value)
        case "boolean":
            return value if isinstance(value, bool) else str(value).lower() == "true"
        case "string":
            return text(value)
        case _:
            return value


def _members(values: dict[str, Any], members: dict[str, Shape], path: str) -> dict[str, Any]:
    known = {name.lower(): name for name in members}
    unknown = [name for name in values if name.lower() not in known]
    if unknown:
        raise ValueError(f"{path} does not take {', '.join(unknown)}")
    named = {known[name.lower()]: value for name, value in values.items()}
    return {name: fit(value, members[name], f"{path}.{name}") for name, value in named.items()}


def text(value: Any) -> str:
    """Writes a value of a template as the text that CloudFormation makes of it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)

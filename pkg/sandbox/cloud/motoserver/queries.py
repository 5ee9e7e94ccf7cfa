"""Saved queries of CloudWatch Logs Insights, which moto does not know. They are kept, not run.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutQueryDefinition.html
"""

import json
from collections import defaultdict
from time import time
from typing import Any
from uuid import uuid4

from moto.core.exceptions import JsonRESTError
from moto.logs.responses import LogsResponse

saved: defaultdict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)  # by account and region


def install() -> None:
    """Adds the three calls."""
    LogsResponse.put_query_definition = put_query_definition
    LogsResponse.describe_query_definitions = describe_query_definitions
    LogsResponse.delete_query_definition = delete_query_definition


def put_query_definition(call: LogsResponse) -> str:
    """Saves a new query, or another in the place of one."""
    asked = json.loads(call.body)
    here = saved[call.current_account, call.region]
    identity = asked.pop("queryDefinitionId", None) or str(uuid4())
    asked.pop("clientToken", None)
    here[identity] = asked | {"queryDefinitionId": identity, "lastModified": int(time() * 1000)}
    return json.dumps({"queryDefinitionId": identity})


def describe_query_definitions(call: LogsResponse) -> str:
    """Lists saved queries by the beginning of their names, all on one page."""
    prefix = json.loads(call.body).get("queryDefinitionNamePrefix", "")
    here = saved[call.current_account, call.region].values()
    return json.dumps({"queryDefinitions": [q for q in list(here) if q["name"].startswith(prefix)]})


def delete_query_definition(call: LogsResponse) -> str:
    """Forgets a saved query."""
    identity = json.loads(call.body)["queryDefinitionId"]
    if saved[call.current_account, call.region].pop(identity, None) is None:
        raise JsonRESTError("ResourceNotFoundException", "The specified query definition does not exist.")
    return json.dumps({"success": True})

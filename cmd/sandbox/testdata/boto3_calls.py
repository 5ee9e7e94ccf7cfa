"""Makes calls with boto3, one a line of JSON on standard input:

{"service": "...", "operation": "put_resource_policy", "arguments": {...}}

and answers each with a line: {"result": {...}} or {"code": "...", "message": "..."}.
"""

import json
import sys

import boto3
from botocore.exceptions import ClientError

session = boto3.Session()
clients = {}
for line in sys.stdin:
    call = json.loads(line)
    service = call["service"]
    if service not in clients:
        clients[service] = session.client(service)
    try:
        result = getattr(clients[service], call["operation"])(**call["arguments"])
        del result["ResponseMetadata"]
        answer = {"result": result}
    except ClientError as refused:
        answer = {"code": refused.response["Error"]["Code"], "message": refused.response["Error"]["Message"]}
    print(json.dumps(answer, default=str), flush=True)

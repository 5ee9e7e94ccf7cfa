"""Shows what the stand-in has to run, in the form of Deployed in deployed.go:

    GET /_sandbox/deployed              functions, mappings and schedules of all accounts
    GET /_sandbox/code?function=ARN     the zip of a function

And takes what moto does not send by itself:

    POST /_sandbox/event?bus=ARN        an event, for the rules of the bus to pick from
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import rules
from moto.awslambda.models import EventSourceMapping, LambdaFunction, lambda_backends
from moto.core.base_backend import BackendDict
from moto.scheduler.models import Schedule, scheduler_backends

BELOW = "/_sandbox/"


def serve(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Is the WSGI application of what is below BELOW."""
    match environ["PATH_INFO"].removeprefix(BELOW):
        case "deployed":
            status, kind, body = "200 OK", "application/json", json.dumps(_deployed()).encode()
        case "code":
            arn = parse_qs(environ.get("QUERY_STRING", "")).get("function", [""])[0]
            function = next((f for f in _functions() if f.function_arn == arn), None)
            if function is None:
                status, kind, body = "404 Not Found", "text/plain", f"there is no function {arn}".encode()
            else:
                status, kind, body = "200 OK", "application/zip", function.code_bytes
        case "event":
            bus = parse_qs(environ.get("QUERY_STRING", "")).get("bus", [""])[0]
            event = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            status, kind, body = ("200 OK" if rules.put(bus, event) else "404 Not Found"), "text/plain", b""
        case other:
            status, kind, body = "404 Not Found", "text/plain", f"there is no report about {other}".encode()
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def _deployed() -> dict[str, Any]:
    return {
        "functions": [_function(f) for f in _functions()],
        "mappings": [_mapping(m) for m in _mappings()],
        "schedules": [_schedule(s) for s in _schedules()],
    }


# What is walked through is copied before: others deploy meanwhile.


def _everywhere(backends: BackendDict) -> Iterator[Any]:
    for regions in list(backends.values()):
        yield from list(regions.values())


def _functions() -> Iterator[LambdaFunction]:
    for backend in _everywhere(lambda_backends):
        yield from list(backend._lambdas.latest())


def _mappings() -> Iterator[EventSourceMapping]:
    for backend in _everywhere(lambda_backends):
        for mapping in list(backend._event_source_mappings.values()):
            if mapping._get_service_source_from_arn() in ("dynamodb", "sqs"):
                yield mapping


def _schedules() -> Iterator[Schedule]:
    for backend in _everywhere(scheduler_backends):
        for group in list(backend.schedule_groups.values()):
            yield from list(group.schedules.values())


def _function(function: LambdaFunction) -> dict[str, Any]:
    asynchronous = function.event_invoke_config[0].config if function.event_invoke_config else {}
    reserved = function.reserved_concurrency
    return {
        "arn": function.function_arn,
        "role": function.role,
        "runtime": function.run_time or "",
        "handler": function.handler or "",
        "architecture": function.architectures[0],
        "timeout": int(function.timeout),
        "memory": int(function.memory_size),
        "reserved": None if reserved is None else int(reserved),
        "environment": {name: str(value) for name, value in function.environment_vars.items()},
        "logGroup": function.logging["LogGroup"],
        "logFormat": function.logging["LogFormat"],
        "code": function.code_sha_256,
        "policy": function.policy.get_policy()["Policy"] if function.policy.statements else None,
        "async": {
            "retries": asynchronous.get("MaximumRetryAttempts"),
            "maxAge": asynchronous.get("MaximumEventAgeInSeconds"),
            "onFailure": _on_failure(asynchronous),
        },
    }


def _mapping(mapping: EventSourceMapping) -> dict[str, Any]:
    return {
        "uuid": mapping.uuid,
        "function": mapping.function_arn,
        "source": mapping.event_source_arn,
        "enabled": bool(mapping.enabled),
        "startingPosition": mapping.starting_position or "",
        "batchSize": mapping.batch_size,
        "bisectOnError": bool(mapping.bisect_on_error),
        "reportBatchItemFailures": "ReportBatchItemFailures" in (mapping.function_response_types or []),
        "retries": _bounded(mapping.max_retry_attempts),
        "maxAge": _bounded(mapping.max_record_age),
        "onFailure": _on_failure({"DestinationConfig": mapping.destination_config}),
        "filters": [f["Pattern"] for f in (mapping.filter_criteria or {}).get("Filters", [])],
        "maximumConcurrency": int((mapping.scaling_config or {}).get("MaximumConcurrency") or 0),
        "batchingWindow": int(mapping.max_batch_window or 0),
    }


def _bounded(limit: int | None) -> int:
    """Is -1, without end, unless a limit was set.
    https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html"""
    return -1 if limit is None else int(limit)


def _schedule(schedule: Schedule) -> dict[str, Any]:
    target = schedule.target
    retry = target.get("RetryPolicy") or {}
    return {
        "arn": schedule.arn,
        "expression": schedule.schedule_expression,
        "timezone": schedule.schedule_expression_timezone,
        "enabled": schedule.state == "ENABLED",
        "target": target["Arn"],
        "role": target["RoleArn"],
        "input": target.get("Input", ""),
        "retries": retry.get("MaximumRetryAttempts"),
        "maxAge": retry.get("MaximumEventAgeInSeconds"),
        "deadLetter": (target.get("DeadLetterConfig") or {}).get("Arn", ""),
    }


def _on_failure(config: dict[str, Any]) -> str:
    destination = (config.get("DestinationConfig") or {}).get("OnFailure") or {}
    return destination.get("Destination", "")

"""Lambda functions as moto keeps them, without running any.

Moto runs functions in Docker. Here the runner of the stand-in runs them, and reads their
streams and queues: it needs their logging settings, too, which moto forgets.
"""

from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.models import EventSourceMapping, LambdaBackend, LambdaFunction
from moto.sqs.models import Queue, sqs_backends


def install() -> None:
    """Replaces what moto does by itself, and adds what it forgets."""
    # Records that a function takes would also vanish from the stream, for all who read it.
    LambdaBackend.send_dynamodb_items = _leave
    LambdaBackend.send_kinesis_message = _leave
    LambdaBackend.send_log_event = _leave
    LambdaBackend.send_sns_message = _leave
    LambdaBackend.send_sqs_batch = _leave
    LambdaBackend.put_function_event_invoke_config = _put_event_invoke_config
    _leave_queues_to_their_readers()

    init = LambdaFunction.__init__
    configuration = LambdaFunction.get_configuration
    update = LambdaFunction.update_configuration

    def remember_logging(function, account_id, spec, region, version=1):
        init(function, account_id, spec, region, version)
        function.logging = _logging(function.function_name, spec.get("LoggingConfig"))

    def tell_logging(function, on_create=False):
        return configuration(function, on_create) | {"LoggingConfig": function.logging}

    def change_logging(function, config_updates):
        if "LoggingConfig" in config_updates:
            function.logging = _logging(function.function_name, config_updates["LoggingConfig"])
        return update(function, config_updates)

    LambdaFunction.__init__ = remember_logging
    LambdaFunction.get_configuration = tell_logging
    LambdaFunction.update_configuration = change_logging


def _leave_queues_to_their_readers() -> None:
    """Has moto neither receive messages for a mapping, which would count as a receive, nor
    take a mapping that Lambda refuses."""
    by_moto = LambdaBackend.create_event_source_mapping
    update_by_moto = LambdaBackend.update_event_source_mapping

    def create(backend: LambdaBackend, spec: dict[str, Any]) -> EventSourceMapping:
        _check_queue(backend, spec["EventSourceArn"], spec["FunctionName"], spec)
        mapping = by_moto(backend, spec)
        queue = _queue(mapping.event_source_arn)
        if queue is not None:
            queue.lambda_event_source_mappings.clear()
        return mapping

    def update(backend: LambdaBackend, uuid: str, spec: dict[str, Any]) -> EventSourceMapping | None:
        mapping = backend.get_event_source_mapping(uuid)
        if mapping is not None:
            _check_queue(backend, mapping.event_source_arn, spec.get("FunctionName") or mapping.function_arn, spec)
        return update_by_moto(backend, uuid, spec)

    LambdaBackend.create_event_source_mapping = create
    LambdaBackend.update_event_source_mapping = update


def _queue(arn: str) -> Queue | None:
    _, _, service, region, account, name = arn.split(":", 5)
    return sqs_backends[account][region].queues.get(name) if service == "sqs" else None


def _check_queue(backend: LambdaBackend, source: str, name: str, spec: dict[str, Any]) -> None:
    """Refuses what Lambda does of a mapping of a queue.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    https://docs.aws.amazon.com/lambda/latest/api/API_ScalingConfig.html"""
    concurrency = (spec.get("ScalingConfig") or {}).get("MaximumConcurrency")
    if concurrency is not None and not 2 <= int(concurrency) <= 1000:
        raise InvalidParameterValueException("MaximumConcurrency must be between 2 and 1000")
    queue = _queue(source)
    if queue is None:
        return
    function = backend.get_function(name)
    if int(queue.visibility_timeout) < int(function.timeout):
        raise InvalidParameterValueException(
            f"Queue visibility timeout: {queue.visibility_timeout} seconds is less than Function timeout: {function.timeout} seconds"
        )


def _leave(*_args, **_named) -> None:
    """Does nothing, successfully: what was for a function stays where it is."""


def _logging(name: str, config: dict | None) -> dict:
    """Completes a LoggingConfig with its defaults.
    https://docs.aws.amazon.com/lambda/latest/api/API_LoggingConfig.html"""
    return {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"} | (config or {})


def _put_event_invoke_config(backend, function_name: str, config: dict) -> dict:
    """Moto keeps every config that was ever put, and answers with the first."""
    from moto.awslambda.models import EventInvokeConfig

    function = backend.get_function(function_name)
    function.event_invoke_config = [EventInvokeConfig(function.function_arn, function.last_modified, config)]
    return function.event_invoke_config[0].response()

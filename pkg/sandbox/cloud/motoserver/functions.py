"""Lambda functions as moto keeps them, without running any.

Moto runs functions in Docker. Here somebody else runs them, and reads their streams:
he wants to know their logging settings, too, which moto forgets.
"""

from moto.awslambda.models import LambdaBackend, LambdaFunction


def install() -> None:
    """Replaces what moto does by itself, and adds what it forgets."""
    # Records that a function takes would also vanish from the stream, for all who read it.
    LambdaBackend.send_dynamodb_items = _leave
    LambdaBackend.send_kinesis_message = _leave
    LambdaBackend.send_log_event = _leave
    LambdaBackend.send_sns_message = _leave
    LambdaBackend.send_sqs_batch = _leave
    LambdaBackend.put_function_event_invoke_config = _put_event_invoke_config

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

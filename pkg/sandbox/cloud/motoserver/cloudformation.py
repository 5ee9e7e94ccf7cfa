"""CloudFormation's calls that change stacks, on the Resources of stacks.py.

Each has ended when it answers; a stack that failed says so in its status and its events.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import aws
from moto.cloudformation import responses
from moto.cloudformation.exceptions import AlreadyExistsException, CloudFormationError, ValidationError
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Stack
from moto.cloudformation.responses import CloudFormationResponse
from moto.cloudformation.utils import (
    generate_changeset_id,
    generate_stack_id,
    validate_create_change_set,
)
from stacks import Change, Failed, Failure, Outputs, Resources
from template import read

IDENTITY_NAMES = {"RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName"}
UNCHANGED = "The submitted information didn't contain changes. Submit different information to create a change set."


def install() -> None:
    """Puts what is here in place of moto's own."""
    CloudFormationBackend.create_stack = create_stack
    CloudFormationBackend.create_change_set = create_change_set
    CloudFormationBackend.execute_change_set = execute_change_set
    CloudFormationBackend.update_stack = update_stack
    CloudFormationBackend.delete_stack = delete_stack
    for operation in ("create_stack", "create_change_set", "update_stack"):
        setattr(CloudFormationResponse, operation, _noting_capabilities(getattr(CloudFormationResponse, operation)))
    by_moto = responses.get_stack_from_s3_url
    responses.get_stack_from_s3_url = lambda url, **account: by_moto(_on_s3(url), **account)
    # What follows would read templates in moto's own way.
    CloudFormationResponse._validate_different_update = lambda *_: None
    ChangeSet._parse_template = lambda _: None
    ChangeSet.diff = lambda asked: _planned(asked.stack, asked.template, asked.parameters, directly=False)
    Stack._create_resource_map = lambda _: None
    Stack._create_output_map = lambda _: None
    Stack.parameter_list = property(_parameter_list)


capabilities: ContextVar[list[str]] = ContextVar("capabilities")


class InsufficientCapabilities(CloudFormationError):
    code = "InsufficientCapabilitiesException"


def _noting_capabilities(operation: Callable[[CloudFormationResponse], Any]) -> Callable[[CloudFormationResponse], Any]:
    def noting(call: CloudFormationResponse) -> Any:
        capabilities.set(call._get_param("Capabilities") or [])
        return operation(call)

    return noting


def _check_capabilities(template: dict[str, Any], *, directly: bool) -> None:
    """Refuses what the caller has not acknowledged: roles, and a transform that he has not seen
    the result of, as he would in a change set.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html"""
    identities = [r for r in template["Resources"].values() if r["Type"].startswith("AWS::IAM::")]
    named = any(r.get("Properties", {}).keys() & IDENTITY_NAMES for r in identities)
    needed = {"CAPABILITY_NAMED_IAM"} if named else {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}
    if identities and not needed & set(capabilities.get()):
        raise InsufficientCapabilities(f"Requires capabilities : [{min(needed)}]")
    if directly and template.get("Transform") and "CAPABILITY_AUTO_EXPAND" not in capabilities.get():
        raise InsufficientCapabilities("Requires capabilities : [CAPABILITY_AUTO_EXPAND]")


def _on_s3(url: str) -> str:
    """Names S3's own host in the URL of a template, where a client knows S3 by ours."""
    parts = urlsplit(url)
    return parts._replace(netloc="s3.amazonaws.com").geturl() if parts.netloc == aws.host.get() else url


def create_stack(
    backend: CloudFormationBackend, name: str, template: str, parameters: dict[str, str], **options: Any
) -> Stack:
    """Makes a stack without a change set."""
    if any(stack.name == name for stack in backend.stacks.values()):
        raise AlreadyExistsException(f"Stack [{name}] already exists")
    stack = _new(backend, name, **options)
    _planned(stack, template, parameters, directly=True)
    backend.stacks[stack.stack_id] = stack
    _bring(backend, stack, template, parameters, "CREATE")
    return stack


def update_stack(
    backend: CloudFormationBackend,
    name: str,
    template: str,
    role_arn: str | None,
    parameters: list[dict[str, Any]],
    tags: dict[str, str] | None,
) -> Stack:
    """Changes a stack without a change set."""
    stack = backend.get_stack(name)
    before = stack.stack_parameters
    given = {p["ParameterKey"]: before[p["ParameterKey"]] if p.get("UsePreviousValue") else p["ParameterValue"] for p in parameters}
    if not _planned(stack, template, given, directly=True):
        raise ValidationError(message="No updates are to be performed.")
    _bring(backend, stack, template, given, "UPDATE")
    return stack


def create_change_set(
    backend: CloudFormationBackend,
    stack_name: str,
    change_set_name: str,
    template: str,
    parameters: dict[str, str],
    description: str,
    change_set_type: str,
    notification_arns: list[str] | None = None,
    tags: dict[str, str] | None = None,
    role_arn: str | None = None,
) -> tuple[str, str]:
    """Finds out what a template would change, for execute_change_set to do."""
    validate_create_change_set(change_set_name)
    stack = next((s for s in backend.stacks.values() if stack_name in (s.name, s.stack_id)), None)
    if change_set_type == "CREATE" and stack is not None and stack.status != "REVIEW_IN_PROGRESS":
        raise AlreadyExistsException(f"Stack [{stack_name}] already exists and cannot be created again with the changeSet")
    if change_set_type != "CREATE" and stack is None:
        raise ValidationError(stack_name)
    if stack is None:
        stack = _new(backend, stack_name, notification_arns=notification_arns, tags=tags, role_arn=role_arn)
        stack.status = "REVIEW_IN_PROGRESS"
    elif stack.status.startswith("ROLLBACK_"):
        raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")
    change_set = ChangeSet(
        change_set_type=change_set_type,
        change_set_id=generate_changeset_id(change_set_name, backend.region_name, backend.account_id),
        change_set_name=change_set_name,
        stack=stack,
        template=template,
        parameters=parameters,
        description=description,
        notification_arns=notification_arns,
        tags=tags,
        role_arn=role_arn,
    )
    if stack.stack_id not in backend.stacks:
        backend.stacks[stack.stack_id] = stack
        stack._add_stack_event(stack.status, "User Initiated")
    if change_set.changes:
        change_set.status, change_set.execution_status = "CREATE_COMPLETE", "AVAILABLE"
    else:
        change_set.status, change_set.execution_status, change_set.status_reason = "FAILED", "UNAVAILABLE", UNCHANGED
    backend.change_sets[change_set.change_set_id] = change_set
    return change_set.change_set_id, stack.stack_id


def execute_change_set(backend: CloudFormationBackend, change_set_name: str, stack_name: str | None = None) -> None:
    """Does what a change set has found out."""
    change_set = backend.describe_change_set(change_set_name)
    if change_set.execution_status != "AVAILABLE":
        raise ValidationError(message=f"ChangeSet [{change_set.change_set_id}] cannot be executed in its current status of [{change_set.status}]")
    change_set.execution_status = "EXECUTE_IN_PROGRESS"
    stack = backend.stacks[change_set.stack_id]
    done = _bring(backend, stack, change_set.template, change_set.parameters, change_set.change_set_type)
    change_set.execution_status = "EXECUTE_COMPLETE" if done else "EXECUTE_FAILED"


def delete_stack(backend: CloudFormationBackend, name_or_stack_id: str) -> None:
    """Unmakes a stack. One that is not there is no error."""
    stack = next((s for s in backend.stacks.values() if name_or_stack_id in (s.name, s.stack_id)), None)
    if stack is None:
        return
    if stack.enable_termination_protection:
        raise ValidationError(message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    _say(stack, "DELETE_IN_PROGRESS", "User Initiated")
    try:
        stack.resource_map.unmake()
    except Failed as failure:
        _say(stack, "DELETE_FAILED", str(failure))
        return
    _export(backend, stack)
    _say(stack, "DELETE_COMPLETE")
    backend.deleted_stacks[stack.stack_id] = backend.stacks.pop(stack.stack_id)


def _new(backend: CloudFormationBackend, name: str, **options: Any) -> Stack:
    stack = Stack(
        stack_id=generate_stack_id(name, backend.region_name, backend.account_id),
        name=name,
        template={},
        parameters={},
        account_id=backend.account_id,
        region_name=backend.region_name,
        **options,
    )
    stack.resource_map = Resources(stack, backend.exports)
    stack.output_map = Outputs(stack.resource_map)
    return stack


def _planned(stack: Stack, template: str, parameters: dict[str, str], *, directly: bool) -> list[Change]:
    try:
        _check_capabilities(read(template), directly=directly)
        return stack.resource_map.plan(template, parameters)
    except Failure as failure:
        raise ValidationError(message=str(failure)) from failure


def _bring(backend: CloudFormationBackend, stack: Stack, template: str, parameters: dict[str, str], verb: str) -> bool:
    """Makes a stack what a template says, or else what it was before."""
    if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
        raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")
    _say(stack, f"{verb}_IN_PROGRESS", "User Initiated")
    try:
        stack.resource_map.apply(template, parameters)
        _export(backend, stack)
    except (Failed, *Failure) as failure:
        _roll_back(backend, stack, verb, str(failure))
        return False
    stack.template, stack.parameters = template, parameters
    stack.template_dict = read(template)
    stack.description = stack.template_dict.get("Description")
    _say(stack, f"{verb}_COMPLETE")
    return True


def _roll_back(backend: CloudFormationBackend, stack: Stack, verb: str, reason: str) -> None:
    back = "ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK"
    _say(stack, f"{back}_IN_PROGRESS", reason)
    try:
        stack.resource_map.restore_replaced()
        if verb == "CREATE":
            stack.resource_map.unmake(creation=True)
        else:
            stack.resource_map.apply(stack.template, stack.parameters)
    except (Failed, *Failure) as failure:
        _say(stack, f"{back}_FAILED", str(failure))
    else:
        _export(backend, stack)
        _say(stack, f"{back}_COMPLETE")


def _export(backend: CloudFormationBackend, stack: Stack) -> None:
    others = {name: e for name, e in backend.exports.items() if e.exporting_stack_id != stack.stack_id}
    own = {export.name: export for export in stack.exports}
    if own.keys() & others.keys():
        raise ValueError(f"Export with name {min(own.keys() & others.keys())} is already exported by another stack")
    backend.exports.clear()
    backend.exports.update(others | own)


def _say(stack: Stack, status: str, reason: str | None = None) -> None:
    stack.status, stack.stack_status_reason = status, reason
    stack._add_stack_event(status, reason)


def _parameter_list(stack: Stack) -> list[dict[str, str]]:
    secret = stack.resource_map.no_echo_parameter_keys
    return [
        {"ParameterKey": name, "ParameterValue": "****" if name in secret else value}
        for name, value in stack.resource_map.resolved_parameters.items()
    ]

"""CloudFormation: stacks that are made, changed and unmade as their templates say.

Moto's own skips types and properties that it does not know, and does not see that a
parameter has turned a condition. Here a stack is compared with what its template says, all
functions resolved; what differs is made, changed, replaced or unmade, in the order of
dependencies, by the calls that each kind of resource makes. What fails is undone, as CloudFormation does.
Moto still answers all questions about stacks.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aws import AWS
from botocore.exceptions import BotoCoreError, ClientError
from kinds import Kind, Made, Properties, changed
from moto.cloudformation.models import Event
from moto.cloudformation.parsing import Export, Output
from moto.cloudformation.utils import random_suffix
from resources import kind
from template import Scope, read, transform

log = logging.getLogger("sandbox.stacks")

LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"

Failure = (ValueError, LookupError, TypeError, AttributeError, BotoCoreError, ClientError)


class Failed(Exception):
    """Some resource of a stack could not be made, changed or unmade."""


@dataclass
class Resource:
    """A resource that exists, and its description in its stack's template then."""

    logical_resource_id: str
    cf_resource_type: str
    properties: Properties
    made: Made
    deletion: str  # DeletionPolicy
    replacement: str  # UpdateReplacePolicy

    @property
    def physical_resource_id(self) -> str:
        return self.made.id


@dataclass
class Change:
    """What a change set says about a resource, in moto's words."""

    action: str
    logical_resource_id: str
    resource_type: str
    physical_resource_id: str | None = None
    replacement: str | None = None


class Resources:
    """The resources of a stack: what moto's Stack has in place of its own ResourceMap."""

    def __init__(self, stack: Any, exports: dict[str, Export]):
        self.stack = stack
        self.exports_of_all = exports
        self.aws = AWS(stack.account_id, stack.region_name)
        self.made: dict[str, Resource] = {}
        self.scope: Scope | None = None
        self.outputs: list[Output] = []
        self.exports: list[Export] = []
        self.replaced: list[Resource] = []  # those that have a successor, and still exist

    # What moto asks for.

    @property
    def resolved_parameters(self) -> dict[str, str]:
        values = self.scope.parameters if self.scope else {}
        return {name: ",".join(v) if isinstance(v, list) else v for name, v in values.items()}

    @property
    def no_echo_parameter_keys(self) -> list[str]:
        declared = self.scope.template.get("Parameters", {}) if self.scope else {}
        return [name for name, parameter in declared.items() if str(parameter.get("NoEcho")).lower() == "true"]

    def values(self) -> list[Resource]:
        return list(self.made.values())

    # What a template makes of them.

    def plan(self, body: str, parameters: dict[str, str]) -> list[Change]:
        """What applying a template would do. What is known only then counts as a change."""
        scope = self._read(body, parameters)
        scope.check_rules()
        scope.ref = lambda name: self._ref(name) if name in self.made else LATER
        scope.attribute = lambda name, a: self._attribute(name, a) if name in self.made else LATER
        wanted = scope.wanted()
        changes = []
        for name, resource in wanted.items():
            of, have = resource["Type"], self.made.get(name)
            kind(of)
            if have is None:
                changes.append(Change("Add", name, of))
                continue
            new = scope.resolve(resource.get("Properties", {}))
            if have.cf_resource_type != of or have.properties != new:
                replaced = have.cf_resource_type != of or kind(of).replaces(have.properties, new)
                changes.append(Change("Modify", name, of, have.made.id, str(replaced)))
        gone = [r for name, r in self.made.items() if name not in wanted]
        return changes + [Change("Remove", r.logical_resource_id, r.cf_resource_type, r.made.id) for r in gone]

    def apply(self, body: str, parameters: dict[str, str]) -> None:
        """Makes the stack what a template says. What fails is left as it is then."""
        self.scope = self._read(body, parameters)
        wanted = self.scope.wanted()
        for name, resource in wanted.items():
            have = self.made.get(name)
            with Step(self.stack, name, resource["Type"], have) as step:
                properties = self.scope.resolve(resource.get("Properties", {}))
                if have is not None and have.cf_resource_type == resource["Type"] and have.properties == properties:
                    step.quiet = True
                    made = have.made
                else:
                    made = self._bring(step, resource["Type"], have, properties)
            self.made.pop(name, None)  # so that they stand in the order of dependencies
            self.made[name] = Resource(
                name,
                resource["Type"],
                properties,
                made,
                resource.get("DeletionPolicy", "Delete"),
                resource.get("UpdateReplacePolicy", "Delete"),
            )
        self._tell()
        self._clean_up([self.made.pop(name) for name in list(self.made) if name not in wanted])

    def restore_replaced(self) -> None:
        """Goes back to the resources that the last, failed, apply has found a successor for."""
        for old in reversed(self.replaced):
            successor = self.made[old.logical_resource_id]
            self.made[old.logical_resource_id] = old
            if successor.made.id != old.made.id:
                self._unmake(successor, "Delete")
        self.replaced = []

    def _clean_up(self, gone: list[Resource]) -> None:
        """Unmakes what is left over. The stack is what it is to be, whatever fails here."""
        left = [(r, r.deletion) for r in gone] + [(r, r.replacement) for r in self.replaced]
        self.replaced = []
        for resource, policy in reversed(left):
            with suppress(Failed):
                self._unmake(resource, policy)

    def unmake(self, *, creation: bool = False) -> None:
        """Unmakes all resources but those to be retained, the last ones first. creation is for a
        stack whose creation failed.
        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html"""
        for resource in reversed(self.values()):
            policy = resource.deletion
            if creation and policy == "RetainExceptOnCreate":
                policy = "Delete"
            self._unmake(resource, policy)
            del self.made[resource.logical_resource_id]
        self.outputs, self.exports = [], []

    def _read(self, body: str, parameters: dict[str, str]) -> Scope:
        stack = self.stack
        template = read(body)
        plain = transform(template, parameters, stack.account_id, stack.region_name)
        pseudo = {
            "AWS::AccountId": stack.account_id,
            "AWS::NotificationARNs": stack.notification_arns,
            "AWS::Partition": self.aws.partition,
            "AWS::Region": stack.region_name,
            "AWS::StackId": stack.stack_id,
            "AWS::StackName": stack.name,
            "AWS::URLSuffix": "amazonaws.com.cn" if self.aws.partition == "aws-cn" else "amazonaws.com",
        }
        return Scope(plain, parameters, pseudo, self._ref, self._attribute, self._imported)

    def _ref(self, name: str) -> Any:
        if name not in self.made:
            raise KeyError(f"Template error: {name} refers to nothing")
        return self.made[name].made.id

    def _attribute(self, name: str, attribute: str) -> Any:
        if name not in self.made:
            raise KeyError(f"Template error: instance of Fn::GetAtt references undefined resource {name}")
        if self.made[name].made.attributes.get(attribute) is None:
            raise KeyError(f"Template error: {name} has no attribute {attribute}")
        return self.made[name].made.attributes[attribute]

    def _imported(self, name: str) -> Any:
        if name not in self.exports_of_all:
            raise KeyError(f"No export named {name} found.")
        return self.exports_of_all[name].value

    def _bring(self, step: "Step", of: str, have: Resource | None, p: Properties) -> Made:
        what = kind(of)
        if have is None or have.cf_resource_type != of or what.replaces(have.properties, p):
            made = what.create(self.aws, p.get(what.name) or self._name(step.name, what), p)
            if have is not None:
                self.replaced.append(have)
        else:
            refused = set() if what.changeable is None else changed(have.properties, p) - set(what.changeable)
            if refused:
                raise ValueError(f"{', '.join(sorted(refused))} cannot change here: delete the resource and create it again")
            made = what.update(self.aws, have.made, have.properties, p)
        return made

    def _name(self, logical: str, what: Kind) -> str:
        suffix = f"-{random_suffix()}"
        return f"{self.stack.name}-{logical}"[: what.longest - len(suffix)] + suffix

    def _unmake(self, resource: Resource, policy: str) -> None:
        with Step(self.stack, resource.logical_resource_id, resource.cf_resource_type, resource, "DELETE") as step:
            if policy.startswith("Retain"):
                step.skipped = True
            else:
                kind(resource.cf_resource_type).delete(self.aws, resource.made, resource.properties)

    def _tell(self) -> None:
        self.outputs, self.exports = [], []
        for key, output in self.scope.template.get("Outputs", {}).items():
            if not self.scope.holds(output.get("Condition")):
                continue
            value = self.scope.resolve(output["Value"])
            self.outputs.append(Output(key, value, output.get("Description")))
            if "Export" in output:
                name = self.scope.resolve(output["Export"]["Name"])
                self.exports.append(Export(self.stack.stack_id, name, value))


class Step:
    """One resource's turn, recorded in the stack's events. Whatever fails becomes Failed."""

    def __init__(self, stack: Any, name: str, of: str, have: Resource | None, verb: str = ""):
        self.stack, self.name, self.of, self.have = stack, name, of, have
        self.verb = verb or ("UPDATE" if have else "CREATE")
        self.quiet = False  # nothing was to be done
        self.skipped = False

    def __enter__(self) -> "Step":
        return self

    def __exit__(self, _type: Any, failure: BaseException | None, _trace: Any) -> None:
        if isinstance(failure, Failure):
            reason = failure.args[0] if isinstance(failure, KeyError) and failure.args else failure
            self._add(f"{self.verb}_FAILED", str(reason) or repr(failure))
            log.error("stack %s: %s (%s): %s", self.stack.name, self.name, self.of, reason, exc_info=failure)
            raise Failed(f"The following resource(s) failed to {self.verb.lower()}: [{self.name}]. {reason}") from failure
        if failure is None and not self.quiet:
            self._add(f"{self.verb}_SKIPPED" if self.skipped else f"{self.verb}_COMPLETE")

    def _add(self, status: str, reason: str | None = None) -> None:
        physical = self.have.made.id if self.have else ""
        self.stack.events.append(
            Event(self.stack.stack_id, self.stack.name, self.name, physical, self.of, status, reason, None)
        )


class Outputs:
    """What moto's Stack has in place of its own OutputMap."""

    def __init__(self, resources: Resources):
        self.resources = resources

    def values(self) -> list[Output]:
        return self.resources.outputs

    @property
    def exports(self) -> list[Export]:
        return self.resources.exports

    def __iter__(self) -> Iterator[str]:
        return (output.key for output in self.resources.outputs)

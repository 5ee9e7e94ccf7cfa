"""What a type of resource of a stack is.

Each is made, changed and unmade by the calls of its service that CloudFormation makes, too.
A property that its service's call does not take makes the stack fail.
"""

from dataclasses import dataclass, field
from typing import Any

from aws import AWS

Properties = dict[str, Any]


@dataclass
class Made:
    """What came of making a resource: the id that Ref gives, and what Fn::GetAtt does."""

    id: str
    attributes: dict[str, Any] = field(default_factory=dict)


class Kind:
    """A type of resource. By default a change replaces it."""

    name = ""  # the property that names it; "" if it has none
    longest = 255  # characters of a name that is made up
    fixed: tuple[str, ...] = ()  # properties whose change replaces the resource, besides the name
    changeable: tuple[str, ...] | None = None  # those that may change in place; None: all others

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        raise NotImplementedError

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        return self.create(aws, p.get(self.name) or made.id, p)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        raise NotImplementedError

    def replaces(self, old: Properties, new: Properties) -> bool:
        """Whether a change takes a new resource."""
        return any(old.get(p) != new.get(p) for p in (self.name, *self.fixed) if p)


def changed(old: Properties, new: Properties) -> set[str]:
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def without(p: Properties, *names: str) -> Properties:
    return {name: value for name, value in p.items() if name not in names}

"""Templates: read, transformed, and with what their functions stand for.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import boto3
import yaml
from aws import text
from moto.iam.models import iam_backends
from moto.utilities.utils import get_partition
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import intrinsics_multi_constructor

SAM = "AWS::Serverless-2016-10-31"
NOTHING = object()  # what AWS::NoValue stands for: leave out what it is the value of


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Reads YAML with the short forms of functions, such as !Sub."""


Loader.add_multi_constructor("!", intrinsics_multi_constructor)


def read(body: str) -> dict[str, Any]:
    """Reads a template, in YAML or JSON."""
    return json.loads(_as_json(body))


@lru_cache(maxsize=8)  # a template is read several times on its way into a stack
def _as_json(body: str) -> str:
    template = yaml.load(body, Loader)
    if not isinstance(template, dict) or not template.get("Resources"):
        raise ValueError("Template format error: At least one Resources member must be defined.")
    return json.dumps(template, default=str)  # YAML makes dates of what looks like one


def transform(template: dict[str, Any], parameters: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    """Has AWS's own translator make plain CloudFormation of SAM, as CloudFormation does when
    it makes a change set."""
    wanted = template.get("Transform", [])
    unknown = [t for t in ([wanted] if isinstance(wanted, str) else wanted) if t != SAM]
    if unknown:
        raise ValueError(f"No transform named {unknown[0]} found.")
    if not wanted:
        return template

    def managed_policies() -> dict[str, str]:
        backend = iam_backends[account][get_partition(region)]
        return {name: policy.arn for name, policy in backend.managed_policies.items() if ":aws:policy/" in policy.arn}

    translator = Translator(None, Parser(), boto_session=boto3.Session(region_name=region))
    try:
        plain = translator.translate(
            json.loads(json.dumps(template)), dict(parameters), get_managed_policy_map=managed_policies
        )
    except InvalidDocumentException as invalid:
        causes = "; ".join(cause.message for cause in invalid.causes)
        raise ValueError(f"Transform {SAM} failed with: {causes}") from invalid
    return json.loads(json.dumps(plain))


class Scope:
    """What names stand for within a stack."""

    def __init__(
        self,
        template: dict[str, Any],
        given: dict[str, str],
        pseudo: dict[str, Any],
        ref: Callable[[str], Any],
        attribute: Callable[[str, str], Any],
        imported: Callable[[str], Any],
    ):
        self.template = template
        self.pseudo = pseudo | {"AWS::NoValue": NOTHING}
        self.parameters = _parameters(template.get("Parameters", {}), given)
        self.ref = ref
        self.attribute = attribute
        self.imported = imported

    def check_rules(self) -> None:
        """Refuses parameters that the template's Rules do.
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html"""
        for name, rule in self.template.get("Rules", {}).items():
            if "RuleCondition" in rule and not self._test(rule["RuleCondition"]):
                continue
            for assertion in rule["Assertions"]:
                if not self._test(assertion["Assert"]):
                    raise ValueError(f"Rule {name}: {assertion.get('AssertDescription', 'does not hold')}")

    def holds(self, condition: str | None) -> bool:
        """Whether a condition of the template holds; None always does."""
        if condition is None:
            return True
        if condition not in self.template.get("Conditions", {}):
            raise ValueError(f"Template format error: Unresolved condition dependency {condition}")
        return self._test(self.template["Conditions"][condition])

    def wanted(self) -> dict[str, dict[str, Any]]:
        """The resources whose conditions hold, by logical id, each after what it depends on."""
        wanted = {name: r for name, r in self.template["Resources"].items() if self.holds(r.get("Condition"))}
        ordered: dict[str, dict[str, Any]] = {}
        waiting: list[str] = []

        def visit(name: str) -> None:
            if name in ordered or name not in wanted:
                return
            if name in waiting:
                raise ValueError(f"Circular dependency between resources: {waiting}")
            waiting.append(name)
            for other in self.names(wanted[name]):
                visit(other)
            waiting.pop()
            ordered[name] = wanted[name]

        for name in wanted:
            visit(name)
        return ordered

    def names(self, value: Any) -> Iterator[str]:
        """The names that a part of the template mentions, in the branches that are taken."""
        if isinstance(value, list):
            for element in value:
                yield from self.names(element)
        elif isinstance(value, dict):
            for function, argument in value.items():
                match function:
                    case "Ref":
                        yield argument
                    case "DependsOn":
                        yield from [argument] if isinstance(argument, str) else argument
                    case "Fn::GetAtt":
                        yield _attribute(argument)[0]
                    case "Fn::If":
                        yield from self.names(self._branch(argument))
                    case "Fn::Sub":
                        yield from self.names(argument[1:] if isinstance(argument, list) else [])
                        yield from (name.partition(".")[0] for name in _substituted(argument))
                    case _:
                        yield from self.names(argument)

    def resolve(self, value: Any) -> Any:
        """Replaces functions by what they stand for, and leaves out what is AWS::NoValue."""
        if isinstance(value, list):
            return [v for v in map(self.resolve, value) if v is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            function, argument = next(iter(value.items()))
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function, argument)
        return {name: v for name, v in ((n, self.resolve(v)) for n, v in value.items()) if v is not NOTHING}

    def _call(self, function: str, argument: Any) -> Any:
        match function, argument:
            case "Ref", name:
                return self._named(name)
            case "Fn::GetAtt", _:
                return self.attribute(*_attribute(argument))
            case "Fn::If", _:
                return self.resolve(self._branch(argument))
            case "Fn::Sub", _:
                return self._substitute(argument)
            case "Fn::Join", [by, parts]:
                return by.join(map(text, self.resolve(parts)))
            case "Fn::Split", [by, whole]:
                return self.resolve(whole).split(by)
            case "Fn::Select", [index, of]:
                return self.resolve(of)[int(self.resolve(index))]
            case "Fn::FindInMap", [name, first, second]:
                return self.template["Mappings"][self.resolve(name)][self.resolve(first)][self.resolve(second)]
            case "Fn::Base64", whole:
                return base64.b64encode(self.resolve(whole).encode()).decode()
            case "Fn::ImportValue", name:
                return self.imported(self.resolve(name))
            case _:
                raise ValueError(f"{function} is not supported")

    def _named(self, name: str) -> Any:
        for known in (self.parameters, self.pseudo):
            if name in known:
                return known[name]
        return self.ref(name)

    def _substitute(self, argument: Any) -> str:
        whole, own = argument if isinstance(argument, list) else (argument, {})

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return text(self.resolve(own[name]))
            return text(self.attribute(*_attribute(name)) if "." in name else self._named(name))

        return re.sub(r"\$\{([^}]+)\}", value, whole)

    def _branch(self, argument: list[Any]) -> Any:
        condition, yes, no = argument
        return yes if self.holds(condition) else no

    def _test(self, condition: dict[str, Any]) -> bool:
        match next(iter(condition.items())):
            case "Fn::Equals", [one, other]:
                return text(self.resolve(one)) == text(self.resolve(other))
            case "Fn::Not", [other]:
                return not self._test(other)
            case "Fn::And", others:
                return all(map(self._test, others))
            case "Fn::Or", others:
                return any(map(self._test, others))
            case "Condition", name:
                return self.holds(name)
            case function, _:
                raise ValueError(f"{function} is no condition")


def _attribute(argument: Any) -> tuple[str, str]:
    name, _, attribute = argument.partition(".") if isinstance(argument, str) else (argument[0], ".", argument[1])
    return name, attribute


def _substituted(argument: Any) -> list[str]:
    whole, own = argument if isinstance(argument, list) else (argument, {})
    return [name for name in re.findall(r"\$\{([^!}][^}]*)\}", whole) if name not in own]


def _parameters(declared: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    """Takes what is given, or the default, and refuses what CloudFormation would.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html"""
    unknown = given.keys() - declared.keys()
    if unknown:
        raise ValueError(f"Parameters: {sorted(unknown)} do not exist in the template")
    values: dict[str, Any] = {}
    for name, parameter in declared.items():
        if name not in given and "Default" not in parameter:
            raise ValueError(f"Parameters: [{name}] must have values")
        value = text(given.get(name, parameter.get("Default")))
        several = parameter["Type"] == "CommaDelimitedList" or parameter["Type"].startswith("List<")
        values[name] = [part.strip() for part in value.split(",")] if several else value
        for one in values[name] if several else [value]:
            _check(name, parameter, one)
    return values


def _check(name: str, parameter: dict[str, Any], value: str) -> None:
    if "AllowedValues" in parameter and value not in map(text, parameter["AllowedValues"]):
        raise ValueError(f"Parameter '{name}' must be one of AllowedValues")
    if "AllowedPattern" in parameter and not re.fullmatch(parameter["AllowedPattern"], value):
        raise ValueError(f"Parameter {name} failed to satisfy constraint: it must match {parameter['AllowedPattern']}")
    if not parameter.get("MinLength", 0) <= len(value) <= parameter.get("MaxLength", len(value)):
        raise ValueError(f"Parameter '{name}' is too short or too long")
    if parameter["Type"] == "Number" and not float(parameter.get("MinValue", value)) <= float(value) <= float(parameter.get("MaxValue", value)):
        raise ValueError(f"Parameter '{name}' is too small or too large")

"""Hands the events that rules pick for functions, queues and other buses to the runner.

Moto matches events with the patterns of rules, but knows no function as a target, and
checks no permission to send to a queue or a bus.
Every match is posted, as RuleMatch in deployed.go, to the URL in $SANDBOX_EVENTS, by
threads of our own: the caller who puts an event does not wait. Without a URL, as before.
"""

import copy
import json
import logging
import os
import time
from datetime import datetime
from queue import SimpleQueue
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

from jsonpath_ng.ext import parse
from moto.core.utils import iso_8601_datetime_without_milliseconds, unix_time, utcfromtimestamp
from moto.events.models import Rule, events_backends
from moto.events.utils import EventTemplateParser
from moto.utilities.arns import parse_arn

AT_ONCE = 4
ATTEMPTS = 6
PAUSE = 0.2  # seconds before the first new attempt; each further one waits twice as long
ANSWER_WITHIN = 10  # seconds

# What EventBridge hands on, in its order.
# https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
FIELDS = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")

log = logging.getLogger("sandbox.rules")
matches: SimpleQueue[dict[str, Any]] = SimpleQueue()


def install() -> None:
    """Has moto's rules know what they do not know by themselves."""
    url = os.environ.get("SANDBOX_EVENTS")
    by_moto = Rule.send_to_targets

    def send_to_targets(rule: Rule, event: dict[str, Any], transform_input: bool = True) -> None:
        if rule.state == "DISABLED" or not rule.event_pattern.matches_event(event):
            return
        for target in list(rule.targets):
            arn = parse_arn(target["Arn"])
            to_bus = arn.service == "events" and arn.resource_type == "event-bus"
            if url and (arn.service in ("lambda", "sqs") or to_bus):
                matches.put(_match(rule, target, event))
            elif to_bus:
                put(target["Arn"], event)
            else:
                only = copy.copy(rule)
                only.targets = [target]
                by_moto(only, event, transform_input)

    Rule.send_to_targets = send_to_targets
    # Moto leaves the account out of what it hands to queues and log groups.
    whole = EventTemplateParser.DEFAULT_EVENT_INPUT_TEMPLATE
    EventTemplateParser.DEFAULT_EVENT_INPUT_TEMPLATE = whole.replace("{", '{"account": "<account>", ', 1)
    if url:
        for _ in range(AT_ONCE):
            Thread(target=_hand_over, args=(url,), daemon=True).start()


def _match(rule: Rule, target: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    retry = target.get("RetryPolicy") or {}
    return {
        "rule": rule.arn,
        "target": target["Arn"],
        "role": target.get("RoleArn", ""),
        "event": _input(target, event),
        "retries": retry.get("MaximumRetryAttempts"),
        "maxAge": retry.get("MaximumEventAgeInSeconds"),
        "deadLetter": (target.get("DeadLetterConfig") or {}).get("Arn", ""),
    }


def _input(target: dict[str, Any], event: dict[str, Any]) -> Any:
    """Is what the target asks for: the event, a part of it, made from it, or a constant.
    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html"""
    plain = {name: event[name] for name in FIELDS if name in event}
    if isinstance(plain.get("time"), int | float):
        plain["time"] = iso_8601_datetime_without_milliseconds(utcfromtimestamp(plain["time"]))
    if "Input" in target:
        return json.loads(target["Input"])
    if "InputPath" in target:
        found = parse(target["InputPath"]).find(plain)
        return found[0].value if found else None
    if "InputTransformer" in target:
        transformer = target["InputTransformer"]
        return EventTemplateParser.parse(
            transformer["InputTemplate"],
            transformer.get("InputPathsMap", {}),
            plain | {"ingestion-time": event.get("ingestion-time")},
        )
    return plain


def put(bus: str, event: dict[str, Any]) -> bool:
    """Puts the event on another bus as it is: unlike moto's, it keeps its account, time and
    resources, by which rules there tell it from their own. False is that there is no such bus.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html"""
    arn = parse_arn(bus)
    there = events_backends[arn.account][arn.region].event_buses.get(arn.resource_id)
    if there is None:
        log.warning("there is no event bus %s", bus)
        return False
    if isinstance(event["time"], str):
        event["time"] = datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()  # as moto has it
    for rule in list(there.rules.values()):
        rule.send_to_targets({"ingestion-time": unix_time()} | copy.deepcopy(event))
    return True


def _hand_over(url: str) -> None:
    while True:
        match = matches.get()
        body = json.dumps(match).encode()
        for attempt in range(ATTEMPTS):
            try:
                with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=ANSWER_WITHIN):
                    break
            except OSError as failure:
                if attempt + 1 == ATTEMPTS:
                    log.error("event %s of %s is lost: %s", match["event"], match["rule"], failure)
                time.sleep(PAUSE * 2**attempt)

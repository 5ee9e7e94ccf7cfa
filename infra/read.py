"""What the tests of the stacks ask of Python: the YAML of CloudFormation as JSON, read as
cfn-lint reads it, and EventBridge's matching as moto does it.

    read.py stack FILE      prints the stack as JSON
    read.py match           reads [[pattern, event], ...], prints [true, ...]
"""

import json
import sys


def stack(path):
    from cfnlint.decode.cfn_yaml import load

    return load(path)


def match():
    from moto.events.models import EventPattern

    return [
        EventPattern.load(json.dumps(pattern)).matches_event(event)
        for pattern, event in json.load(sys.stdin)
    ]


json.dump(stack(sys.argv[2]) if sys.argv[1] == "stack" else match(), sys.stdout)

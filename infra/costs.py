"""Computes what a deployment costs a month, from template.yaml and a stated load, as the table
of the README.

    costs.py [GATEWAYS...]    10 100 1000, and 1000 whose policies are full ("1000f"), by default

Prices are the list prices of us-east-1 in US dollars, without any free tier:
https://aws.amazon.com/lambda/pricing/ https://aws.amazon.com/dynamodb/pricing/on-demand/
https://aws.amazon.com/cloudwatch/pricing/ https://aws.amazon.com/eventbridge/pricing/
https://aws.amazon.com/sqs/pricing/
"""

import json
import pathlib
import re
import sys

from cfnlint.decode.cfn_yaml import load

MONTH = 730 * 60  # minutes
PRICE = {  # of one
    "metric": 0.30, "alarm metric": 0.10, "dashboard": 3.00,
    "Lambda call": 0.20e-6, "Lambda GB second": 0.0000133334,
    "read unit": 0.125e-6, "write unit": 0.625e-6, "stored GB": 0.25 + 0.20,  # with recovery to any point in time
    "event": 1e-6, "schedule run": 1e-6, "queue request": 0.40e-6, "logged GB": 0.50 + 0.03 * 3,
}

# The load that is stated, for each thing that happens: an estimate, not measured on AWS.
RUN = {"seconds": 0.05, "logged kB": 0.6}  # of a schedule that finds nothing to do
LOOK = {  # at one gateway at rest
    "seconds": 0.5, "logged kB": 2, "read units": 9, "read units when full": 700, "write units": 1,
    "events": 1, "queue requests": 3,  # sent, received, deleted
}
KEPT_KB = {"gateway": 20, "full gateway": 400}
# Lambda asks an idle queue with five pollers that wait for twenty seconds each.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
POLLS = 5 * 3 * MONTH


def template():
    return json.loads(json.dumps(load(str(pathlib.Path(__file__).parent.parent / "template.yaml"))))


def of(stack, kind):
    return {name: r for name, r in stack["Resources"].items() if r["Type"] == kind}


def watched(alarm):
    """The metrics that an alarm is billed for, as pairs of namespace and name."""
    p = alarm["Properties"]
    stats = [m["MetricStat"]["Metric"] for m in p.get("Metrics", []) if "MetricStat" in m] or [p]
    return [(m["Namespace"], m["MetricName"]) for m in stats]


def runs(schedule):
    every, unit = re.fullmatch(r"rate\((\d+) (minute|hour)s?\)", schedule["Properties"]["ScheduleExpression"]).groups()
    return MONTH / int(every) / {"minute": 1, "hour": 60}[unit]


def memory(stack, function):
    return stack["Resources"][function]["Properties"]["MemorySize"] / 1024


def lambda_cost(calls, seconds, gigabytes):
    return calls * (PRICE["Lambda call"] + seconds * gigabytes * PRICE["Lambda GB second"])


def costs(stack, gateways, full):
    """The lines of the table, each with its dollars a month."""
    metrics = [m for alarm in of(stack, "AWS::CloudWatch::Alarm").values() for m in watched(alarm)]
    own = {name for namespace, name in metrics if namespace == "GatewayGrants"}
    ran = sum(map(runs, of(stack, "AWS::Scheduler::Schedule").values()))
    looks = gateways * MONTH / stack["Parameters"]["SweepMinutes"]["Default"]
    reads = LOOK["read units when full" if full else "read units"]
    stored = gateways * KEPT_KB["full gateway" if full else "gateway"] / 1e6
    dashboards = [d for d in of(stack, "AWS::CloudWatch::Dashboard").values() if "Condition" not in d]
    return {
        f"our own metrics, {len(own)} at 0.30": len(own) * PRICE["metric"],
        f"alarms on {len(metrics)} metrics at 0.10": len(metrics) * PRICE["alarm metric"],
        "dashboard": len(dashboards) * PRICE["dashboard"],
        f"schedules, {round(ran, -3):,.0f} runs": ran * PRICE["schedule run"]
        + lambda_cost(ran, RUN["seconds"], memory(stack, "SweepFunction"))
        + ran * (RUN["logged kB"] / 1e6 * PRICE["logged GB"] + PRICE["read unit"]),
        "looking at gateways at rest": lambda_cost(looks, LOOK["seconds"], memory(stack, "GatewayEventsFunction"))
        + looks * (reads * PRICE["read unit"] + LOOK["write units"] * PRICE["write unit"])
        + looks * (LOOK["events"] * PRICE["event"] + LOOK["queue requests"] * PRICE["queue request"])
        + looks * LOOK["logged kB"] / 1e6 * PRICE["logged GB"],
        "polling the queue": POLLS * PRICE["queue request"] * len(queues_polled(stack)),
        "storage with recovery": stored * PRICE["stored GB"],
    }


def queues_polled(stack):
    events = [e for f in of(stack, "AWS::Serverless::Function").values() for e in f["Properties"].get("Events", {}).values()]
    return [e for e in events if e["Type"] == "SQS"]


def main():
    wanted = sys.argv[1:] or ["10", "100", "1000", "1000f"]
    stack = template()
    columns = [costs(stack, int(w.rstrip("f")), w.endswith("f")) for w in wanted]
    titles = [f"{int(w.rstrip('f')):,}" + (" full" if w.endswith("f") else "") for w in wanted]
    print("| gateways | " + " | ".join(titles) + " |")
    print("|---|" + "---:|" * len(wanted))
    for line in columns[0]:
        if any(c[line] for c in columns):
            print(f"| {line} | " + " | ".join(f"{c[line]:.2f}" for c in columns) + " |")
    print("| **sum** | " + " | ".join(f"**{sum(c.values()):.2f}**" for c in columns) + " |")


main()

"""Deploys a template to a server, and says of each resource that the template asks for what
it asks, and what the services then have, in the words of CloudFormation's properties.

    deployed.py ENDPOINT FILE    reads {parameters, conditions}: what the conditions come to
                                 prints {status, reasons, listed: {id: type},
                                         resources: {id: {type, want, have}}}

It takes templates apart by itself, so that it finds what the server has lost.
"""

import functools
import json
import re
import sys

import boto3

ACCOUNT, REGION = "123456789012", "us-east-1"
STACK = sys.argv[2].rpartition("/")[2].removesuffix(".yaml")
session = boto3.Session("AKIAEXAMPLE", "secret", region_name=REGION)


@functools.cache
def client(service):
    return session.client(service, endpoint_url=sys.argv[1])


def deploy(template, parameters):
    """Deploys it, unchanged but for where the code is; says how that ended, and why."""
    client("s3").create_bucket(Bucket="artifacts")  # there already is fine
    client("s3").put_object(Bucket="artifacts", Key="code.zip", Body=b"PK\5\6" + bytes(18))  # an empty zip
    packaged = json.loads(json.dumps(template))
    for function in [packaged.get("Globals", {}).get("Function", {})]:
        if "CodeUri" in function:
            function["CodeUri"] = {"Bucket": "artifacts", "Key": "code.zip"}
    stacks = client("cloudformation")
    exists = any(s["StackName"] == STACK and s["StackStatus"] != "DELETE_COMPLETE" for s in stacks.list_stacks()["StackSummaries"])
    made = stacks.create_change_set(
        StackName=STACK,
        ChangeSetName="change",
        ChangeSetType="UPDATE" if exists else "CREATE",
        TemplateBody=json.dumps(packaged),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    stacks.execute_change_set(ChangeSetName=made["Id"])
    stacks.delete_change_set(ChangeSetName=made["Id"])
    events = stacks.describe_stack_events(StackName=STACK)["StackEvents"]
    return {
        "status": stacks.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"],
        "reasons": {e["LogicalResourceId"]: e["ResourceStatusReason"] for e in reversed(events) if e.get("ResourceStatusReason")},
    }


class Asked:
    """What a template asks for, given what its conditions come to."""

    def __init__(self, template, parameters, conditions, physical):
        self.conditions, self.physical = conditions, physical
        self.values = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws", "AWS::StackName": STACK}
        for name, parameter in template["Parameters"].items():
            value = parameters.get(name, parameter.get("Default"))
            self.values[name] = value.split(",") if parameter["Type"] == "CommaDelimitedList" else value
        resources = {}
        for name, resource in template["Resources"].items():
            if "Condition" not in resource or conditions[resource["Condition"]]:
                resources |= plain(name, resource, template.get("Globals", {}).get("Function"))
        self.resources = resources

    def want(self, name):
        return self.resolve(self.resources[name].get("Properties", {}))

    @functools.cache
    def have(self, name):
        return DESCRIBED[self.resources[name]["Type"]](self.physical[name], self.want(name))

    def resolve(self, value):
        match value:
            case list():
                return [v for v in map(self.resolve, value) if v is not None]
            case {"Ref": "AWS::NoValue"}:
                return None
            case {"Ref": name}:
                return self.values[name] if name in self.values else self.physical[name]
            case {"Fn::GetAtt": [name, attribute]}:
                return next(v for k, v in self.have(name).items() if k.lower() == attribute.lower())
            case {"Fn::If": [condition, yes, no]}:
                return self.resolve(yes if self.conditions[condition] else no)
            case {"Fn::Join": [by, parts]}:
                return by.join(self.resolve(parts))
            case {"Fn::Sub": whole}:
                return re.sub(r"\$\{([^}]+)\}", lambda m: str(self.named(*m[1].split("."))), whole)
            case dict():
                return {k: v for k, v in ((k, self.resolve(v)) for k, v in value.items()) if v is not None}
            case _:
                return value

    def named(self, name, attribute=None):
        return self.resolve({"Fn::GetAtt": [name, attribute]} if attribute else {"Ref": name})


def plain(name, resource, common):
    """Is what the SAM transform makes of a resource.
    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-generated-resources.html"""
    if resource["Type"] != "AWS::Serverless::Function":
        return {name: resource}
    p = {k: v for k, v in (common | resource["Properties"]).items() if k != "CodeUri"}
    made = {}
    for event, source in p.pop("Events", {}).items():
        settings = dict(source["Properties"])
        stream_or_queue = settings.pop("Stream", None) or settings.pop("Queue")
        settings |= {"FunctionName": {"Ref": name}, "EventSourceArn": stream_or_queue}
        made[name + event] = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": typeless(settings)}
    if settings := p.pop("EventInvokeConfig", None):
        made[name + "EventInvokeConfig"] = {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": typeless(settings | {"FunctionName": {"Ref": name}}),
        }
    return {name: {"Type": "AWS::Lambda::Function", "Properties": p}} | made


def typeless(settings):
    """SAM wants to know of what type a destination is, Lambda does not."""
    if "DestinationConfig" not in settings:
        return settings
    destination = settings["DestinationConfig"]["OnFailure"]["Destination"]
    return settings | {"DestinationConfig": {"OnFailure": {"Destination": destination}}}


# How each type is looked up: by its physical id and what is wanted of it.


def table(name, _):
    db = client("dynamodb")
    have = db.describe_table(TableName=name)["Table"]
    recovery = db.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    expiry = db.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    return have | {
        "BillingMode": have["BillingModeSummary"]["BillingMode"],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": recovery["PointInTimeRecoveryStatus"] == "ENABLED"},
        "SSESpecification": {"SSEEnabled": have.get("SSEDescription", {}).get("Status") == "ENABLED"},
        "TimeToLiveSpecification": {"AttributeName": expiry.get("AttributeName"), "Enabled": expiry["TimeToLiveStatus"] == "ENABLED"},
        "Arn": have["TableArn"],
        "StreamArn": have.get("LatestStreamArn"),
    }


def bus_policy(statement, p):
    policy = json.loads(client("events").describe_event_bus(Name=p["EventBusName"])["Policy"])
    found = next(s for s in policy["Statement"] if s["Sid"] == statement)
    return {"EventBusName": p["EventBusName"], "StatementId": found.pop("Sid"), "Statement": found}


def rule(identity, _):
    bus, _, name = identity.rpartition("|")
    events = client("events")
    have = events.describe_rule(Name=name, EventBusName=bus or "default")
    return have | {"Targets": events.list_targets_by_rule(Rule=name, EventBusName=bus or "default")["Targets"]}


def queue(url, _):
    have = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return have | {"QueueName": url.rpartition("/")[2], "Arn": have["QueueArn"]}


def queue_policy(_, p):
    return {"Queues": p["Queues"], "PolicyDocument": queue(p["Queues"][0], p)["Policy"]}


def role(name, _):
    iam = client("iam")
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return iam.get_role(RoleName=name)["Role"] | {
        "Policies": [
            {"PolicyName": policy, "PolicyDocument": iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]}
            for policy in inline
        ]
    }


def function(name, _):
    functions = client("lambda")
    have = functions.get_function_configuration(FunctionName=name)
    return have | {
        "Arn": have["FunctionArn"],
        "ReservedConcurrentExecutions": functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions"),
    }


def permission(identity, p):
    policy = json.loads(client("lambda").get_policy(FunctionName=p["FunctionName"])["Policy"])
    have = next(s for s in policy["Statement"] if s["Sid"] == identity)
    return {
        "FunctionName": have["Resource"].rpartition(":")[2],
        "Action": have["Action"],
        "Principal": have["Principal"]["Service"],
        "SourceArn": have["Condition"]["ArnLike"]["AWS:SourceArn"],
    }


def mapping(identity, _):
    have = client("lambda").get_event_source_mapping(UUID=identity)
    return have | {"Stream": have["EventSourceArn"], "FunctionName": have["FunctionArn"].rpartition(":")[2]}


def invoke_config(_, p):
    have = client("lambda").get_function_event_invoke_config(FunctionName=p["FunctionName"])
    return have | {"FunctionName": have["FunctionArn"].rpartition(":")[2]}


def log_group(name, _):
    logs = client("logs")
    have = next(g for g in logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"] if g["logGroupName"] == name)
    arn = have["arn"].removesuffix(":*")
    policies = logs.describe_resource_policies(policyScope="RESOURCE", resourceArn=arn)["resourcePolicies"]
    return have | {"ResourcePolicyDocument": p["policyDocument"] for p in policies}


def metric_filter(name, p):
    return client("logs").describe_metric_filters(logGroupName=p["LogGroupName"], filterNamePrefix=name)["metricFilters"][0]


def query(identity, _):
    return next(q for q in client("logs").describe_query_definitions()["queryDefinitions"] if q["queryDefinitionId"] == identity)


def topic(arn, _):
    sns = client("sns")
    listed = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    return sns.get_topic_attributes(TopicArn=arn)["Attributes"] | {
        "TopicName": arn.rpartition(":")[2],
        "Subscription": [{"Protocol": s["Protocol"], "Endpoint": s["Endpoint"]} for s in listed],
    }


def topic_policy(_, p):
    return {"Topics": p["Topics"], "PolicyDocument": topic(p["Topics"][0], p)["Policy"]}


def alarm(name, _):
    return client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]


DESCRIBED = {
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::CloudWatch::Dashboard": lambda name, _: client("cloudwatch").get_dashboard(DashboardName=name),
    "AWS::DynamoDB::Table": table,
    "AWS::Events::EventBus": lambda name, _: client("events").describe_event_bus(Name=name),
    "AWS::Events::EventBusPolicy": bus_policy,
    "AWS::Events::Rule": rule,
    "AWS::IAM::Role": role,
    "AWS::Lambda::EventInvokeConfig": invoke_config,
    "AWS::Lambda::EventSourceMapping": mapping,
    "AWS::Lambda::Function": function,
    "AWS::Lambda::Permission": permission,
    "AWS::Logs::LogGroup": log_group,
    "AWS::Logs::MetricFilter": metric_filter,
    "AWS::Logs::QueryDefinition": query,
    "AWS::Organizations::ResourcePolicy": lambda *_: client("organizations").describe_resource_policy()["ResourcePolicy"],
    "AWS::SNS::Topic": topic,
    "AWS::SNS::TopicPolicy": topic_policy,
    "AWS::SQS::Queue": queue,
    "AWS::SQS::QueuePolicy": queue_policy,
    "AWS::Scheduler::Schedule": lambda name, p: client("scheduler").get_schedule(Name=name, GroupName=p["GroupName"]),
    "AWS::Scheduler::ScheduleGroup": lambda name, _: client("scheduler").get_schedule_group(Name=name),
}


def main():
    from cfnlint.decode.cfn_yaml import load

    template = json.loads(json.dumps(load(sys.argv[2])))
    given = json.load(sys.stdin)
    given["parameters"] = given["parameters"] or {}
    if any(r["Type"].startswith("AWS::Organizations::") for r in template["Resources"].values()):
        client("organizations").create_organization()  # whose management account this is
    outcome = deploy(template, given["parameters"])
    listed = client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    physical = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in listed}
    asked = Asked(template, given["parameters"], given["conditions"], physical)
    outcome["listed"] = {r["LogicalResourceId"]: r["ResourceType"] for r in listed}
    outcome["resources"] = {
        name: {
            "type": resource["Type"],
            "want": asked.want(name) if name in physical else None,
            "have": asked.have(name) if name in physical and resource["Type"] in DESCRIBED else None,
        }
        for name, resource in asked.resources.items()
    }
    json.dump(outcome, sys.stdout, default=str)


main()

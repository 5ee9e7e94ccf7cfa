"""The types of resources that stacks may have: how each is made, changed and unmade, by the
calls of its service that CloudFormation makes, too.

A type that is not here makes a stack fail, and so does a property that its service's call
does not take.
"""

from dataclasses import dataclass, field
from typing import Any

from aws import AWS, text

Properties = dict[str, Any]


@dataclass
class Made:
    """What came of making a resource: the id that Ref gives, and what Fn::GetAtt does."""

    id: str
    attributes: dict[str, Any] = field(default_factory=dict)


class Kind:
    """A type of resource. By default a change makes it anew, as what it is then."""

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


class Table(Kind):
    name, fixed = "TableName", ("KeySchema", "LocalSecondaryIndexes")
    changeable = (
        "BillingMode", "ProvisionedThroughput", "StreamSpecification", "SSESpecification",
        "DeletionProtectionEnabled", "PointInTimeRecoverySpecification", "TimeToLiveSpecification",
    )  # fmt: skip

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        settings = without(p, "PointInTimeRecoverySpecification", "TimeToLiveSpecification")
        table = aws("dynamodb", "CreateTable", **self._written(settings) | {"TableName": name})["TableDescription"]
        self._set_apart(aws, name, p.keys(), p)
        return self._made(table)

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        names = changed(old, p)
        self._set_apart(aws, made.id, names, p)
        settings = {n: p[n] for n in names if n in p} | ({} if p.get("DeletionProtectionEnabled") else {"DeletionProtectionEnabled": False})
        settings = without(settings, "PointInTimeRecoverySpecification", "TimeToLiveSpecification")
        return self._made(aws("dynamodb", "UpdateTable", **self._written(settings), TableName=made.id)["TableDescription"])

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("dynamodb", "DeleteTable", TableName=made.id)

    def _set_apart(self, aws: AWS, table: str, names: Any, p: Properties) -> None:
        if "PointInTimeRecoverySpecification" in names:
            recovery = p.get("PointInTimeRecoverySpecification") or {"PointInTimeRecoveryEnabled": False}
            aws("dynamodb", "UpdateContinuousBackups", TableName=table, PointInTimeRecoverySpecification=recovery)
        if "TimeToLiveSpecification" in names:
            expiry = p.get("TimeToLiveSpecification")
            if expiry is None:
                raise ValueError("TimeToLiveSpecification cannot be taken away: disable it")
            aws("dynamodb", "UpdateTimeToLive", TableName=table, TimeToLiveSpecification=expiry)

    def _written(self, p: Properties) -> Properties:
        """Writes two properties as DynamoDB does, which CloudFormation writes differently."""
        p = dict(p)
        if "StreamSpecification" in p:
            p["StreamSpecification"] = {"StreamEnabled": True} | p["StreamSpecification"]
        if "SSESpecification" in p:
            sse = p["SSESpecification"]
            p["SSESpecification"] = {"Enabled": sse["SSEEnabled"]} | without(sse, "SSEEnabled")
        return p

    def _made(self, table: dict[str, Any]) -> Made:
        return Made(table["TableName"], {"Arn": table["TableArn"], "StreamArn": table.get("LatestStreamArn")})


class EventBus(Kind):
    name, changeable = "Name", ()

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        arn = aws("events", "CreateEventBus", **p | {"Name": name})["EventBusArn"]
        return Made(name, {"Arn": arn, "Name": name})

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("events", "DeleteEventBus", Name=made.id)


class EventBusPolicy(Kind):
    fixed = ("EventBusName", "StatementId")

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        statement = p["Statement"] | {"Sid": p["StatementId"]}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        aws("events", "PutPermission", EventBusName=self._bus(p), Policy=document)
        return Made(p["StatementId"])

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("events", "RemovePermission", EventBusName=self._bus(p), StatementId=p["StatementId"])

    def _bus(self, p: Properties) -> str:
        return p.get("EventBusName", "default")


class Rule(Kind):
    name, longest, fixed = "Name", 64, ("EventBusName",)

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        bus = p.get("EventBusName", "default")
        arn = aws("events", "PutRule", **without(p, "Targets") | {"Name": name})["RuleArn"]
        if p.get("Targets"):
            put = aws("events", "PutTargets", Rule=name, EventBusName=bus, Targets=p["Targets"])
            if put["FailedEntryCount"]:
                raise ValueError(f"targets: {put['FailedEntries']}")
        return Made(name if bus == "default" else f"{bus}|{name}", {"Arn": arn})

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        gone = {t["Id"] for t in old.get("Targets", [])} - {t["Id"] for t in p.get("Targets", [])}
        if gone:
            self._remove(aws, made, p, gone)
        return self.create(aws, self._name(made), p)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        if p.get("Targets"):
            self._remove(aws, made, p, {t["Id"] for t in p["Targets"]})
        aws("events", "DeleteRule", Name=self._name(made), EventBusName=p.get("EventBusName", "default"))

    def _remove(self, aws: AWS, made: Made, p: Properties, targets: set[str]) -> None:
        bus = p.get("EventBusName", "default")
        aws("events", "RemoveTargets", Rule=self._name(made), EventBusName=bus, Ids=sorted(targets))

    def _name(self, made: Made) -> str:
        return made.id.rpartition("|")[2]


class Queue(Kind):
    name, longest, fixed = "QueueName", 80, ("FifoQueue",)
    known = {
        "ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoQueue", "FifoThroughputLimit",
        "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "MaximumMessageSize", "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled", "VisibilityTimeout",
    }  # fmt: skip

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        tags = {t["Key"]: t["Value"] for t in p.get("Tags", [])}
        url = aws("sqs", "CreateQueue", QueueName=name, Attributes=self._attributes(p), Tags=tags)["QueueUrl"]
        arn = aws("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return Made(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        if set(self._attributes(old)) - set(self._attributes(p)) or old.get("Tags") != p.get("Tags"):
            raise ValueError("no property of a queue can be taken away here, and its tags cannot change")
        aws("sqs", "SetQueueAttributes", QueueUrl=made.id, Attributes=self._attributes(p))
        return made

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("sqs", "DeleteQueue", QueueUrl=made.id)

    def _attributes(self, p: Properties) -> dict[str, str]:
        attributes = without(p, "QueueName", "Tags")
        if attributes.keys() - self.known:  # moto keeps whatever it is given
            raise ValueError(f"a queue does not take {', '.join(sorted(attributes.keys() - self.known))}")
        return {name: text(value) for name, value in attributes.items()}


class QueuePolicy(Kind):
    fixed = ("Queues",)

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        for queue in p["Queues"]:
            aws("sqs", "SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": p["PolicyDocument"]})
        return Made(name)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        for queue in p["Queues"]:
            aws("sqs", "SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": ""})


class Role(Kind):
    name, longest, fixed = "RoleName", 64, ("Path",)

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        role = aws("iam", "CreateRole", **without(p, "Policies", "ManagedPolicyArns") | {"RoleName": name})["Role"]
        self._grant(aws, name, {}, p)
        return Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        if {"Tags", "PermissionsBoundary"} & changed(old, p):
            raise ValueError("neither the tags nor the boundary of a role can change here")
        aws("iam", "UpdateAssumeRolePolicy", RoleName=made.id, PolicyDocument=p["AssumeRolePolicyDocument"])
        rest = {"Description": "", "MaxSessionDuration": 3600} | {n: p[n] for n in ("Description", "MaxSessionDuration") if n in p}
        aws("iam", "UpdateRole", RoleName=made.id, **rest)
        self._grant(aws, made.id, old, p)
        return made

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        self._grant(aws, made.id, p, {})
        aws("iam", "DeleteRole", RoleName=made.id)

    def _grant(self, aws: AWS, role: str, old: Properties, new: Properties) -> None:
        inline = {policy["PolicyName"]: policy["PolicyDocument"] for policy in new.get("Policies", [])}
        for name, document in inline.items():
            aws("iam", "PutRolePolicy", RoleName=role, PolicyName=name, PolicyDocument=document)
        for policy in old.get("Policies", []):
            if policy["PolicyName"] not in inline:
                aws("iam", "DeleteRolePolicy", RoleName=role, PolicyName=policy["PolicyName"])
        before, after = set(old.get("ManagedPolicyArns", [])), set(new.get("ManagedPolicyArns", []))
        for arn in sorted(after - before):
            aws("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)
        for arn in sorted(before - after):
            aws("iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn)


class Function(Kind):
    name, longest, fixed = "FunctionName", 64, ("PackageType",)
    apart = ("Code", "Architectures", "ReservedConcurrentExecutions", "Tags")

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        settings = without(p, "ReservedConcurrentExecutions") | {"FunctionName": name}
        arn = aws("lambda", "CreateFunction", **settings)["FunctionArn"]
        self._reserve(aws, name, p)
        return Made(name, {"Arn": arn})

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        names = changed(old, p)
        if "Tags" in names:
            raise ValueError("tags of a function cannot change here")
        if {"Code", "Architectures"} & names:
            code = p["Code"] | {n: p[n] for n in ("Architectures",) if n in p}
            aws("lambda", "UpdateFunctionCode", **code | {"FunctionName": made.id})
        gone = {n for n in names if n not in p} - {"ReservedConcurrentExecutions"}
        if gone:
            raise ValueError(f"properties of a function cannot be taken away here: {', '.join(sorted(gone))}")
        aws("lambda", "UpdateFunctionConfiguration", **without(p, *self.apart) | {"FunctionName": made.id})
        self._reserve(aws, made.id, p)
        return made

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("lambda", "DeleteFunction", FunctionName=made.id)

    def _reserve(self, aws: AWS, name: str, p: Properties) -> None:
        if "ReservedConcurrentExecutions" in p:
            reserved = {"ReservedConcurrentExecutions": p["ReservedConcurrentExecutions"]}
            aws("lambda", "PutFunctionConcurrency", FunctionName=name, **reserved)
        else:
            aws("lambda", "DeleteFunctionConcurrency", FunctionName=name)


class Permission(Kind):
    fixed = ("FunctionName", "Action", "Principal", "SourceArn", "SourceAccount", "PrincipalOrgID")
    changeable = ()

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        aws("lambda", "AddPermission", **p | {"StatementId": name})
        return Made(name)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("lambda", "RemovePermission", FunctionName=p["FunctionName"], StatementId=made.id)


class EventSourceMapping(Kind):
    fixed = ("EventSourceArn", "StartingPosition", "StartingPositionTimestamp")

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        return Made(aws("lambda", "CreateEventSourceMapping", **p)["UUID"])

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        gone = changed(old, p) - p.keys()
        if gone:
            raise ValueError(f"properties of a mapping cannot be taken away here: {', '.join(sorted(gone))}")
        aws("lambda", "UpdateEventSourceMapping", UUID=made.id, **without(p, *self.fixed))
        return made

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("lambda", "DeleteEventSourceMapping", UUID=made.id)


class EventInvokeConfig(Kind):
    fixed = ("FunctionName", "Qualifier")

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        if p.get("Qualifier", "$LATEST") != "$LATEST":
            raise ValueError("moto keeps one event invoke config a function, for $LATEST")
        aws("lambda", "PutFunctionEventInvokeConfig", **p)
        return Made(name)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("lambda", "DeleteFunctionEventInvokeConfig", FunctionName=p["FunctionName"])


class LogGroup(Kind):
    name, changeable = "LogGroupName", ("RetentionInDays",)

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        aws("logs", "CreateLogGroup", **without(p, "RetentionInDays") | {"LogGroupName": name})
        self.update(aws, Made(name), {}, p)
        return Made(name, {"Arn": f"arn:{aws.partition}:logs:{aws.region}:{aws.account}:log-group:{name}:*"})

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        if "RetentionInDays" in p:
            aws("logs", "PutRetentionPolicy", LogGroupName=made.id, RetentionInDays=p["RetentionInDays"])
        elif "RetentionInDays" in old:
            aws("logs", "DeleteRetentionPolicy", LogGroupName=made.id)
        return made

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("logs", "DeleteLogGroup", LogGroupName=made.id)


class LogPolicy(Kind):
    name = "PolicyName"

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        aws("logs", "PutResourcePolicy", **p)
        return Made(name)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("logs", "DeleteResourcePolicy", PolicyName=made.id)


class MetricFilter(Kind):
    name, fixed = "FilterName", ("LogGroupName",)

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        aws("logs", "PutMetricFilter", **p | {"FilterName": name})
        return Made(name)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("logs", "DeleteMetricFilter", LogGroupName=p["LogGroupName"], FilterName=made.id)


class QueryDefinition(Kind):
    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        return Made(aws("logs", "PutQueryDefinition", **p)["queryDefinitionId"])

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        aws("logs", "PutQueryDefinition", **p, QueryDefinitionId=made.id)
        return made

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("logs", "DeleteQueryDefinition", QueryDefinitionId=made.id)


class Alarm(Kind):
    name = "AlarmName"

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        aws("cloudwatch", "PutMetricAlarm", **p | {"AlarmName": name})
        return Made(name, {"Arn": f"arn:{aws.partition}:cloudwatch:{aws.region}:{aws.account}:alarm:{name}"})

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("cloudwatch", "DeleteAlarms", AlarmNames=[made.id])


class Dashboard(Kind):
    name = "DashboardName"

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        aws("cloudwatch", "PutDashboard", **p | {"DashboardName": name})
        return Made(name)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("cloudwatch", "DeleteDashboards", DashboardNames=[made.id])


class ScheduleGroup(Kind):
    name, longest, changeable = "Name", 64, ()

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        arn = aws("scheduler", "CreateScheduleGroup", **p | {"Name": name})["ScheduleGroupArn"]
        return Made(name, {"Arn": arn})

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("scheduler", "DeleteScheduleGroup", Name=made.id)


class Schedule(Kind):
    name, longest, fixed = "Name", 64, ("GroupName",)

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        arn = aws("scheduler", "CreateSchedule", **p | {"Name": name})["ScheduleArn"]
        return Made(name, {"Arn": arn})

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        aws("scheduler", "UpdateSchedule", **{"State": "ENABLED"} | p | {"Name": made.id})
        return made

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("scheduler", "DeleteSchedule", Name=made.id, GroupName=p.get("GroupName", "default"))


class Delegation(Kind):
    changeable = ("Content",)

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        summary = aws("organizations", "PutResourcePolicy", **p)["ResourcePolicy"]["ResourcePolicySummary"]
        return Made(summary["Id"], {"Id": summary["Id"], "Arn": summary["Arn"]})

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        return self.create(aws, made.id, p)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("organizations", "DeleteResourcePolicy")


KINDS: dict[str, Kind] = {
    "AWS::CloudWatch::Alarm": Alarm(),
    "AWS::CloudWatch::Dashboard": Dashboard(),
    "AWS::DynamoDB::Table": Table(),
    "AWS::Events::EventBus": EventBus(),
    "AWS::Events::EventBusPolicy": EventBusPolicy(),
    "AWS::Events::Rule": Rule(),
    "AWS::IAM::Role": Role(),
    "AWS::Lambda::EventInvokeConfig": EventInvokeConfig(),
    "AWS::Lambda::EventSourceMapping": EventSourceMapping(),
    "AWS::Lambda::Function": Function(),
    "AWS::Lambda::Permission": Permission(),
    "AWS::Logs::LogGroup": LogGroup(),
    "AWS::Logs::MetricFilter": MetricFilter(),
    "AWS::Logs::QueryDefinition": QueryDefinition(),
    "AWS::Logs::ResourcePolicy": LogPolicy(),
    "AWS::Organizations::ResourcePolicy": Delegation(),
    "AWS::SQS::Queue": Queue(),
    "AWS::SQS::QueuePolicy": QueuePolicy(),
    "AWS::Scheduler::Schedule": Schedule(),
    "AWS::Scheduler::ScheduleGroup": ScheduleGroup(),
}


def kind(of: str) -> Kind:
    """Looks a type up."""
    if of not in KINDS:
        raise ValueError(f"{of} is not supported: give it a Kind in resources.py")
    return KINDS[of]

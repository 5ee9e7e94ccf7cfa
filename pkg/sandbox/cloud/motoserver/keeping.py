"""What stacks keep things in: tables, queues, log groups, and who may do what with them."""

from typing import Any

from aws import AWS, text
from kinds import Kind, Made, Properties, changed, without


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


class LogGroup(Kind):
    name, changeable = "LogGroupName", ("RetentionInDays", "ResourcePolicyDocument")

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        aws("logs", "CreateLogGroup", **without(p, *self.changeable) | {"LogGroupName": name})
        self.update(aws, Made(name), {}, p)
        return Made(name, {"Arn": f"arn:{aws.partition}:logs:{aws.region}:{aws.account}:log-group:{name}:*"})

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        if "RetentionInDays" in p:
            aws("logs", "PutRetentionPolicy", LogGroupName=made.id, RetentionInDays=p["RetentionInDays"])
        elif "RetentionInDays" in old:
            aws("logs", "DeleteRetentionPolicy", LogGroupName=made.id)
        group = f"arn:{aws.partition}:logs:{aws.region}:{aws.account}:log-group:{made.id}"
        if "ResourcePolicyDocument" in p:
            aws("logs", "PutResourcePolicy", ResourceArn=group, PolicyDocument=p["ResourcePolicyDocument"])
        elif "ResourcePolicyDocument" in old:
            aws("logs", "DeleteResourcePolicy", ResourceArn=group)
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


class Delegation(Kind):
    changeable = ("Content",)

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        summary = aws("organizations", "PutResourcePolicy", **p)["ResourcePolicy"]["ResourcePolicySummary"]
        return Made(summary["Id"], {"Id": summary["Id"], "Arn": summary["Arn"]})

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        return self.create(aws, made.id, p)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("organizations", "DeleteResourcePolicy")

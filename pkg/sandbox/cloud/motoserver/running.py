"""What runs in stacks: functions, and what invokes them."""

from aws import AWS
from kinds import Kind, Made, Properties, changed, without


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

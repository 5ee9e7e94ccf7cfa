"""What watches over what runs: metrics out of logs, alarms, dashboards, saved queries."""

from aws import AWS
from kinds import Kind, Made, Properties


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

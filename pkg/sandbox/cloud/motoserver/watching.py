"""What watches over what runs: metrics out of logs, alarms and their topics, dashboards, saved queries."""

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


class Topic(Kind):
    name, changeable = "TopicName", ("Subscription",)

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        arn = aws("sns", "CreateTopic", **{n: v for n, v in p.items() if n not in ("TopicName", "Subscription")}, Name=name)["TopicArn"]
        self._subscribe(aws, arn, p)
        return Made(arn, {"TopicArn": arn, "TopicName": name})

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        for have in aws("sns", "ListSubscriptionsByTopic", TopicArn=made.id)["Subscriptions"]:
            if have["SubscriptionArn"].startswith("arn:"):
                aws("sns", "Unsubscribe", SubscriptionArn=have["SubscriptionArn"])
        self._subscribe(aws, made.id, p)
        return made

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("sns", "DeleteTopic", TopicArn=made.id)

    def _subscribe(self, aws: AWS, topic: str, p: Properties) -> None:
        for wanted in p.get("Subscription", []):
            aws("sns", "Subscribe", TopicArn=topic, **wanted)


class TopicPolicy(Kind):
    fixed = ("Topics",)

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        for topic in p["Topics"]:
            aws("sns", "SetTopicAttributes", TopicArn=topic, AttributeName="Policy", AttributeValue=p["PolicyDocument"])
        return Made(name)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        """Leaves the policy to its topic, which goes next."""

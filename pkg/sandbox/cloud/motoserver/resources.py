"""The types of resources that stacks may have. A type that is not here makes a stack fail."""

from agentcore import Gateway, GatewayTarget
from buckets import Bucket, BucketPolicy
from keeping import Delegation, LogGroup, LogPolicy, Queue, QueuePolicy, Role, Table
from kinds import Kind
from running import (
    EventBus,
    EventBusPolicy,
    EventInvokeConfig,
    EventSourceMapping,
    Function,
    Permission,
    Rule,
    Schedule,
    ScheduleGroup,
)
from watching import Alarm, Dashboard, MetricFilter, QueryDefinition, Topic, TopicPolicy

KINDS: dict[str, Kind] = {
    "AWS::BedrockAgentCore::Gateway": Gateway(),
    "AWS::BedrockAgentCore::GatewayTarget": GatewayTarget(),
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
    "AWS::S3::Bucket": Bucket(),
    "AWS::S3::BucketPolicy": BucketPolicy(),
    "AWS::SNS::Topic": Topic(),
    "AWS::SNS::TopicPolicy": TopicPolicy(),
    "AWS::SQS::Queue": Queue(),
    "AWS::SQS::QueuePolicy": QueuePolicy(),
    "AWS::Scheduler::Schedule": Schedule(),
    "AWS::Scheduler::ScheduleGroup": ScheduleGroup(),
}


def kind(of: str) -> Kind:
    """Looks a type up."""
    if of not in KINDS:
        raise ValueError(f"{of} is not supported: give it a Kind among those of resources.py")
    return KINDS[of]

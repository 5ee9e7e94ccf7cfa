"""Buckets of stacks, such as the one that SAM CLI makes for itself in every account."""

import json
from typing import Any

from aws import AWS
from kinds import Kind, Made, Properties, without
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket

PLAIN_HTTP = {"Bool": {"aws:SecureTransport": "false"}}


def install() -> None:
    """Has statements on plain HTTP mean nothing: the endpoint stands for AWS's, which speak TLS.
    Moto applies a bucket's statements whatever their conditions say."""
    FakeBucket.get_permission = get_permission


def get_permission(bucket: FakeBucket, action: str, resource: str) -> Any:
    """What a bucket's policy says."""
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    document = json.loads(bucket.policy)
    applied = [s for s in document["Statement"] if s.get("Condition") != PLAIN_HTTP]
    return IAMPolicy(json.dumps(document | {"Statement": applied})).is_action_permitted(action, resource)


class Bucket(Kind):
    name, longest = "BucketName", 63
    changeable = ("PublicAccessBlockConfiguration", "BucketEncryption", "VersioningConfiguration", "Tags")

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        name = name.lower()
        unknown = without(p, "BucketName", *self.changeable)
        if unknown:
            raise ValueError(f"a bucket does not take {', '.join(sorted(unknown))}")
        aws("s3", "CreateBucket", Bucket=name)
        return self.update(aws, Made(name, {"Arn": f"arn:{aws.partition}:s3:::{name}"}), {}, p)

    def update(self, aws: AWS, made: Made, old: Properties, p: Properties) -> Made:
        bucket = made.id
        if access := p.get("PublicAccessBlockConfiguration"):
            aws("s3", "PutPublicAccessBlock", Bucket=bucket, PublicAccessBlockConfiguration=access)
        if encryption := p.get("BucketEncryption"):
            rules = [{"ApplyServerSideEncryptionByDefault": r["ServerSideEncryptionByDefault"]} for r in encryption["ServerSideEncryptionConfiguration"]]
            aws("s3", "PutBucketEncryption", Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
        if versioning := p.get("VersioningConfiguration"):
            aws("s3", "PutBucketVersioning", Bucket=bucket, VersioningConfiguration=versioning)
        if tags := p.get("Tags"):
            aws("s3", "PutBucketTagging", Bucket=bucket, Tagging={"TagSet": tags})
        return made

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("s3", "DeleteBucket", Bucket=made.id)


class BucketPolicy(Kind):
    fixed = ("Bucket",)

    def create(self, aws: AWS, name: str, p: Properties) -> Made:
        aws("s3", "PutBucketPolicy", Bucket=p["Bucket"], Policy=p["PolicyDocument"])
        return Made(name)

    def delete(self, aws: AWS, made: Made, p: Properties) -> None:
        aws("s3", "DeleteBucketPolicy", Bucket=p["Bucket"])

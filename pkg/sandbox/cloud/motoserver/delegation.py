"""The delegation policy of an organization, of which there is one at most, and which moto
does not know. It is kept here; which account it lets read the organization is decided elsewhere.
https://docs.aws.amazon.com/organizations/latest/APIReference/API_PutResourcePolicy.html
"""

import json
from uuid import uuid4

from moto.organizations.exceptions import AWSOrganizationsNotInUseException, OrganizationsClientError
from moto.organizations.models import FakeOrganization
from moto.organizations.responses import OrganizationsResponse

kept: dict[str, tuple[str, str]] = {}  # id and content by the organization's id


def install() -> None:
    """Adds the three calls."""
    OrganizationsResponse.put_resource_policy = put_resource_policy
    OrganizationsResponse.describe_resource_policy = describe_resource_policy
    OrganizationsResponse.delete_resource_policy = delete_resource_policy


def put_resource_policy(call: OrganizationsResponse) -> str:
    """Makes the policy, or puts another in its place."""
    organization = _organization(call)
    identity, _ = kept.get(organization.id, (f"rp-{uuid4().hex}", ""))
    kept[organization.id] = identity, call.request_params["Content"]
    return _told(organization)


def describe_resource_policy(call: OrganizationsResponse) -> str:
    """Tells the policy."""
    return _told(_organization(call))


def delete_resource_policy(call: OrganizationsResponse) -> str:
    """Takes the policy away."""
    organization = _organization(call)
    _told(organization)
    del kept[organization.id]
    return "{}"


def _organization(call: OrganizationsResponse) -> FakeOrganization:
    if call.organizations_backend.org is None:
        raise AWSOrganizationsNotInUseException
    return call.organizations_backend.org


def _told(organization: FakeOrganization) -> str:
    if organization.id not in kept:
        raise OrganizationsClientError("ResourcePolicyNotFoundException", "We can't find a resource policy.")
    identity, content = kept[organization.id]
    arn = f"arn:aws:organizations::{organization.master_account_id}:resourcepolicy/{organization.id}/{identity}"
    return json.dumps({"ResourcePolicy": {"ResourcePolicySummary": {"Id": identity, "Arn": arn}, "Content": content}})

"""Signs what httpx, or its successor httpx2, sends with Signature Version 4."""

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest


def signing(httpx, profile):
    """Gives an httpx.Auth of the profile, for whichever of the two libraries."""
    credentials = boto3.Session(profile_name=profile).get_credentials()

    class Signed(httpx.Auth):
        requires_request_body = True

        def auth_flow(self, request):
            headers = {
                name: value
                for name, value in request.headers.items()
                if name.lower() in ("host", "content-type", "accept") or name.lower().startswith("mcp-")
            }
            unsigned = AWSRequest(
                method=request.method, url=str(request.url), data=request.content, headers=headers
            )
            SigV4Auth(credentials, "bedrock-agentcore", "us-east-1").add_auth(unsigned)
            request.headers.update(dict(unsigned.headers))
            yield request

    return Signed()

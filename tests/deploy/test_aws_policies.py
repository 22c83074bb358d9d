"""The calls of a worker and of the API with the permissions of deploy/aws, evaluated by moto's IAM.

Two calls are missing, since moto evaluates them differently from AWS: HeadBucket, for which it requires a permission
that does not exist, and DeleteObjects, which it evaluates for the bucket instead of each object.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import boto3
import pytest

from services.backends.remotion_lambda import keys
from services.backends.remotion_lambda.aws import Aws, AwsAccess, open_aws
from services.settings import CHECKOUT
from services.storage.aws_errors import AwsError

BUCKET = "remotionlambda-useast1-abcdefghij"
REGION = "us-east-1"
VIDEO, POSTER = keys.output_key("id", 1, "mp4"), keys.poster_key("id")
Call = Callable[[Aws], Coroutine[Any, Any, object]]
CALLS: dict[str, Call] = {
    "stop a render": lambda aws: aws.put(BUCKET, keys.cancel_key("id"), b""),
    "fence an attempt": lambda aws: aws.put_if_absent(BUCKET, VIDEO),
    "fence an attempt again": lambda aws: aws.put_if_absent(BUCKET, VIDEO),
    "store a poster": lambda aws: aws.put(BUCKET, POSTER, b"JPEG", content_type="image/jpeg"),
    "send props": lambda aws: aws.put(BUCKET, keys.props_key("0f"), b"{}"),
    "find a video": lambda aws: aws.size(BUCKET, VIDEO),
    "miss a video": lambda aws: aws.size(BUCKET, keys.output_key("id", 2, "mp4")),
    "change the site": lambda aws: aws.put(BUCKET, "sites/rendercast/index.html", b""),
}
READS = {"find a video", "miss a video"}
ALLOWED = {
    "worker": READS | {"stop a render", "fence an attempt", "fence an attempt again", "store a poster", "send props"},
    "api": READS,
}


def with_policy(role: str) -> AwsAccess:
    """Return the access of a new user with the policy."""
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET)
    iam = boto3.client("iam", region_name=REGION)
    iam.create_user(UserName=role)
    policy = (CHECKOUT / "deploy" / "aws" / f"{role}-policy.json").read_text(encoding="utf-8")
    iam.put_user_policy(UserName=role, PolicyName=role, PolicyDocument=policy)
    key = iam.create_access_key(UserName=role)["AccessKey"]
    return AwsAccess(region=REGION, access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])


async def allowed_calls(role: str) -> set[str]:
    """Make each call with the permissions of the role; return the names of those that were not rejected."""
    allowed = set()
    async with open_aws(with_policy(role)) as aws:
        for name, call in CALLS.items():
            try:
                await call(aws)
            except AwsError as error:
                assert "AccessDenied" in str(error)  # noqa: PT017  # each call is either allowed or rejected
            else:
                allowed.add(name)
    return allowed


@pytest.mark.parametrize("role", ALLOWED)
def test_a_role_can_make_its_calls_and_no_others(role: str) -> None:
    # Here, because each process that collects the tests would import it: 0.1 s of CPU time.
    from moto import mock_aws  # noqa: PLC0415
    from moto.core import set_initial_no_auth_action_count  # noqa: PLC0415

    with mock_aws():
        unauthorised_calls = 4  # of `with_policy`
        run = set_initial_no_auth_action_count(unauthorised_calls)(lambda: asyncio.run(allowed_calls(role)))
        assert run() == ALLOWED[role]

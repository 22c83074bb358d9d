"""Settings of the function and the bucket that `rendercast doctor` recommends to change."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from services.backends.remotion_lambda.aws import open_aws
from services.backends.remotion_lambda.hints import Hints, SettingNotReadable
from tests.support.lambda_faults import Fault
from tests.support.lambda_server import FUNCTION
from tests.support.remotion_farm import BUCKET, Farm
from tests.support.s3_server import S3Fault

KMS = (
    "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>"
    "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
)
VERSIONING = "<VersioningConfiguration><Status>{}</Status></VersioningConfiguration>"
RULE = "<Rule><ID>r</ID><Status>{}</Status>{}{}</Rule>"
ALL = "<Filter><Prefix></Prefix></Filter>"
VIDEOS = "<Filter><Prefix>rendercast/</Prefix></Filter>"
OTHERS = "<Filter><Prefix>renders/</Prefix></Filter>"
EXPIRATION = "<Expiration><Days>1</Days></Expiration>"
NONCURRENT = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"


@pytest.fixture
async def hints(farm: Farm) -> AsyncIterator[Hints]:
    async with open_aws(farm.deployment.access) as aws:
        yield Hints(farm.deployment, aws)


@contextmanager
def bucket_setting(farm: Farm, setting: str, body: str) -> Iterator[None]:
    """Set a setting of the bucket, and delete it at the end."""
    if body:
        farm.bucket._request("PUT", f"/{BUCKET}?{setting}", body.encode())
    try:
        yield
    finally:
        farm.bucket._request("DELETE", f"/{BUCKET}?{setting}")


@contextmanager
def versions_kept(farm: Farm) -> Iterator[None]:
    farm.bucket._request("PUT", f"/{BUCKET}?versioning", VERSIONING.format("Enabled").encode())
    try:
        yield
    finally:
        farm.bucket._request("PUT", f"/{BUCKET}?versioning", VERSIONING.format("Suspended").encode())


@pytest.mark.parametrize(
    ("config", "is_good"),
    [
        (None, False),
        ({"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 120}, False),
        ({"MaximumRetryAttempts": 0}, False),
        ({"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 21_600}, False),
        ({"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 120}, True),
        ({"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}, True),
    ],
)
async def test_a_function_should_drop_late_launches(
    farm: Farm,
    hints: Hints,
    config: dict[str, object] | None,
    is_good: bool,  # noqa: FBT001
) -> None:
    farm.function.event_invoke_config = config
    hint = await hints.launches()
    command = f"put-function-event-invoke-config --function-name {FUNCTION} --maximum-retry-attempts 0"
    assert hint.is_good is is_good
    assert (command in hint.sentence) is not is_good


@pytest.mark.parametrize(
    ("rule", "is_good"),
    [
        ("", False),
        (RULE.format("Enabled", ALL, EXPIRATION), False),
        (RULE.format("Disabled", ALL, NONCURRENT), False),
        (RULE.format("Enabled", OTHERS, NONCURRENT), False),
        (RULE.format("Enabled", ALL, NONCURRENT), True),
        (RULE.format("Enabled", VIDEOS, NONCURRENT), True),
    ],
)
async def test_versions_of_deleted_videos_should_be_erased(
    farm: Farm,
    hints: Hints,
    rule: str,
    is_good: bool,  # noqa: FBT001
) -> None:
    lifecycle = f"<LifecycleConfiguration>{rule}</LifecycleConfiguration>" if rule else ""
    with versions_kept(farm), bucket_setting(farm, "lifecycle", lifecycle):
        hint = await hints.versions()
    assert hint.is_good is is_good
    assert ("NoncurrentVersionExpiration" in hint.sentence) is not is_good


async def test_a_bucket_that_keeps_no_more_versions_erases_new_videos(farm: Farm, hints: Hints) -> None:
    with versions_kept(farm):
        assert not (await hints.versions()).is_good
    assert (await hints.versions()).is_good


async def test_a_key_of_kms_is_named_with_its_permissions(farm: Farm, hints: Hints) -> None:
    assert "kms:" not in (await hints.encryption()).sentence
    with bucket_setting(farm, "encryption", KMS):
        assert "kms:GenerateDataKey" in (await hints.encryption()).sentence


async def test_a_setting_that_may_not_be_read_names_the_permission(farm: Farm, hints: Hints) -> None:
    farm.function.fault(Fault.ACCESS_DENIED, kind="event-invoke-config")
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="GET")
    for reading, permission in (
        (hints.launches, "lambda:GetFunctionEventInvokeConfig"),
        (hints.versions, "s3:GetBucketVersioning"),
        (hints.encryption, "s3:GetEncryptionConfiguration"),
    ):
        with pytest.raises(SettingNotReadable, match=permission):
            await reading()

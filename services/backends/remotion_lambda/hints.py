"""Settings of the function and the bucket that matter for cost and reliability: hints of `rendercast doctor`.

Rendering needs none of the permissions to read them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from services.backends.remotion_lambda.aws import Aws
from services.backends.remotion_lambda.deployment import Deployment
from services.storage.aws_errors import AwsError, AwsErrorKind

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

MAX_EVENT_AGE_S = 120  # a launch that Lambda queues for longer belongs to an attempt that has ended
_KMS = {"aws:kms", "aws:kms:dsse"}

Setting = Mapping[str, Any]  # a response of boto3


@dataclass(frozen=True, slots=True)
class Hint:
    """A sentence about a setting. Unless the setting `is_good`, it says how to change it."""

    sentence: str
    is_good: bool = True


class SettingNotReadable(Exception):  # noqa: N818  # not an error
    """The setting can't be read. The message says which permission or what else is missing."""


class Hints:
    """Reads the settings of one deployment. Every method raises `SettingNotReadable`."""

    def __init__(self, deployment: Deployment, aws: Aws) -> None:
        self._deployment = deployment
        self._aws = aws

    async def launches(self) -> Hint:
        """Return whether Lambda drops a launch that it could not run at once, instead of running it hours later."""
        name = self._deployment.function_name
        config = await self._read(
            "GetFunctionEventInvokeConfig",
            "lambda:GetFunctionEventInvokeConfig",
            lambda functions, _: functions.get_function_event_invoke_config(FunctionName=name),
        )
        retries, age_s = config.get("MaximumRetryAttempts"), config.get("MaximumEventAgeInSeconds")
        if retries == 0 and age_s is not None and age_s <= MAX_EVENT_AGE_S:
            return Hint("Launches that Lambda can't run at once are dropped after two minutes or less.")
        return Hint(
            "Lambda queues launches that it can't run at once for up to 6 hours, and repeats failed ones: run `aws "
            f"lambda put-function-event-invoke-config --function-name {name} --maximum-retry-attempts 0 "
            f"--maximum-event-age-in-seconds {MAX_EVENT_AGE_S}`.",
            is_good=False,
        )

    async def versions(self) -> Hint:
        """Return whether deleted videos are erased, which a bucket with versions does only by a lifecycle rule."""
        bucket = self._deployment.bucket
        if self._deployment.output_provider is not None:
            raise SettingNotReadable(
                "Outputs are stored at RENDERCAST_OUTPUT_ENDPOINT, whose settings are not checked."
            )
        versioning = await self._read(
            "GetBucketVersioning", "s3:GetBucketVersioning", lambda _, s3: s3.get_bucket_versioning(Bucket=bucket)
        )
        if not versioning.get("Status"):
            return Hint("The bucket keeps no versions, so deleted videos are erased.")
        if versioning["Status"] == "Suspended":
            return Hint("Versions are suspended, so deleted videos are erased, except those stored before that.")
        lifecycle = await self._read(
            "GetBucketLifecycleConfiguration",
            "s3:GetLifecycleConfiguration",
            lambda _, s3: s3.get_bucket_lifecycle_configuration(Bucket=bucket),
        )
        rules = [rule for rule in lifecycle.get("Rules", []) if rule.get("Status") == "Enabled"]
        if any(_covers_videos(rule) and "NoncurrentVersionExpiration" in rule for rule in rules):
            return Hint("The bucket keeps versions, and a lifecycle rule erases those of deleted videos.")
        return Hint(
            "The bucket keeps versions, so deleted videos are never erased: add the lifecycle rules of "
            "docs/deploying.md#the-bucket, with NoncurrentVersionExpiration.",
            is_good=False,
        )

    async def encryption(self) -> Hint:
        """Return which key encrypts new objects, and the permissions that it requires."""
        bucket = self._deployment.bucket
        encryption = await self._read(
            "GetBucketEncryption",
            "s3:GetEncryptionConfiguration",
            lambda _, s3: s3.get_bucket_encryption(Bucket=bucket),
        )
        rules = encryption.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
        defaults = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules]
        if not any(default.get("SSEAlgorithm") in _KMS for default in defaults):
            return Hint("Objects are encrypted with a key of S3, which requires no permissions.")
        return Hint(
            "Objects are encrypted with a key of KMS: the function's role and the worker's user need "
            "kms:GenerateDataKey and kms:Decrypt, the API's user kms:Decrypt. A site in this bucket must be encrypted "
            "with a key of S3 instead, since it is read without credentials."
        )

    async def _read(
        self, operation: str, permission: str, call: Callable[["LambdaClient", "S3Client"], object]
    ) -> Setting:
        """Return the setting, empty if it is not set."""
        try:
            return cast("Setting", await self._aws.read_setting(operation, call))
        except AwsError as error:
            code = None if error.remedy is None else error.remedy.code
            # Lambda returns the code of a missing function for a missing setting too.
            if error.kind is AwsErrorKind.NOT_FOUND or code == "FUNCTION_NOT_FOUND":
                return {}
            if code == "ACCESS_DENIED":
                raise SettingNotReadable(f"This can't be checked without {permission}.") from error
            raise SettingNotReadable(f"This can't be checked: {error}") from error


def _covers_videos(rule: Setting) -> bool:
    """Return whether a rule is for all objects in `rendercast/`."""
    condition = rule.get("Filter", {})
    if "Prefix" not in rule and not condition:
        return True
    prefix = rule.get("Prefix", condition.get("Prefix"))
    return prefix is not None and "rendercast/".startswith(prefix)

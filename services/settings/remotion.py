"""Settings of the Remotion deployment on AWS Lambda."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from services.settings.base import SettingsGroup
from services.settings.outputs import BUCKET_NAME
from services.settings.values import check_url


class RemotionSettings(SettingsGroup):
    """The Remotion deployment on AWS Lambda, as described in [deploying.md](deploying.md)."""

    remotion_lambda_function_name: str | None = Field(
        None,
        validation_alias="REMOTION_LAMBDA_FUNCTION_NAME",
        pattern=r"^[A-Za-z0-9:$_-]{1,170}$",
        description="Name of the deployed Remotion function.",
    )
    remotion_serve_url: Annotated[str, AfterValidator(check_url)] | None = Field(
        None,
        validation_alias="REMOTION_SERVE_URL",
        description="URL of the deployed site that contains the compositions.",
    )
    remotion_composition: str = Field(
        "TextAnimation",
        validation_alias="REMOTION_COMPOSITION",
        min_length=1,
        description="ID of the composition that renders `animationProps`.",
    )
    remotion_bucket_name: str | None = Field(
        None,
        validation_alias="REMOTION_BUCKET_NAME",
        pattern=BUCKET_NAME,
        description="S3 bucket of renders and outputs. Default: the bucket in `REMOTION_SERVE_URL`.",
    )
    remotion_aws_region: str | None = Field(
        None,
        validation_alias="REMOTION_AWS_REGION",
        description="AWS region of the function and the bucket. Default: `AWS_REGION`, else the default region that "
        "boto3 finds, else `us-east-1`.",
    )
    remotion_aws_access_key_id: SecretStr | None = Field(
        None,
        validation_alias="REMOTION_AWS_ACCESS_KEY_ID",
        description="AWS access key ID. Default: the credentials that boto3 finds.",
    )
    remotion_aws_secret_access_key: SecretStr | None = Field(
        None, validation_alias="REMOTION_AWS_SECRET_ACCESS_KEY", description="Secret of the AWS access key."
    )
    remotion_privacy: Literal["private", "no-acl"] = Field(
        "private",
        validation_alias="REMOTION_PRIVACY",
        description="`private`, or `no-acl` if access control lists are disabled on the bucket.",
    )
    remotion_color_space: Literal["default", "bt601", "bt709", "bt2020-ncl"] = Field(
        "bt709",
        validation_alias="REMOTION_COLOR_SPACE",
        description="Colour space of the videos: Remotion's option `colorSpace`. Players expect `bt709`.",
    )
    remotion_image_format: Literal["png", "jpeg"] = Field(
        "png",
        validation_alias="REMOTION_IMAGE_FORMAT",
        description="How frames are captured: Remotion's option `imageFormat`. `jpeg` is faster, but its colours are "
        "only exact with `default`.",
    )
    remotion_posters: bool = Field(
        default=True,
        validation_alias="REMOTION_POSTERS",
        description="Make a poster image of each video: its last frame, decoded by the worker.",
    )
    remotion_frames_per_lambda: int | None = Field(
        None,
        validation_alias="REMOTION_FRAMES_PER_LAMBDA",
        ge=5,  # Remotion's minimum: https://www.remotion.dev/docs/lambda/concurrency
        le=100_000,
        description="Number of frames that each invocation renders. Unset: Remotion's choice. Not with "
        "`REMOTION_CONCURRENCY`.",
    )
    remotion_concurrency: int | None = Field(
        None,
        validation_alias="REMOTION_CONCURRENCY",
        ge=1,
        le=200,
        description="Number of invocations that render one video. Unset: Remotion's choice.",
    )
    remotion_delete_after: Literal["1-day", "3-days", "7-days", "30-days"] | None = Field(
        None,
        validation_alias="REMOTION_DELETE_AFTER",
        description="Remotion's option `deleteAfter`, for its own files of a render, but not for outputs. It requires "
        "the lifecycle rules that Remotion's tools set.",
    )
    remotion_license_key: SecretStr | None = Field(
        None, validation_alias="REMOTION_LICENSE_KEY", description="Remotion licence key, if you have one."
    )
    remotion_webhook_secret: SecretStr | None = Field(
        None,
        validation_alias="REMOTION_WEBHOOK_SECRET",
        min_length=16,
        description="Secret that signs the function's webhooks, which also require `RENDERCAST_PUBLIC_URL`.",
    )
    remotion_version: str | None = Field(
        None,
        validation_alias="REMOTION_VERSION",
        pattern=r"^\d+\.\d+\.\d+(?:[+-][0-9A-Za-z.+-]+)?$",  # https://semver.org
        description="Version of the function, if its name does not contain it.",
    )
    remotion_memory_mb: int | None = Field(
        None,
        validation_alias="REMOTION_MEMORY_MB",
        ge=128,
        le=10_240,  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
        description="Memory of the function in MB, if its name does not contain it.",
    )
    remotion_timeout_s: int | None = Field(
        None,
        validation_alias="REMOTION_TIMEOUT_S",
        ge=15,
        le=900,
        description="Timeout of the function in seconds, if its name does not contain it.",
    )
    poll_interval_s: float = Field(
        1, ge=0.05, le=60, description="Interval at which a render's progress is polled on Lambda, in seconds."
    )

"""Settings of an S3-compatible output storage."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from services.settings.base import SettingsGroup
from services.settings.values import check_base_url

BUCKET_NAME = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"


class OutputSettings(SettingsGroup):
    """A bucket for outputs, in S3 or a compatible storage. Unset: the data folder or, for `lambda`, its own bucket."""

    output_bucket: str | None = Field(None, pattern=BUCKET_NAME, description="Name of the bucket.")
    output_endpoint: Annotated[str, AfterValidator(check_base_url)] | None = Field(
        None,
        description="URL of the storage. Unset: the bucket is in S3 on AWS. With `lambda`, it is required, and the "
        "function must reach it too.",
    )
    output_region: str | None = Field(
        None,
        pattern=r"^[a-z0-9-]{1,40}$",
        description="Region that requests are signed for. R2 also accepts `auto`. Default: `us-east-1` with "
        "`RENDERCAST_OUTPUT_ENDPOINT`, otherwise the one that boto3 finds.",
    )
    output_access_key_id: SecretStr | None = Field(
        None, description="Access key ID. Default: the credentials that boto3 finds, except with `lambda`."
    )
    output_secret_access_key: SecretStr | None = Field(None, description="Secret of that access key.")
    output_path_style: bool = Field(
        default=False,
        description="Send the bucket's name in the path instead of the host name, as MinIO requires by default.",
    )

"""Where a bucket is, and the credentials for it."""

from dataclasses import dataclass, field

from pydantic import SecretStr

from services.errors import StartupError
from services.settings import OutputSettings, variable

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """A bucket at an endpoint; without one, in S3 on AWS. Without a key, boto3's usual credentials are used.

    Without a region, it is the one that boto3 finds.
    """

    endpoint: str | None
    bucket: str
    region: str | None
    access_key_id: str | None
    secret_access_key: str | None = field(repr=False)
    path_style: bool

    @property
    def place(self) -> str:
        """The bucket and its storage, for messages to operators."""
        return f"the bucket {self.bucket} at {self.endpoint or 'AWS'}"


def read_s3_access(settings: OutputSettings) -> S3Access | None:
    """Return the output bucket; None if there is none. Raises `StartupError` if a setting is missing."""
    keys = ("output_access_key_id", "output_secret_access_key")
    if settings.output_bucket is None:
        if given := [name for name in ("output_endpoint", *keys) if getattr(settings, name) is not None]:
            raise _incomplete("output_bucket", given[0])
        return None
    key_id, secret = (_key(getattr(settings, name)) for name in keys)
    if (key_id is None) is not (secret is None):
        raise _incomplete(*(keys if key_id is None else reversed(keys)))
    return S3Access(
        endpoint=settings.output_endpoint,
        bucket=settings.output_bucket,
        region=settings.output_region or (DEFAULT_REGION if settings.output_endpoint else None),
        access_key_id=key_id,
        secret_access_key=secret,
        path_style=settings.output_path_style,
    )


def _incomplete(missing: str, given: str) -> StartupError:
    return StartupError(
        f"Outputs can't be stored in a bucket: {variable(missing)} is not set, but {variable(given)} is. Set both, or "
        "none of the variables RENDERCAST_OUTPUT_…."
    )


def _key(value: SecretStr | None) -> str | None:
    """Return the key without surrounding whitespace, such as a file's trailing line break; keys contain no spaces."""
    return None if value is None else value.get_secret_value().strip()

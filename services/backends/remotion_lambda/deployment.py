"""What was deployed of Remotion, as the settings tell it."""

import re
from dataclasses import dataclass
from datetime import timedelta

from pydantic import SecretStr

from services.backends.remotion_lambda.aws import AwsAccess
from services.backends.remotion_lambda.function import Function, parse_function_name
from services.errors import StartupError
from services.settings import Settings, variable

CAPACITY = 25  # renders of a worker: a video of 20 s takes 31 functions, of the 1,000 that AWS lets an account run

# https://<bucket>.s3.<region>.amazonaws.com/sites/… and https://s3.<region>.amazonaws.com/<bucket>/sites/…; the prefix
# is that of each bucket that Remotion's tools make.
_SITE = re.compile(r"^https?://(?:s3[.-][^/]+/)?(?P<bucket>remotionlambda-[a-z0-9-]+)(?:\.s3[.-]|/)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What was deployed of Remotion, and how it is used.

    `version` is empty until the function was asked for it, if its name doesn't tell. `function` is None if its memory
    and timeout are not known; then it must be invoked to tell its progress. A webhook is asked for if there are both
    its URL and its secret.
    """

    function_name: str
    function: Function | None
    version: str
    serve_url: str
    composition: str
    bucket: str
    capacity: int
    poll_interval: timedelta
    webhook_base_url: str | None
    webhook_secret: str | None
    privacy: str
    license_key: str | None
    posters: bool
    access: AwsAccess


def read_deployment(settings: Settings) -> Deployment:
    """Return what the settings tell. Raises `StartupError` with the name of what is missing."""
    function = _function(settings)
    key_id, secret = settings.remotion_aws_access_key_id, settings.remotion_aws_secret_access_key
    if (key_id is None) is not (secret is None):
        raise StartupError("REMOTION_AWS_ACCESS_KEY_ID and REMOTION_AWS_SECRET_ACCESS_KEY go together: set both.")
    return Deployment(
        function_name=_required(settings, "remotion_lambda_function_name"),
        serve_url=_required(settings, "remotion_serve_url"),
        bucket=_bucket(settings) or _required(settings, "remotion_bucket_name"),
        function=function,
        version=function.version if function else settings.remotion_version or "",
        composition=settings.remotion_composition,
        capacity=settings.worker_capacity or CAPACITY,
        poll_interval=timedelta(seconds=settings.poll_interval_s),
        webhook_base_url=settings.public_url,
        webhook_secret=_secret(settings.remotion_webhook_secret),
        privacy=settings.remotion_privacy,
        license_key=_secret(settings.remotion_license_key),
        posters=settings.remotion_posters,
        access=AwsAccess(
            region=settings.remotion_aws_region, access_key_id=_aws_key(key_id), secret_access_key=_aws_key(secret)
        ),
    )


def _required(settings: Settings, name: str) -> str:
    value: str | None = getattr(settings, name)
    if value is None:
        raise StartupError(f"Nothing can be rendered: {variable(name)} is not set; docs/deploying.md tells to what.")
    return value


def _function(settings: Settings) -> Function | None:
    """Return what the function's name tells, or else what the settings tell, if that is all of it."""
    if named := parse_function_name(settings.remotion_lambda_function_name or ""):
        return named
    version, memory_mb, timeout_s = settings.remotion_version, settings.remotion_memory_mb, settings.remotion_timeout_s
    if version is None or memory_mb is None or timeout_s is None:
        return None
    return Function(version=version, memory_mb=memory_mb, timeout=timedelta(seconds=timeout_s))


def _bucket(settings: Settings) -> str | None:
    """Return the bucket that is set, or the one that the site lies in."""
    site = _SITE.match(settings.remotion_serve_url or "")
    return settings.remotion_bucket_name or (site["bucket"] if site else None)


def _secret(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()


def _aws_key(value: SecretStr | None) -> str | None:
    """Return the key without the line break that is left if it was read from a file; none has any space."""
    return None if value is None else value.get_secret_value().strip()

"""The Remotion deployment (function, site, bucket) that the settings describe."""

import logging
import re
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import SecretStr

from services.backends.remotion_lambda.aws import AwsAccess
from services.backends.remotion_lambda.function import Function, parse_function_name
from services.backends.remotion_lambda.payloads import Target
from services.backends.remotion_lambda.regions import (
    Region,
    read_region,
    region_of_function,
    region_of_host,
    warn_of_new_region,
)
from services.backends.remotion_options import Capture
from services.errors import StartupError
from services.settings import OutputSettings, RemotionSettings, variable
from services.storage.s3_access import S3Access, read_s3_access

CAPACITY = 25  # renders per worker: a video of 20 s uses 31 of the 1,000 concurrent functions of an AWS account

# https://<bucket>.s3.<region>.amazonaws.com/sites/… and https://s3.<region>.amazonaws.com/<bucket>/sites/…; Remotion's
# tools give each bucket this prefix.
_SITE = re.compile(r"^https?://(?:s3[.-][^/]+/)?(?P<bucket>remotionlambda-[a-z0-9-]+)(?:\.s3[.-]|/)")

_REQUIRED_OUTPUT_SETTINGS = ("output_endpoint", "output_access_key_id", "output_secret_access_key")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The Remotion deployment and the options with which it is used.

    `version` is empty until the function has reported it, if its name doesn't contain the version. `function` is None
    if memory and timeout are unknown; then progress is read by invoking the function. A webhook is requested if both
    its URL and its secret are set. `composition` is the one that takes `AnimationProps`. Outputs are stored at
    `output_provider` if there is one, otherwise in `bucket`.
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
    color_space: str
    image_format: str
    license_key: str | None
    posters: bool
    access: AwsAccess
    output_provider: S3Access | None = None
    delete_after: str | None = None
    frames_per_lambda: int | None = None
    concurrency: int | None = None

    @property
    def output_bucket(self) -> str:
        """The output bucket and posters."""
        return self.bucket if self.output_provider is None else self.output_provider.bucket

    @property
    def target(self) -> Target:
        """The part of it that payloads contain."""
        return Target(
            version=self.version,
            serve_url=self.serve_url,
            bucket=self.bucket,
            output_provider=self.output_provider,
            privacy=self.privacy,
            license_key=self.license_key,
            delete_after=self.delete_after,
            frames_per_lambda=self.frames_per_lambda,
            concurrency=self.concurrency,
        )

    @property
    def capture(self) -> Capture:
        """How frames are captured."""
        return Capture(image_format=self.image_format, color_space=self.color_space)


def check_settings(settings: RemotionSettings, outputs: OutputSettings, *, with_worker: bool) -> None:
    """Raise `StartupError` if the settings contradict each other or, for a worker, are incomplete. Does no I/O.

    Log a warning for a region that may be new, and for a site in another region than the function.
    """
    region = read_region(settings.remotion_aws_region)
    warn_of_new_region(region)
    if not with_worker:
        return
    deployment = read_deployment(settings, outputs)
    site_region = region_of_host(urlsplit(deployment.serve_url).hostname or "")
    if site_region not in {None, region.name}:
        log.warning(
            "REMOTION_SERVE_URL is in the region %s, the function in %s: the site loads slower.",
            site_region,
            region.name,
        )


def read_deployment(
    settings: RemotionSettings,
    outputs: OutputSettings,
    *,
    public_url: str | None = None,
    capacity: int | None = None,
) -> Deployment:
    """Return the deployment from the settings. Raises `StartupError` with the name of a missing or wrong setting.

    Webhooks are sent to `public_url`. `capacity` is the number of concurrent renders, by default `CAPACITY`.
    """
    function, access = _function(settings), _access(settings)
    if settings.remotion_frames_per_lambda is not None and settings.remotion_concurrency is not None:
        raise StartupError("REMOTION_FRAMES_PER_LAMBDA and REMOTION_CONCURRENCY exclude each other: unset one of them.")
    function_name = _required(settings, "remotion_lambda_function_name")
    serve_url = _required(settings, "remotion_serve_url")
    bucket = _bucket(settings) or _required(settings, "remotion_bucket_name")
    return Deployment(
        function_name=function_name,
        serve_url=serve_url,
        bucket=bucket,
        function=function,
        version=function.version if function else settings.remotion_version or "",
        composition=settings.remotion_composition,
        capacity=capacity or CAPACITY,
        poll_interval=timedelta(seconds=settings.poll_interval_s),
        webhook_base_url=public_url,
        webhook_secret=_secret(settings.remotion_webhook_secret),
        privacy=settings.remotion_privacy,
        color_space=settings.remotion_color_space,
        image_format=settings.remotion_image_format,
        license_key=_secret(settings.remotion_license_key),
        posters=settings.remotion_posters,
        access=access,
        output_provider=_output_provider(outputs, bucket),
        delete_after=settings.remotion_delete_after,
        frames_per_lambda=settings.remotion_frames_per_lambda,
        concurrency=settings.remotion_concurrency,
    )


def _access(settings: RemotionSettings) -> AwsAccess:
    """Return the region and the keys. Raises `StartupError` for half a key or another region in a URL or an ARN."""
    key_id, secret = settings.remotion_aws_access_key_id, settings.remotion_aws_secret_access_key
    if (key_id is None) is not (secret is None):
        raise StartupError("REMOTION_AWS_ACCESS_KEY_ID and REMOTION_AWS_SECRET_ACCESS_KEY belong together: set both.")
    region = read_region(settings.remotion_aws_region)
    _require_one_region(settings, region)
    return AwsAccess(region=region.name, access_key_id=_aws_key(key_id), secret_access_key=_aws_key(secret))


def _required(settings: RemotionSettings, name: str) -> str:
    value: str | None = getattr(settings, name)
    if value is None:
        raise StartupError(f"Nothing can be rendered: {variable(name)} is not set; see docs/deploying.md.")
    return value


def _function(settings: RemotionSettings) -> Function | None:
    """Return the function from its name, or else from the settings; None if one of these settings is missing."""
    if named := parse_function_name(settings.remotion_lambda_function_name or ""):
        return named
    version, memory_mb, timeout_s = (
        settings.remotion_version,
        settings.remotion_memory_mb,
        settings.remotion_timeout_s,
    )
    if version is None or memory_mb is None or timeout_s is None:
        return None
    return Function(version=version, memory_mb=memory_mb, timeout=timedelta(seconds=timeout_s))


def _bucket(settings: RemotionSettings) -> str | None:
    """Return the configured bucket, or else the one in the serve URL; None if there is neither."""
    return settings.remotion_bucket_name or _bucket_of_site(settings.remotion_serve_url or "")


def _bucket_of_site(url: str) -> str | None:
    site = _SITE.match(url)
    return site["bucket"] if site else None


def _require_one_region(settings: RemotionSettings, region: Region) -> None:
    """Raise `StartupError` if the function or the bucket is named with another region. A site may be in any region."""
    url = settings.remotion_serve_url or ""
    function_region = region_of_function(settings.remotion_lambda_function_name or "")
    site_region = region_of_host(urlsplit(url).hostname or "")
    if function_region not in {None, region.name}:
        raise StartupError(_contradiction("REMOTION_LAMBDA_FUNCTION_NAME", function_region, region))
    if site_region not in {None, region.name} and _bucket(settings) == _bucket_of_site(url):
        raise StartupError(_contradiction("REMOTION_SERVE_URL", site_region, region))


def _contradiction(setting: str, named: str | None, region: Region) -> str:
    return (
        f"{setting} is in the region {named}, but {region.source} is {region.name}: set REMOTION_AWS_REGION to "
        f"{named}, or correct {setting}."
    )


def _output_provider(settings: OutputSettings, bucket: str) -> S3Access | None:
    """Return the other output storage, None if there is none. Raises `StartupError` if a setting is missing."""
    access = read_s3_access(settings)
    if access is None:
        return None
    if missing := [variable(name) for name in _REQUIRED_OUTPUT_SETTINGS if getattr(settings, name) is None]:
        raise StartupError(
            f"The function can't store outputs in {access.bucket}: {missing[0]} is not set. Set all of "
            f"{', '.join(variable(name) for name in _REQUIRED_OUTPUT_SETTINGS)}, or none of the variables "
            "RENDERCAST_OUTPUT_…."
        )
    if access.bucket == bucket:
        raise StartupError(
            f"{variable('output_bucket')} is the name of Remotion's bucket too: give the output bucket another "
            "name, so that earlier renders stay distinguishable."
        )
    return access


def _secret(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()


def _aws_key(value: SecretStr | None) -> str | None:
    """Return the key without surrounding whitespace, such as a file's trailing line break; keys contain no spaces."""
    return None if value is None else value.get_secret_value().strip()

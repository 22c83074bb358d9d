"""The function's payloads, as Remotion's own client 4.0.527 sends them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from services.backends.remotion_lambda.props import ENVIRONMENT, PropsReference
from services.storage.s3_access import S3Access

LOG_LEVEL = "warn"  # at "info", the function logs the props of each render
FRAME_TIMEOUT = timedelta(seconds=30)  # Remotion's default for one frame to be ready

_MILLISECOND = timedelta(milliseconds=1)

# Without most of these keys the function fails, immediately or later. The official client sends null for unset values.
_DEFAULTS: Mapping[str, object] = {
    "type": "start",
    "envVariables": dict(ENVIRONMENT),
    "x264Preset": None,
    "gopSize": None,
    "maxRetries": 1,
    "logLevel": LOG_LEVEL,
    "frameRange": None,
    "chromiumOptions": {},
    "concurrencyPerLambda": 1,
    "downloadBehavior": {"type": "play-in-browser"},
    "overwrite": False,
    "encodingBufferSize": None,
    "encodingMaxRate": None,
    "audioCodec": None,  # the codec's default
    "offthreadVideoCacheSizeInBytes": None,
    "preferLossless": False,
    "forcePathStyle": False,
    "metadata": None,
    "offthreadVideoThreads": None,
    "mediaCacheSizeInBytes": None,
    "storageClass": None,
    "isProduction": None,
    "sampleRate": 48_000,
    "enableCancellation": True,
    "rendererFunctionName": None,
}
_STILL_DEFAULTS: Mapping[str, object] = {
    "type": "still",
    "envVariables": dict(ENVIRONMENT),
    "maxRetries": 1,
    "attempt": 1,
    "logLevel": LOG_LEVEL,
    "chromiumOptions": {},
    "downloadBehavior": {"type": "play-in-browser"},
    "forceFps": None,
    "forceDurationInFrames": None,
    "offthreadVideoCacheSizeInBytes": None,
    "streamed": False,  # a streamed response is in a format of Remotion's own
    "forcePathStyle": False,
    "offthreadVideoThreads": None,
    "mediaCacheSizeInBytes": None,
    "storageClass": None,
    "isProduction": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """The webhook for a render's end. Its body contains `custom_data`: ASCII, at most 1,024 bytes of JSON.

    A message with a character outside ASCII is never delivered, since the function counts characters as bytes.
    """

    url: str
    secret: str = field(repr=False)
    custom_data: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The site and the function that renders, and where it stores what.

    `version` must be the function's. Outputs are stored in `bucket`, Remotion's own, or at `output_provider` if
    there is one. Only one of `frames_per_lambda` and `concurrency` may be set.
    """

    version: str
    serve_url: str
    bucket: str
    output_provider: S3Access | None = None
    privacy: str = "private"
    license_key: str | None = None
    delete_after: str | None = None
    frames_per_lambda: int | None = None
    concurrency: int | None = None

    def out_name(self, key: str) -> Mapping[str, object]:
        """Return the place of an output as Remotion's option `outName`."""
        provider = self.output_provider
        if provider is None:
            return {"bucketName": self.bucket, "key": key}
        return {"bucketName": provider.bucket, "key": key, "s3OutputProvider": provider_option(provider)}


def start_payload(
    target: Target,
    *,
    composition: str,
    output_key: str,
    props: PropsReference,
    fields: Mapping[str, object],
    frame_timeout: timedelta = FRAME_TIMEOUT,
    webhook: Webhook | None,
) -> dict[str, object]:
    """Return the payload that starts a render whose output is stored under `output_key`.

    `fields` are those of `options.media_fields`. `frame_timeout` limits how long a frame waits for fonts and other
    resources, at least seven seconds. The function doesn't overwrite an existing object under `output_key`.
    """
    return {
        **_DEFAULTS,
        **fields,
        **_common(target, composition, output_key, props, frame_timeout),
        "framesPerLambda": target.frames_per_lambda,
        "concurrency": target.concurrency,
        "webhook": webhook and _webhook(webhook),
    }


def still_payload(
    target: Target,
    *,
    composition: str,
    output_key: str,
    props: PropsReference,
    fields: Mapping[str, object],
    frame_timeout: timedelta = FRAME_TIMEOUT,
) -> dict[str, object]:
    """Return the payload that renders a still; `fields` are those of `options.still_fields`.

    The function responds when the still is stored, and overwrites an existing object under `output_key`.
    """
    return {**_STILL_DEFAULTS, **fields, **_common(target, composition, output_key, props, frame_timeout)}


def compositions_payload(target: Target, *, props: PropsReference) -> dict[str, object]:
    """Return the payload that requests all compositions of the site, evaluated with these props."""
    return {
        "type": "compositions",
        "version": target.version,
        "chromiumOptions": {},
        "logLevel": LOG_LEVEL,
        "inputProps": props,
        "envVariables": dict(ENVIRONMENT),
        "timeoutInMilliseconds": FRAME_TIMEOUT // _MILLISECOND,
        "serveUrl": target.serve_url,
        "bucketName": target.bucket,
        "offthreadVideoCacheSizeInBytes": None,
        "mediaCacheSizeInBytes": None,
        "forcePathStyle": False,
    }


def status_payload(target: Target, *, render_id: str) -> dict[str, object]:
    """Return the payload that requests a render's status."""
    provider = target.output_provider
    return {
        "type": "status",
        "bucketName": target.bucket,
        "renderId": render_id,
        "version": target.version,
        "s3OutputProvider": provider and provider_option(provider),
        "logLevel": LOG_LEVEL,
        "forcePathStyle": False,
    }


def info_payload() -> dict[str, object]:
    """Return the payload that requests the function's version; it costs one short invocation."""
    return {"type": "info", "logLevel": LOG_LEVEL}


def _common(
    target: Target, composition: str, output_key: str, props: PropsReference, frame_timeout: timedelta
) -> Mapping[str, object]:
    return {
        "version": target.version,
        "serveUrl": target.serve_url,
        "composition": composition,
        "inputProps": props,
        "bucketName": target.bucket,
        "outName": target.out_name(output_key),
        "privacy": target.privacy,
        "licenseKey": target.license_key,
        "deleteAfter": target.delete_after,
        "timeoutInMilliseconds": frame_timeout // _MILLISECOND,
    }


def _webhook(webhook: Webhook) -> dict[str, object]:
    return {"url": webhook.url, "secret": webhook.secret, "customData": dict(webhook.custom_data)}


def provider_option(access: S3Access) -> Mapping[str, object]:
    """Return a bucket outside AWS, with the credentials that the function uses for it, as Remotion's option."""
    return {
        "endpoint": access.endpoint,
        "accessKeyId": access.access_key_id,
        "secretAccessKey": access.secret_access_key,
        "region": access.region,
        "forcePathStyle": access.path_style,
    }

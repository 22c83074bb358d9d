"""Checks of a Remotion deployment.

A worker runs `check_deployment` before it acquires renders, so that a wrong setting is reported once and not by each
render. `rendercast doctor` runs the same checks and more, one at a time, through `Checks`.
"""

import json
import logging
import re
import secrets
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TypeVar

import aiohttp
from yarl import URL

from services.backends.remotion_lambda.aws import Aws, open_aws
from services.backends.remotion_lambda.aws_errors import AwsError, AwsErrorKind
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.payloads import cancel_key, folder, info_payload
from services.backends.remotion_lambda.polling import open_http
from services.backends.remotion_lambda.responses import ErrorResponse, parse_info
from services.errors import StartupError

CANCELLABLE = (4, 0, 515)  # the first version whose functions check for `cancel.json`
BUILT_AGAINST = (4, 0, 527)
PROBE = b"probe of rendercast doctor"
PROBE_URL_LIFETIME = timedelta(minutes=5)

T = TypeVar("T")

log = logging.getLogger(__name__)


async def check_deployment(deployment: Deployment, *, aws: Aws, http: aiohttp.ClientSession) -> Deployment:
    """Return the deployment with its version. Raises `StartupError` unless renders can be started on it."""
    try:
        version = await _fetch_version(deployment, aws)
        await aws.require_bucket(deployment.bucket)
    except AwsError as error:
        raise StartupError(_sentence(deployment, error)) from error
    _require_version(deployment, version)
    await _require_site(deployment.serve_url, http)
    return replace(deployment, version=version)


class Checks:
    """Single checks of a deployment, in any order. Open it with `open_checks`.

    Each raises `StartupError` with a sentence that says what to fix. The probe is an object in the folder of a render
    that doesn't exist.
    """

    def __init__(self, deployment: Deployment, *, aws: Aws, http: aiohttp.ClientSession) -> None:
        self._deployment = deployment
        self._aws = aws
        self._http = http
        self._render_id = f"rendercast-doctor-{secrets.token_hex(8)}"
        self._probe = cancel_key(self._render_id)

    async def require_function(self) -> str:
        """Return the function's version, if it is the configured one and supported."""
        version = await self._translate(_fetch_version(self._deployment, self._aws))
        _require_version(self._deployment, version)
        if (reason := unsupported(version)) is not None:
            raise StartupError(f"The function has Remotion {version}: {reason}")
        return version

    async def require_bucket(self) -> None:
        """Check that the bucket exists and may be listed."""
        await self._translate(self._aws.require_bucket(self._deployment.bucket))

    async def require_site(self) -> None:
        """Check that the site exists and can be reached from this machine."""
        try:
            await _require_site(self._deployment.serve_url, self._http, must_respond=True)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StartupError(
                f"REMOTION_SERVE_URL can't be reached from this machine ({type(error).__name__}). Only the function "
                "must reach it, so the network of this machine may be the cause."
            ) from error

    async def store_probe(self) -> None:
        """Store the probe under the key of a cancel request."""
        await self._translate(self._aws.put(self._deployment.bucket, self._probe, PROBE))

    async def read_probe(self) -> None:
        """Read the probe through a presigned URL, as workers read progress and clients their videos."""
        now = datetime.now(UTC)
        signed = self._aws.presign_url(self._deployment.bucket, self._probe, now=now, expires_in=PROBE_URL_LIFETIME)
        if (status := await self._status(signed.url)) != HTTPStatus.OK:
            raise StartupError(f"A signed URL of a file in renders/ returns {status}: grant s3:GetObject for it.")

    async def request_missing_video(self) -> None:
        """Request a video that doesn't exist; S3 reports 404 only with permission to read it and list the bucket."""
        await self._translate(self._aws.size(self._deployment.bucket, f"rendercast/{self._render_id}.mp4"))

    async def remove_probe(self) -> None:
        """Delete the probe in the same way as a render's files."""
        await self._translate(self._aws.delete_all(self._deployment.bucket, folder(self._render_id)))

    async def require_privacy(self) -> str:
        """Check that an object can't be read without a signature, and return the folder that was checked.

        The folder of videos is checked if this process may write to it, else the folder of the stored probe.
        """
        bucket, place, key = self._deployment.bucket, "rendercast/", f"rendercast/{self._render_id}/probe"
        try:
            await self._aws.put(bucket, key, PROBE)
        except AwsError:  # the minimum permissions don't include it
            place, key = "renders/", self._probe
        try:
            status = await self._status(self._aws.address(bucket) + key)
        finally:
            if key != self._probe:
                await self._translate(self._aws.delete_all(bucket, key))
        if status == HTTPStatus.OK:
            raise StartupError(
                f"Objects in {place} can be read by anyone who knows the key, so download URLs work without their "
                "signature and never expire: replace the bucket's policy with the one in docs/deploying.md#the-bucket."
            )
        return place

    async def _status(self, url: str) -> int:
        try:
            async with self._http.get(URL(url, encoded=True)) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StartupError(f"The bucket can't be reached by a URL ({type(error).__name__}).") from error

    async def _translate(self, call: Awaitable[T]) -> T:
        """Return the result of the call. Raises `StartupError`, with the operator's remedy, for an `AwsError`."""
        try:
            return await call
        except AwsError as error:
            raise StartupError(_sentence(self._deployment, error)) from error


@asynccontextmanager
async def open_checks(deployment: Deployment) -> AsyncIterator[Checks]:
    """Open the checks. Raises `StartupError` if there are no usable credentials."""
    async with open_aws(deployment.access) as aws, open_http(aws.address(deployment.bucket)) as http:
        yield Checks(deployment, aws=aws, http=http)


def unsupported(version: str) -> str | None:
    """Return why a version of Remotion is not supported; None if it is."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if numbers < CANCELLABLE:
        return "renders can't be cancelled before 4.0.515; deploy a newer version."
    if numbers[:2] != BUILT_AGAINST[:2]:
        return "Rendercast was built against 4.0.527 and may be incompatible; deploy a version of 4.0."
    return None


def _require_version(deployment: Deployment, version: str) -> None:
    if not version.startswith(deployment.version):  # the function's name may have a truncated version
        raise StartupError(
            f"The function {deployment.function_name} has Remotion {version}, not {deployment.version}: deploy it "
            "again, or correct REMOTION_LAMBDA_FUNCTION_NAME or REMOTION_VERSION."
        )


async def _fetch_version(deployment: Deployment, aws: Aws) -> str:
    """Return the version that the function reports, or the configured one if the function exists but is throttled."""
    try:
        invocation = await aws.invoke(deployment.function_name, json.dumps(info_payload()).encode())
    except AwsError as error:
        if error.kind is AwsErrorKind.THROTTLED and deployment.version:
            log.warning("the function is too busy to report its version: %s", error)
            return deployment.version
        raise
    try:
        response = parse_info(invocation.body)
    except ValueError:
        response = ErrorResponse(message=repr(invocation.body[:200]))
    if isinstance(response, ErrorResponse):
        raise StartupError(
            f"The function {deployment.function_name} does not report its version: correct "
            f"REMOTION_LAMBDA_FUNCTION_NAME if it is not a function of Remotion. Its response: {response.message}"
        )
    return response.version


async def _require_site(serve_url: str, http: aiohttp.ClientSession, *, must_respond: bool = False) -> None:
    """Raise `StartupError` if the site doesn't exist.

    If this machine can't reach the site, raise aiohttp's error if the site `must_respond`. Otherwise only log the
    error, since the function may still reach the site.
    """
    try:
        async with http.get(serve_url) as response:
            status = response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        if must_respond:
            raise
        log.warning("REMOTION_SERVE_URL can't be reached from this machine: %s", error)
        return
    if status >= HTTPStatus.BAD_REQUEST:
        raise StartupError(f"REMOTION_SERVE_URL returns {status}: deploy the site again, or correct the URL.")


def _sentence(deployment: Deployment, error: AwsError) -> str:
    where = f"{deployment.function_name} in {deployment.access.region} with the bucket {deployment.bucket}"
    if error.remedy is None:
        return f"Remotion Lambda can't be reached ({where}): {error}"
    return f"Remotion Lambda can't be used ({where}). {error.remedy.sentence} ({error})"

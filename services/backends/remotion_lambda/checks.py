"""Checks of a Remotion deployment.

A worker runs `check_deployment` before it acquires renders, so that a wrong setting is reported once and not by each
render. `rendercast doctor` runs the same checks and more, one at a time, through `Checks`.
"""

import contextlib
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
from services.backends.remotion_lambda.failure_kinds import ACL, DENIED
from services.backends.remotion_lambda.hints import Hints, SettingNotReadable
from services.backends.remotion_lambda.payloads import cancel_key, folder, info_payload
from services.backends.remotion_lambda.polling import open_http
from services.backends.remotion_lambda.responses import ErrorResponse, parse_info
from services.errors import StartupError

CANCELLABLE = (4, 0, 515)  # the first version whose functions check for `cancel.json`
BUILT_AGAINST = (4, 0, 527)
PROBE = b"probe of rendercast doctor"
PART_BYTES = 5
MAX_READ_BYTES = 64 * 1024
PROBE_URL_LIFETIME = timedelta(minutes=5)
# Each key of a probe is in `renders/` or `rendercast/` and has this prefix, to which the permission to delete may be
# limited.
PROBES = "rendercast-doctor-"
CANT_STORE = (
    "Posters can't be stored, and a stopped attempt may be launched later: grant s3:PutObject on rendercast/* to the "
    "AWS user."
)

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
    await _check_writing(deployment, aws)
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
        self._render_id = PROBES + secrets.token_hex(8)
        self._probe = cancel_key(self._render_id)
        self._video = f"rendercast/{self._render_id}-video"
        self.hints = Hints(deployment, aws)

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

    async def store_fence(self) -> None:
        """Check that an object can be stored where videos are, and is not stored if there is one already."""
        bucket = self._deployment.bucket
        try:
            await self._aws.put_if_absent(bucket, self._video)
            is_replaced = await self._aws.put_if_absent(bucket, self._video)
        except AwsError as error:
            if _is_denied(error):
                raise StartupError(f"{CANT_STORE} ({error})") from error
            raise StartupError(_sentence(self._deployment, error)) from error
        if is_replaced:
            raise StartupError(
                "The storage ignores If-None-Match, so a stopped attempt may start later and render again: use a "
                "storage that supports conditional writes."
            )

    async def require_acl(self) -> str:
        """Check that a video can be stored with the access control list that a render sends; return what it is.

        Raises `SettingNotReadable` without the permission to set one, which only the function's role needs.
        """
        if self._deployment.privacy != "private":
            return "Videos are stored without an access control list."
        try:
            await self._aws.put(self._deployment.bucket, self._video, PROBE, has_acl=True)
        except AwsError as error:
            if _is_denied(error):
                raise SettingNotReadable("This can't be checked without s3:PutObjectAcl on rendercast/*.") from error
            raise StartupError(_sentence(self._deployment, error)) from error
        return "Videos can be stored with the access control list that the function sends."

    async def read_probe(self) -> None:
        """Read a part of the probe through a presigned URL, as workers and clients read files."""
        now = datetime.now(UTC)
        signed = self._aws.presign_url(self._deployment.bucket, self._probe, now=now, expires_in=PROBE_URL_LIFETIME)
        status, content = await self._get(signed.url, first_bytes=PART_BYTES)
        if status >= HTTPStatus.BAD_REQUEST:
            raise StartupError(f"A signed URL of a file in renders/ returns {status}: grant s3:GetObject for it.")
        if status != HTTPStatus.PARTIAL_CONTENT or content != PROBE[:PART_BYTES]:
            raise StartupError(
                f"The storage responds to a range request with {status} and {len(content)} bytes instead of 206 and "
                f"{PART_BYTES}, so that no posters are made: check the proxy before it, or set REMOTION_POSTERS=no."
            )

    async def request_missing_video(self) -> None:
        """Request a video that doesn't exist; S3 reports 404 only with permission to read it and list the bucket."""
        await self._translate(self._aws.size(self._deployment.bucket, f"rendercast/{self._render_id}.mp4"))

    async def remove_probes(self) -> None:
        """Delete all probes in the same way as a render's files. Without the permission, they stay."""
        for prefix in (folder(self._render_id), f"rendercast/{self._render_id}-"):
            await self._translate(self._aws.delete_all(self._deployment.bucket, prefix))

    async def require_privacy(self) -> None:
        """Check that objects of renders and of videos can't be read without a signature."""
        for key in (self._probe, self._video):
            status, _ = await self._get(self._aws.address(self._deployment.bucket) + key)
            if status < HTTPStatus.BAD_REQUEST:
                raise StartupError(
                    f"Objects in {key.partition('/')[0]}/ can be read by anyone who knows the key, so download URLs "
                    "work without their signature and never expire: replace the bucket's policy with the one in "
                    "docs/deploying.md#the-bucket."
                )

    async def _get(self, url: str, *, first_bytes: int | None = None) -> tuple[int, bytes]:
        """Return the status and the content of the response, of which only the first bytes are requested if given."""
        headers = {} if first_bytes is None else {"Range": f"bytes=0-{first_bytes - 1}"}
        try:
            async with self._http.get(URL(url, encoded=True), headers=headers) as response:
                return response.status, await response.content.read(MAX_READ_BYTES)
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


async def _check_writing(deployment: Deployment, aws: Aws) -> None:
    """Raise `StartupError` if the bucket refuses the access control list of videos. Log a missing permission.

    A fixed key is used, so that without the permission to delete only one empty object stays.
    """
    key = f"rendercast/{PROBES}start"
    try:
        await aws.put_if_absent(deployment.bucket, key)
    except AwsError as error:
        log.warning("%s (%s)", CANT_STORE if _is_denied(error) else "Videos can't be stored.", error)
        return
    try:
        if deployment.privacy == "private":
            await aws.put(deployment.bucket, key, b"", has_acl=True)
    except AwsError as error:
        if error.remedy is not None and error.remedy.code == ACL.code:
            raise StartupError(_sentence(deployment, error)) from error
    finally:
        with contextlib.suppress(AwsError):  # the permission to delete is not required
            await aws.delete_all(deployment.bucket, key)


def _is_denied(error: AwsError) -> bool:
    return error.remedy is not None and error.remedy.code == DENIED.code


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

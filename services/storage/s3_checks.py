"""Checks of the output bucket, at a worker's start and by `rendercast doctor`."""

import contextlib
import secrets
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import aiohttp
from yarl import URL

from services.errors import StartupError
from services.storage.aws_errors import AwsError
from services.storage.s3_access import S3Access
from services.storage.s3_bucket import OutputBucket, describe, open_output_bucket

# Each key of a probe has this prefix, to which the permission to delete may be limited.
PROBES = "rendercast/rendercast-doctor-"
PROBE = b"rendercast doctor"
HTTP_TIMEOUT = aiohttp.ClientTimeout(total=10)
URL_LIFETIME = timedelta(minutes=5)


async def require_writable(bucket: OutputBucket) -> None:
    """Raise `StartupError` unless the bucket exists and objects can be stored in it.

    A fixed key is used, so that without the permission to delete only one object stays.
    """
    key, name = f"{PROBES}start", bucket.access.bucket
    try:
        await bucket.require_bucket(name)
        await bucket.put(name, key, PROBE, content_type="text/plain")
    except AwsError as error:
        raise StartupError(describe(bucket.access, error)) from error
    with contextlib.suppress(AwsError):  # the permission to delete is not required for rendering
        await bucket.delete_all(name, key)


async def check_bucket(access: S3Access) -> str:
    """Store, read by URL and delete a test object; return a sentence that confirms it. Raises `StartupError`."""
    key = f"{PROBES}{secrets.token_hex(8)}"
    async with open_output_bucket(access) as bucket:
        try:
            await bucket.require_bucket(access.bucket)
            await bucket.put(access.bucket, key, PROBE, content_type="text/plain")
            try:
                await _require_private(bucket, key)
            finally:
                await bucket.delete_all(access.bucket, key)
        except AwsError as error:
            raise StartupError(describe(access, error)) from error
    return f"Outputs can be stored in {access.place}, read only by a signed URL, and deleted."


async def _require_private(bucket: OutputBucket, key: str) -> None:
    name = bucket.access.bucket
    signed = bucket.presign_url(name, key, now=datetime.now(UTC), expires_in=URL_LIFETIME)
    async with aiohttp.ClientSession(timeout=HTTP_TIMEOUT, trust_env=True) as http:
        if await _get(http, signed.url) != (HTTPStatus.OK, PROBE):
            raise StartupError(f"A signed URL of {bucket.access.place} does not return the object: grant s3:GetObject.")
        status, _ = await _get(http, bucket.address(name) + key)
    if status < HTTPStatus.BAD_REQUEST:
        raise StartupError(
            f"Objects in {bucket.access.place} can be read by anyone who knows the key, so download URLs work without "
            "their signature and never expire: make the bucket private."
        )


async def _get(http: aiohttp.ClientSession, url: str) -> tuple[int, bytes]:
    try:
        async with http.get(URL(url, encoded=True)) as response:
            return response.status, await response.content.read(1024)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise StartupError(f"The bucket can't be reached by a URL ({type(error).__name__}).") from error

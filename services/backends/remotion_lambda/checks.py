"""Checks of a Remotion deployment, one at a time: those of `rendercast doctor`."""

import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TypeVar

import aiohttp
from yarl import URL

from services.backends.remotion_lambda.access import Access, open_access
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.discovery import Discovery
from services.backends.remotion_lambda.hints import Hint, Hints, SettingNotReadable
from services.backends.remotion_lambda.keys import cancel_key, folder
from services.backends.remotion_lambda.startup_checks import (
    CANT_STORE,
    PROBES,
    describe,
    describe_storage,
    fetch_version,
    is_denied,
    require_site,
    require_version,
)
from services.errors import BackendUnavailable, StartupError
from services.media import OutputFormat
from services.storage.aws_errors import AwsError
from services.storage.s3 import ObjectStorage

CANCELLABLE = (4, 0, 515)  # the first version whose functions check for `cancel.json`
BUILT_AGAINST = (4, 0, 527)
PROBE = b"probe of rendercast doctor"
PART_BYTES = 5
MAX_READ_BYTES = 64 * 1024
PROBE_URL_LIFETIME = timedelta(minutes=5)

T = TypeVar("T")


class Checks:
    """Single checks of a deployment, in any order. Open it with `open_checks`.

    Each raises `StartupError` with a sentence that says what to fix. The probe is an object in the folder of a render
    that doesn't exist.
    """

    def __init__(self, deployment: Deployment, access: Access) -> None:
        self._deployment = deployment
        self._aws = access.aws
        self._storage = access.storage
        self._http = access.http
        self._outputs_http = access.outputs_http
        self._render_id = PROBES + secrets.token_hex(8)
        self._probe = cancel_key(self._render_id)
        self._video = f"rendercast/{self._render_id}-video"
        self.hints = Hints(deployment, access.aws)

    async def require_function(self) -> str:
        """Return the function's version, if it is the configured one and supported."""
        version = await self._translate(fetch_version(self._deployment, self._aws))
        require_version(self._deployment, version)
        if (reason := unsupported(version)) is not None:
            raise StartupError(f"The function has Remotion {version}: {reason}")
        return version

    async def require_bucket(self) -> None:
        """Check that the bucket, and that of the outputs, exist and may be listed."""
        await self._translate(self._aws.require_bucket(self._deployment.bucket))
        if self._storage is not self._aws:
            await self._translate(self._storage.require_bucket(self._deployment.output_bucket), describe_storage)

    async def require_site(self) -> None:
        """Check that the site exists and can be reached from this machine."""
        try:
            await require_site(self._deployment.serve_url, self._http, must_respond=True)
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
        bucket = self._deployment.output_bucket
        try:
            await self._storage.put_if_absent(bucket, self._video)
            is_replaced = await self._storage.put_if_absent(bucket, self._video)
        except AwsError as error:
            if is_denied(error):
                raise StartupError(f"{CANT_STORE} ({error})") from error
            raise StartupError(describe_storage(self._deployment, error)) from error
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
            await self._storage.put(self._deployment.output_bucket, self._video, PROBE, has_acl=True)
        except AwsError as error:
            if is_denied(error):
                raise SettingNotReadable("This can't be checked without s3:PutObjectAcl on rendercast/*.") from error
            raise StartupError(describe_storage(self._deployment, error)) from error
        return "Videos can be stored with the access control list that the function sends."

    async def read_probe(self) -> None:
        """Read a part of the probe through a presigned URL, as workers and clients read files."""
        await self._require_ranges(self._aws, self._http, self._deployment.bucket, self._probe)

    async def read_output(self) -> str:
        """Check that another provider's outputs can be stored and read, if there is one; return where outputs are."""
        provider = self._deployment.output_provider
        if provider is None:
            return "Outputs are stored in Remotion's bucket."
        await self._translate(self._storage.put(provider.bucket, self._video, PROBE), describe_storage)
        await self._require_ranges(self._storage, self._outputs_http, provider.bucket, self._video)
        return f"Outputs are stored in {provider.bucket} at {provider.endpoint}."

    async def compositions(self) -> Hint:
        """Return how many compositions the site has, and whether the helper reports the schemas of their props."""
        discovery = Discovery(self._deployment, aws=self._aws, http=self._http)
        try:
            found = await discovery.compositions(formats=frozenset(OutputFormat))
        except BackendUnavailable as error:
            raise StartupError(str(error)) from error
        with_schema = sum(composition.props_schema is not None for composition in found)
        counted = f"{len(found)} compositions can be rendered, {with_schema} with a schema of their props"
        if all(composition.is_dynamic is None for composition in found):
            return Hint(
                f"{counted}: props are not validated. Wrap the root of the Remotion project with the helper "
                "`withRendercast` and deploy the site again.",
                is_good=False,
            )
        return Hint(f"{counted}.")

    async def _require_ranges(self, storage: ObjectStorage, http: aiohttp.ClientSession, bucket: str, key: str) -> None:
        """Read a part of an object that contains the probe through a presigned URL. Raises `StartupError`."""
        signed = storage.presign_url(bucket, key, now=datetime.now(UTC), expires_in=PROBE_URL_LIFETIME)
        status, content = await _get(http, signed.url, first_bytes=PART_BYTES)
        if status >= HTTPStatus.BAD_REQUEST:
            where = key.partition("/")[0]
            raise StartupError(f"A signed URL of a file in {where}/ returns {status}: grant s3:GetObject for it.")
        if status != HTTPStatus.PARTIAL_CONTENT or content != PROBE[:PART_BYTES]:
            raise StartupError(
                f"The storage responds to a range request with {status} and {len(content)} bytes instead of 206 and "
                f"{PART_BYTES}, so that no posters are made: check the proxy before it, or set REMOTION_POSTERS=no."
            )

    async def request_missing_video(self) -> None:
        """Request a video that doesn't exist; S3 reports 404 only with permission to read it and list the bucket."""
        await self._translate(
            self._storage.size(self._deployment.output_bucket, f"rendercast/{self._render_id}.mp4"), describe_storage
        )

    async def remove_probes(self) -> None:
        """Delete all probes in the same way as a render's files. Without the permission, they stay."""
        outputs = f"rendercast/{self._render_id}-"
        try:
            await self._translate(self._aws.delete_all(self._deployment.bucket, folder(self._render_id)))
        finally:  # both are tried: they may be in different storages
            await self._translate(self._storage.delete_all(self._deployment.output_bucket, outputs), describe_storage)

    async def require_privacy(self) -> None:
        """Check that objects of renders and of videos can't be read without a signature."""
        for storage, http, bucket, key in (
            (self._aws, self._http, self._deployment.bucket, self._probe),
            (self._storage, self._outputs_http, self._deployment.output_bucket, self._video),
        ):
            status, _ = await _get(http, storage.address(bucket) + key)
            if status < HTTPStatus.BAD_REQUEST:
                raise StartupError(
                    f"Objects in {key.partition('/')[0]}/ can be read by anyone who knows the key, so download URLs "
                    "work without their signature and never expire: replace the bucket's policy with the one in "
                    "docs/deploying.md#the-bucket."
                )

    async def _translate(self, call: Awaitable[T], sentence: Callable[[Deployment, AwsError], str] = describe) -> T:
        """Return the result of the call. Raises `StartupError`, with the operator's remedy, for an `AwsError`."""
        try:
            return await call
        except AwsError as error:
            raise StartupError(sentence(self._deployment, error)) from error


@asynccontextmanager
async def open_checks(deployment: Deployment) -> AsyncIterator[Checks]:
    """Open the checks. Raises `StartupError` if there are no usable credentials."""
    async with open_access(deployment) as access:
        yield Checks(deployment, access)


def unsupported(version: str) -> str | None:
    """Return why a version of Remotion is not supported; None if it is."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if numbers < CANCELLABLE:
        return "renders can't be cancelled before 4.0.515; deploy a newer version."
    if numbers[:2] != BUILT_AGAINST[:2]:
        return "Rendercast was built against 4.0.527 and may be incompatible; deploy a version of 4.0."
    return None


async def _get(http: aiohttp.ClientSession, url: str, *, first_bytes: int | None = None) -> tuple[int, bytes]:
    """Return the status and the content of the response, of which only the first bytes are requested if given."""
    headers = {} if first_bytes is None else {"Range": f"bytes=0-{first_bytes - 1}"}
    try:
        async with http.get(URL(url, encoded=True), headers=headers) as response:
            return response.status, await response.content.read(MAX_READ_BYTES)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise StartupError(f"The bucket can't be reached by a URL ({type(error).__name__}).") from error

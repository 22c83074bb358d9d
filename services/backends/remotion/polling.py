"""Progress files read from S3 over plain asyncio HTTP, since they are asked for all the time.

A URL is signed once for many reads of one file. Asked with the last answer's ETag, S3 answers 304 without a body while
nothing has changed. One read costs a tenth of the CPU time of the same through boto3 (`benchmarks/polling.py`).
"""

import os
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

import aiohttp
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies
from yarl import URL

from services.backends.remotion.aws import Aws
from services.backends.remotion.faults import AwsFault, Meaning, fault
from services.backends.remotion.payloads import progress_key
from services.backends.remotion.progress import ProgressFile
from services.models import Download
from services.ports import Clock

CONNECTIONS = 100  # open at once, over all renders of a worker
TIMEOUT_S = 10
URL_LASTS = timedelta(hours=1)
URL_SPARE = timedelta(minutes=1)

_ERROR_CODE = re.compile(rb"<Code>(\w+)</Code>")


@dataclass(frozen=True, slots=True)
class Reading:
    """A progress file, and when it was first seen to be so."""

    file: ProgressFile
    read_at: datetime


@dataclass(slots=True)
class Followed:
    """A progress file that is being followed: where it is, and what it was when it was last read."""

    url: Download
    etag: str = ""
    last: Reading | None = None


class ProgressReader:
    """Reads the progress files of one bucket again and again."""

    def __init__(self, http: aiohttp.ClientSession, aws: Aws, *, bucket: str, clock: Clock) -> None:
        self._http = http
        self._aws = aws
        self._bucket = bucket
        self._clock = clock
        self._followed: dict[str, Followed] = {}

    async def read(self, backend_render_id: str) -> Reading:
        """Return the render's file as it is now. Raises `AwsFault`, also if the file can't be understood."""
        followed = self._follow(backend_render_id)
        try:
            status, etag, body = await self._get(followed)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise AwsFault(f"GetObject: {type(error).__name__}: {error}", Meaning.UNKNOWN) from error
        if status == HTTPStatus.NOT_MODIFIED and followed.last is not None:
            return followed.last
        if status != HTTPStatus.OK:
            self.forget(backend_render_id)  # so that the next read is signed anew
            raise _fault(status, body)
        try:
            followed.last = Reading(ProgressFile.from_json(body), self._clock.now())
        except ValueError as error:
            raise AwsFault(f"the progress file of {backend_render_id} is corrupt", Meaning.UNKNOWN) from error
        followed.etag = etag
        return followed.last

    def forget(self, backend_render_id: str) -> None:
        """Keep nothing of the file any more."""
        self._followed.pop(backend_render_id, None)

    async def _get(self, followed: Followed) -> tuple[int, str, bytes]:
        headers = {"If-None-Match": followed.etag} if followed.last else {}
        async with self._http.get(URL(followed.url.url, encoded=True), headers=headers) as answer:
            return answer.status, answer.headers.get("ETag", ""), await answer.read()

    def _follow(self, backend_render_id: str) -> Followed:
        now = self._clock.now()
        followed = self._followed.get(backend_render_id)
        if followed is None or followed.url.expires_at - now < URL_SPARE:
            key = progress_key(backend_render_id)
            followed = Followed(self._aws.sign(self._bucket, key, now=now, expires_in=URL_LASTS))
            self._followed[backend_render_id] = followed
        return followed


@asynccontextmanager
async def open_http(address: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Open connections that trust whom boto3 trusts, and go through the proxy it would use for this address."""
    trusted = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or get_cert_path(verify=True))
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=trusted),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        proxy=get_environ_proxies(address).get(URL(address).scheme),  # aiohttp itself would look it up for each request
    ) as http:
        yield http


def _fault(status: int, body: bytes) -> AwsFault:
    found = _ERROR_CODE.search(body)
    code = found[1].decode() if found else str(status)
    return fault("GetObject", code=code, status=status, detail=body[:500].decode(errors="replace"))

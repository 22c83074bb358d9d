"""Progress files read from S3 over plain asyncio HTTP, since they are asked for all the time.

A URL is signed once for many reads of one file. Asked with the last answer's ETag, S3 answers 304 without a body while
nothing has changed. One read costs a tenth of the CPU time of the same through boto3 (`benchmarks/polling.py`).

Such a URL is as good as a password for an hour, so none is told in a fault.
"""

import os
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies
from yarl import URL

from services.backends.remotion_lambda.aws import Aws
from services.backends.remotion_lambda.faults import AwsError, Meaning, fault
from services.backends.remotion_lambda.payloads import progress_key
from services.backends.remotion_lambda.progress import ProgressFile
from services.models import Download
from services.ports import Clock

CONNECTIONS = 100  # open at once, over all renders of a worker
TIMEOUT_S = 10
URL_LASTS = timedelta(hours=1)
URL_SPARE = timedelta(minutes=1)

MAX_BODY_BYTES = 8 * 1024 * 1024  # a file of a video of an hour has less than a tenth

_CODE = re.compile(rb"<Code>(\w+)</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")


@dataclass(frozen=True, slots=True)
class Reading:
    """A progress file, when it was first seen to be so, and the present time, both by the clock of S3.

    The times that the function writes are AWS's; this machine's clock may be off.
    """

    file: ProgressFile
    read_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What S3 answered to a GET. `date` is when, by its own clock."""

    status: int
    etag: str
    date: datetime | None
    body: bytes


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
        """Return the render's file as it is now. Raises `AwsError`, also if the file can't be understood."""
        followed = self._follow(backend_render_id)
        try:
            answer = await self._get(followed)
        except (aiohttp.ClientError, TimeoutError) as error:
            # Its words, and those of what it comes from, hold the URL.
            raise AwsError(f"GetObject: {type(error).__name__}", Meaning.UNKNOWN) from None
        now = answer.date or self._clock.now()
        if answer.status == HTTPStatus.NOT_MODIFIED and followed.last is not None:
            return replace(followed.last, now=now)
        if answer.status != HTTPStatus.OK:
            self.forget(backend_render_id)  # so that the next read is signed anew
            raise _fault(answer)
        followed.last = Reading(_read(answer.body, backend_render_id), read_at=now, now=now)
        followed.etag = answer.etag
        return followed.last

    def forget(self, backend_render_id: str) -> None:
        """Keep nothing of the file any more."""
        self._followed.pop(backend_render_id, None)

    async def _get(self, followed: Followed) -> Answer:
        headers = {"If-None-Match": followed.etag} if followed.last else {}
        url = URL(followed.url.url, encoded=True)
        async with self._http.get(url, headers=headers, allow_redirects=False) as answer:
            body = await _beginning(answer)
            return Answer(answer.status, answer.headers.get("ETag", ""), _date(answer.headers.get("Date", "")), body)

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


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """Return the body; if it is larger than it may be, not all of it, but more than it may be."""
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            break
    return bytes(body)


def _date(header: str) -> datetime | None:
    """Return the time that the header `Date` tells, if any."""
    try:
        return parsedate_to_datetime(header).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _read(body: bytes, backend_render_id: str) -> ProgressFile:
    if len(body) > MAX_BODY_BYTES:
        raise AwsError(f"the progress file of {backend_render_id} is too large", Meaning.UNREADABLE)
    try:
        return ProgressFile.from_json(body)
    except ValueError as error:
        raise AwsError(f"the progress file of {backend_render_id} is corrupt", Meaning.UNREADABLE) from error


def _fault(answer: Answer) -> AwsError:
    """Return what an error answer means, with AWS's own words, but without what else it holds, such as tokens."""
    code, message = _CODE.search(answer.body), _MESSAGE.search(answer.body)
    return fault(
        "GetObject",
        code=code[1].decode() if code else str(answer.status),
        status=answer.status,
        detail=message[1].decode(errors="replace")[:500] if message else "",
    )

"""Reads progress files from S3 over plain asyncio HTTP, because each running render is polled about once a second.

A URL is signed once for many reads of one file. Requests carry the ETag of the last response, so S3 returns 304 without
a body while nothing has changed. One read costs a tenth of the CPU time of the same through boto3
(`benchmarks/polling.py`).

A presigned URL grants access for an hour like a password, so error messages never contain one.
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
import botocore.session
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies
from yarl import URL

from services.backends.remotion_lambda.aws import Aws
from services.backends.remotion_lambda.keys import progress_key
from services.backends.remotion_lambda.progress_file import ProgressFile
from services.errors import StartupError
from services.models import Download
from services.ports import Clock
from services.storage.aws_errors import AwsError, AwsErrorKind, error_from_response

MAX_CONNECTIONS = 100  # for all renders of a worker
TIMEOUT_S = 10
URL_LIFETIME = timedelta(hours=1)
URL_RENEWAL_MARGIN = timedelta(minutes=1)

MAX_BODY_BYTES = 8 * 1024 * 1024  # the file of an hour-long video has less than a tenth of this

_CODE = re.compile(rb"<Code>(\w+)</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")


@dataclass(frozen=True, slots=True)
class Reading:
    """A progress file, the time at which this content was first read, and the current time, both by the clock of S3.

    The function writes times of AWS's clock; this machine's clock may be wrong.
    """

    file: ProgressFile
    read_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Response:
    """A response of S3 to a GET. `date` is the time of its own clock."""

    status: int
    etag: str
    date: datetime | None
    body: bytes


@dataclass(slots=True)
class PolledFile:
    """A progress file that is being polled: its presigned URL, and the result of the last read."""

    url: Download
    etag: str = ""
    last: Reading | None = None


class ProgressReader:
    """Polls the progress files of one bucket."""

    def __init__(self, http: aiohttp.ClientSession, aws: Aws, *, bucket: str, clock: Clock) -> None:
        self._http = http
        self._aws = aws
        self._bucket = bucket
        self._clock = clock
        self._files: dict[str, PolledFile] = {}

    async def read(self, backend_render_id: str) -> Reading:
        """Return the render's file as it is now. Raises `AwsError`, also if the file can't be parsed."""
        polled = self._polled_file(backend_render_id)
        try:
            response = await self._get(polled)
        except (aiohttp.ClientError, TimeoutError) as error:
            # The messages of the error and of its cause contain the URL.
            raise AwsError(f"GetObject: {type(error).__name__}", AwsErrorKind.UNKNOWN) from None
        now = response.date or self._clock.now()
        if response.status == HTTPStatus.NOT_MODIFIED and polled.last is not None:
            return replace(polled.last, now=now)
        if response.status != HTTPStatus.OK:
            self.forget(backend_render_id)  # so that the next read is signed again
            raise _response_error(response)
        polled.last = Reading(_parse(response.body, backend_render_id), read_at=now, now=now)
        polled.etag = response.etag
        return polled.last

    def forget(self, backend_render_id: str) -> None:
        """Drop the stored URL and content of the file."""
        self._files.pop(backend_render_id, None)

    async def _get(self, polled: PolledFile) -> Response:
        headers = {"If-None-Match": polled.etag} if polled.last else {}
        url = URL(polled.url.url, encoded=True)
        async with self._http.get(url, headers=headers, allow_redirects=False) as got:
            body = await read_limited(got)
            return Response(got.status, got.headers.get("ETag", ""), _parse_date(got.headers.get("Date", "")), body)

    def _polled_file(self, backend_render_id: str) -> PolledFile:
        now = self._clock.now()
        polled = self._files.get(backend_render_id)
        if polled is None or polled.url.expires_at - now < URL_RENEWAL_MARGIN:
            key = progress_key(backend_render_id)
            polled = PolledFile(self._aws.presign_url(self._bucket, key, now=now, expires_in=URL_LIFETIME))
            self._files[backend_render_id] = polled
        return polled


@asynccontextmanager
async def open_http(address: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session with the CA certificates of boto3 and the proxy that boto3 would use for this address.

    Raises `StartupError` if the certificates can't be loaded.
    """
    trusted = _trusted_certificates()
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=trusted),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        proxy=get_environ_proxies(address).get(URL(address).scheme),  # aiohttp itself would look it up for each request
    ) as http:
        yield http


def _trusted_certificates() -> ssl.SSLContext:
    """Return the context that trusts what boto3 trusts, which reads the same variables in this order."""
    session = botocore.session.Session(include_builtin_handlers=False)  # without those of requests: half of the time
    configured = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    try:
        return ssl.create_default_context(cafile=configured or get_cert_path(verify=True))
    except OSError as error:
        raise StartupError(
            f"The CA certificates of AWS can't be loaded from {configured!r} ({error.strerror}): correct "
            "AWS_CA_BUNDLE, the option ca_bundle of the AWS profile, or REQUESTS_CA_BUNDLE."
        ) from None


async def read_limited(response: aiohttp.ClientResponse) -> bytes:
    """Return the body; of a body above `MAX_BODY_BYTES`, only a part, which is above the limit too."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            break
    return bytes(body)


def _parse_date(header: str) -> datetime | None:
    """Return the time in the header `Date`; None if it is missing or invalid."""
    try:
        return parsedate_to_datetime(header).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _parse(body: bytes, backend_render_id: str) -> ProgressFile:
    if len(body) > MAX_BODY_BYTES:
        raise AwsError(f"the progress file of {backend_render_id} is too large", AwsErrorKind.INVALID_RESPONSE)
    try:
        return ProgressFile.from_json(body)
    except ValueError as error:
        raise AwsError(f"the progress file of {backend_render_id} is corrupt", AwsErrorKind.INVALID_RESPONSE) from error


def _response_error(response: Response) -> AwsError:
    """Return the error for an error response, with its code and message only: the rest may contain tokens."""
    code, message = _CODE.search(response.body), _MESSAGE.search(response.body)
    return error_from_response(
        "GetObject",
        code=code[1].decode() if code else str(response.status),
        status=response.status,
        detail=message[1].decode(errors="replace")[:500] if message else "",
    )

"""The network between the machines and AWS: boto3's and aiohttp's requests, in the process and in virtual time."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from yarl import URL

from tests.simulation.chances import START_FAULTS, Chances
from tests.simulation.cloud import Cloud
from tests.simulation.virtual_time import VirtualTimeLoop
from tests.support.lambda_faults import CRASH_TYPES, ERROR_RESPONSES, NOTHING_RUNS, RUNS_FIRST, Fault
from tests.support.lambda_function import error_response
from tests.support.lambda_progress import JSON, compact
from tests.support.memory_bucket import S3Response
from tests.support.s3_server import ERROR_RESPONSES as S3_ERRORS
from tests.support.s3_server import S3Fault
from tests.support.s3_server import error_response as s3_error_response

if TYPE_CHECKING:
    from tests.simulation.machine import Machine

MACHINE: ContextVar["Machine"] = ContextVar("machine")  # the one whose task is running
START_TIMEOUT_S = 30.0
REJECTIONS = ("Version mismatch: deploy again", "Failed to launch the browser process!")


class Network:
    """Passes requests on to the cloud. One that fails may have had its effect."""

    def __init__(self, loop: VirtualTimeLoop, chances: Chances, cloud: Cloud) -> None:
        self._loop = loop
        self._chances = chances
        self._cloud = cloud

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Return the response to a request of boto3, or raise as botocore's HTTP session does."""
        url = urlsplit(request.url)
        with MACHINE.get().operation(f"{request.method} {url.path[-40:]}", EndpointConnectionError(endpoint_url="")):
            self._loop.spend(self._chances.uniform(0.01, 0.3))
            body = _body(request)
            if "/functions/" in url.path:
                return self._invoke(request, json.loads(body))
            headers = {name: _text(value) for name, value in request.headers.items()}
            response = self._s3(str(url.hostname), request.method, f"{url.path}?{url.query}", headers, body)
            return _aws_response(request, response.status, dict(response.headers), response.body)

    @asynccontextmanager
    async def get(
        self, url: URL, *, headers: Mapping[str, str], allow_redirects: bool
    ) -> AsyncIterator["HttpResponse"]:
        """Respond to a request of aiohttp."""
        assert not allow_redirects
        await asyncio.sleep(MACHINE.get().stall_s())
        with MACHINE.get().operation("GET", aiohttp.ClientConnectionError()):
            try:
                found = self._s3(str(url.host), "GET", url.raw_path_qs, headers, b"")
            except (ConnectionClosedError, EndpointConnectionError) as error:
                raise aiohttp.ClientConnectionError from error
            yield HttpResponse(found.status, dict(found.headers), found.body)

    def _s3(self, host: str, method: str, target: str, headers: Mapping[str, str], body: bytes) -> S3Response:
        chances = self._chances
        if not self._cloud.is_s3_available:
            raise EndpointConnectionError(endpoint_url=host)
        if chances.occurs("S3 slow down"):
            return S3Response(*s3_error_response(*S3_ERRORS[S3Fault.SLOW_DOWN]))
        if "If-None-Match" in headers and method == "PUT" and chances.occurs("S3 conflict"):
            return S3Response(*s3_error_response(*S3_ERRORS[S3Fault.CONFLICT]))
        response = self._cloud.s3.serve(host, method, target, headers, body)
        size = dict(response.headers).get("Content-Length")
        if method == "PUT" or (method == "HEAD" and size not in {None, "0"}):
            chances.log(f"{MACHINE.get().name}: {method} {urlsplit(target).path}: {response.status}")
        if chances.occurs("S3 response lost"):
            raise ConnectionClosedError(endpoint_url=host)
        return response

    def _invoke(self, request: AWSPreparedRequest, payload: JSON) -> AWSResponse:
        if payload["type"] != "start":
            return _aws_response(request, HTTPStatus.OK, {}, compact(self._cloud.function.run(payload)).encode())
        fault = next(filter(self._chances.occurs, START_FAULTS), None)
        status, headers, response = self._outcome(fault, payload)
        if fault is Fault.HELD:
            self._loop.spend(START_TIMEOUT_S)
            raise ReadTimeoutError(endpoint_url=request.url)
        if fault is Fault.DROPPED:
            raise ConnectionClosedError(endpoint_url=request.url)
        return _aws_response(request, status, headers, compact(response).encode())

    def _outcome(self, fault: Fault | None, payload: JSON) -> tuple[int, dict[str, str], JSON]:
        """Return the response to a start, after its effect."""
        if fault in ERROR_RESPONSES:
            if fault in RUNS_FIRST:
                self._cloud.start(payload)
            status, code, error = ERROR_RESPONSES[fault]
            return status, {"x-amzn-ErrorType": code}, error
        response = error_response(self._chances.one_of(REJECTIONS))
        if fault not in NOTHING_RUNS:
            response = self._cloud.start(payload)
        if fault in CRASH_TYPES:
            crash = {"errorType": CRASH_TYPES[fault], "errorMessage": "exited", "trace": []}
            return HTTPStatus.OK, {"X-Amz-Function-Error": "Unhandled"}, crash
        return HTTPStatus.OK, {}, response


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The parts of aiohttp's response that are read."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> "HttpResponse":
        return self

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self.body


class _Raw(io.BytesIO):
    """A body as urllib3 provides it."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def _aws_response(request: AWSPreparedRequest, status: int, headers: dict[str, str], body: bytes) -> AWSResponse:
    described: Any = HeadersDict({"Content-Length": str(len(body)), **headers})
    return AWSResponse(request.url, status, described, _Raw(b"" if request.method == "HEAD" else body))


def _body(request: AWSPreparedRequest) -> bytes:
    body: Any = request.body
    if hasattr(body, "read"):  # it is sent in chunks
        body = body.read()
    return body if isinstance(body, bytes) else str(body or "").encode()


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value

"""Responses whose head and body are sent in one write, also as clients receive them over a real socket."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.api_server import rewired, serve
from tests.support.fake_backend import FakeBackend
from transport.head_buffering import HeadBufferingTransport

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
QUERY = b'{"query": "{ renderLimits { fps } }"}'
POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(QUERY)


class RecordingTransport(asyncio.Transport):
    """A transport that records what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.sent.append(b"closed")


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ([HEAD, b"body"], [HEAD + b"body"]),
        ([HEAD], []),
        ([HEAD, b""], [HEAD]),
        ([HEAD, b"1", b"2"], [HEAD + b"1", b"2"]),
        ([HEAD, HEAD], [HEAD + HEAD]),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", HEAD, b"body"], [b"HTTP/1.1 100 Continue\r\n\r\n", HEAD + b"body"]),
    ],
)
async def test_a_head_is_sent_with_the_next_write(written: list[bytes], sent: list[bytes]) -> None:
    transport = RecordingTransport()
    buffering = HeadBufferingTransport(transport)
    for piece in written:
        buffering.write(piece)
    assert transport.sent == sent


async def test_a_head_without_body_is_sent_before_closing() -> None:
    transport = RecordingTransport()
    buffering = HeadBufferingTransport(transport)
    buffering.write(HEAD)
    buffering.close()
    assert transport.sent == [HEAD, b"closed"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("data"))
    async with open_embedded(settings) as services, serve(rewired(services, backend=FakeBackend())) as url:
        yield int(url.rpartition(":")[2])


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n", [b"200 OK"]),
        (POST + b"Expect: 100-continue\r\n\r\n" + QUERY, [b"100 Continue", b"200 OK", b'"fps":30']),
        (POST + b"\r\n" + QUERY, [b"200 OK", b'"fps":30']),
        ((POST + b"\r\n" + QUERY) * 3, [b"200 OK", b'"fps":30'] * 3),
        (POST + b"Connection: close\r\n\r\n" + QUERY, [b"200 OK", b'"fps":30']),
        (b"nonsense\r\n\r\n", [b"400 Bad Request", b"Invalid HTTP request received."]),
    ],
)
async def test_every_response_arrives_completely(port: int, request_: bytes, expected: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_)
    async with asyncio.timeout(TEST_TIMEOUT_S):
        for part in expected:
            assert part in await reader.readuntil(part)
    writer.close()

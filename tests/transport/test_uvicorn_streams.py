"""uvicorn's undocumented names that `transport/uvicorn_streams.py` uses, and chunks written without awaiting."""

import asyncio
import inspect
import logging
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from transport.uvicorn_streams import ChunkWriter, UnknownLength


class Transport(asyncio.Transport):
    """A transport that records what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.has_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def is_closing(self) -> bool:
        return self.has_closed

    def close(self) -> None:
        self.has_closed = True


@pytest.fixture
async def transport() -> Transport:
    return Transport()


@pytest.fixture
async def cycle(transport: Transport) -> RequestResponseCycle:
    """A request whose response has not started."""
    return RequestResponseCycle(
        scope=cast("Any", {"type": "http", "method": "GET", "http_version": "1.1"}),
        transport=transport,
        flow=FlowControl(transport),
        logger=logging.getLogger("uvicorn.error"),
        access_logger=logging.getLogger("uvicorn.access"),
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=True,
        on_response=lambda: None,
    )


async def start(cycle: RequestResponseCycle) -> None:
    await cycle.send({"type": "http.response.start", "status": 200, "headers": []})


async def send(cycle: RequestResponseCycle, body: bytes, *, more_body: bool) -> None:
    await cycle.send({"type": "http.response.body", "body": body, "more_body": more_body})


async def test_chunks_are_those_of_uvicorn(cycle: RequestResponseCycle, transport: Transport) -> None:
    await start(cycle)
    transport.sent = b""
    await send(cycle, b"0123456789abcdef", more_body=True)
    own, transport.sent = transport.sent, b""
    assert ChunkWriter(cycle).write(b"0123456789abcdef")
    assert transport.sent == own


async def test_nothing_is_written_before_and_after_a_response_and_while_the_client_does_not_read(
    cycle: RequestResponseCycle, transport: Transport
) -> None:
    writer = ChunkWriter(cycle)
    assert not writer.write(b"x")
    await start(cycle)
    assert writer.write(b"x")
    cycle.flow.pause_writing()
    assert not writer.write(b"x")
    cycle.flow.resume_writing()
    assert writer.write(b"x")
    await send(cycle, b"", more_body=False)
    assert not writer.write(b"x")
    cycle.response_complete, cycle.disconnected = False, True
    assert not writer.write(b"x")
    cycle.disconnected, transport.has_closed = False, True
    assert not writer.write(b"x")


async def test_a_body_of_unknown_length_has_no_chunks(cycle: RequestResponseCycle, transport: Transport) -> None:
    cycle.chunked_encoding = False
    cycle.expected_content_length = UnknownLength()
    await start(cycle)
    transport.sent = b""
    await send(cycle, b"ab", more_body=True)
    assert ChunkWriter(cycle).write(b"cd")
    await send(cycle, b"ef", more_body=False)
    assert (transport.sent, cycle.response_complete) == (b"abcdef", True)


def test_uvicorn_has_the_names_that_we_use(cycle: RequestResponseCycle) -> None:
    parameters = list(inspect.signature(HttpToolsProtocol._start_asgi_task).parameters)
    assert parameters == ["self", "cycle", "app"], f"changed in uvicorn {uvicorn.__version__}"
    names = ("chunked_encoding", "disconnected", "expected_content_length", "flow", "response_complete")
    missing = [name for name in (*names, "response_started", "scope", "transport") if not hasattr(cycle, name)]
    assert missing == []
    assert not cycle.flow.write_paused

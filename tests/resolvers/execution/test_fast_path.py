"""The fast path of subscriptions, and the frames in which it writes."""

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from resolvers.execution.fast_path import FastPath, Framing
from schema.render import RenderLoader
from services.models import Render, RenderStatus, replace
from tests.conftest import MakeRender
from transport.websocket_frames import text_frame

FRAMING = Framing(b'{"id":"1","type":"next","payload":', b"}")
LOADER = cast("RenderLoader", object())  # `Encoder` doesn't use it


class Socket:
    """A connection whose `write_text` is a `TextWriter`."""

    def __init__(self) -> None:
        self.is_writable = True
        self.sent: list[bytes] = []

    def write_text(self, text: bytes) -> bool:
        if self.is_writable:
            self.sent.append(text)
        return self.is_writable


class Encoder:
    """A `ResultEncoder` whose results are `data`, or the revision."""

    def __init__(self, data: bytes | None = b"") -> None:
        self._data = data

    def encode(self, loader: RenderLoader, state: Render) -> bytes | None:
        del loader
        return b'{"revision":%d}' % state.revision if self._data == b"" else self._data


@pytest.fixture
def socket() -> Socket:
    return Socket()


@pytest.fixture
def fast_path(socket: Socket) -> FastPath:
    return FastPath(FRAMING, write=socket.write_text, max_bytes=100)


@pytest.fixture
def rendering(make_render: MakeRender) -> Render:
    return make_render(status=RenderStatus.RENDERING)


def test_states_are_pushed_once_there_is_an_encoder(fast_path: FastPath, socket: Socket, rendering: Render) -> None:
    assert not fast_path.push(rendering)
    fast_path.open(Encoder(), LOADER)
    assert fast_path.push(replace(rendering, revision=7))
    assert socket.sent == [FRAMING.start + b'{"data":{"revision":7}}}']


def test_nothing_is_pushed_to_a_client_that_reads_too_slowly(
    fast_path: FastPath, socket: Socket, rendering: Render
) -> None:
    fast_path.open(Encoder(), LOADER)
    socket.is_writable = False
    assert not fast_path.push(rendering)


def test_a_result_that_cannot_be_encoded_is_not_pushed(fast_path: FastPath, socket: Socket, rendering: Render) -> None:
    fast_path.open(Encoder(None), LOADER)
    assert not fast_path.push(rendering)
    assert socket.sent == []


def test_a_result_that_is_too_large_is_not_pushed(fast_path: FastPath, socket: Socket, rendering: Render) -> None:
    fast_path.open(Encoder(b"x" * 101), LOADER)
    assert not fast_path.push(rendering)
    assert socket.sent == []


def test_nothing_is_pushed_after_closing(fast_path: FastPath, socket: Socket, rendering: Render) -> None:
    fast_path.open(Encoder(), LOADER)
    fast_path.close()
    fast_path.open(Encoder(), LOADER)
    assert not fast_path.push(rendering)
    assert socket.sent == []


@given(st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, 70_000]) | st.integers(0, 200_000))
def test_text_frames_equal_those_of_websockets_and_can_be_read_by_it(length: int) -> None:
    text = b"x" * length
    client = Protocol(CLIENT, state=OPEN)
    client.receive_data(text_frame(text))
    assert client.events_received() == [Frame(Opcode.TEXT, text)]
    assert text_frame(text) == Frame(Opcode.TEXT, text).serialize(mask=False)

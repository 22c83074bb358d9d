"""What is sent past the executor: only what may be, and then the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from resolvers.execution.fast_path import FastPath
from services.models import Render, RenderStatus, replace
from tests.conftest import MakeRender
from transport.uvicorn_websockets import frame_of_text

HEAD = b'{"id":"1","type":"next"'


class Socket:
    """A connection that is ready, or isn't."""

    def __init__(self) -> None:
        self.is_ready = True
        self.sent: list[bytes] = []

    def send_now(self, text: bytes) -> bool:
        if self.is_ready:
            self.sent.append(text)
        return self.is_ready


@pytest.fixture
def socket() -> Socket:
    return Socket()


@pytest.fixture
def feed(socket: Socket) -> FastPath:
    return FastPath(HEAD, send_now=socket.send_now, longest=100)


@pytest.fixture
def rendering(make_render: MakeRender) -> Render:
    return make_render(status=RenderStatus.RENDERING)


def revision(render: Render) -> bytes:
    return b'{"revision":%d}' % render.revision


def test_a_state_is_sent_as_soon_as_something_tells_of_it(feed: FastPath, socket: Socket, rendering: Render) -> None:
    assert not feed.push(rendering)
    feed.begin(revision)
    assert feed.push(replace(rendering, revision=7))
    assert socket.sent == [HEAD + b',"payload":{"data":{"revision":7}}}']


@pytest.mark.parametrize("status", [status for status in RenderStatus if status != RenderStatus.RENDERING])
def test_ends_and_places_in_the_queue_go_the_long_way(
    feed: FastPath, socket: Socket, rendering: Render, status: RenderStatus
) -> None:
    feed.begin(revision)
    assert not feed.push(replace(rendering, status=status))
    assert socket.sent == []


def test_so_does_what_a_client_does_not_read_fast_enough(feed: FastPath, socket: Socket, rendering: Render) -> None:
    feed.begin(revision)
    socket.is_ready = False
    assert not feed.push(rendering)


def test_so_does_what_can_not_be_told_at_once(feed: FastPath, socket: Socket, rendering: Render) -> None:
    feed.begin(lambda _: None)
    assert not feed.push(rendering)
    assert socket.sent == []


def test_so_does_what_is_too_long_to_be_sent(feed: FastPath, socket: Socket, rendering: Render) -> None:
    feed.begin(lambda _: b"x" * 101)
    assert not feed.push(rendering)
    assert socket.sent == []


def test_nothing_is_sent_after_its_end(feed: FastPath, socket: Socket, rendering: Render) -> None:
    feed.begin(revision)
    feed.end()
    feed.begin(revision)
    assert not feed.push(rendering)
    assert socket.sent == []


@settings(deadline=None)
@given(st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, 70_000]) | st.integers(0, 200_000))
def test_its_frames_are_what_others_read_and_write(length: int) -> None:
    text = b"x" * length
    client = Protocol(CLIENT, state=OPEN)
    client.receive_data(frame_of_text(text))
    assert client.events_received() == [Frame(Opcode.TEXT, text)]
    assert frame_of_text(text) == Frame(Opcode.TEXT, text).serialize(mask=False)

"""The blocking client in the main thread, where Ctrl-C interrupts it."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

import pytest
from rendercast.client import Client

from tests.support.api_client import TEST_TIMEOUT_S


@contextmanager
def interrupted(server: socket.socket) -> Iterator[None]:
    """Raise `KeyboardInterrupt` in the main thread once a client waits for this server's response."""
    main_thread = threading.get_ident()

    def interrupt(_: int, frame: FrameType | None) -> None:
        del frame
        raise KeyboardInterrupt

    def interrupt_after_request() -> None:
        with server.accept()[0] as connection:
            connection.recv(1)
            signal.pthread_kill(main_thread, signal.SIGALRM)
            has_ended.wait()

    has_ended = threading.Event()
    before = signal.signal(signal.SIGALRM, interrupt)
    waiting = threading.Thread(target=interrupt_after_request)
    waiting.start()
    try:
        yield
    finally:
        has_ended.set()
        waiting.join()
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(TEST_TIMEOUT_S)
        yield server


def url_of(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("method", ["quota", "watch"])
def test_ctrl_c_ends_what_a_client_waits_for(silent: socket.socket, method: str) -> None:
    with Client(url_of(silent)) as client:
        wait: Callable[[], object] = client.quota if method == "quota" else partial(next, client.watch("id"))
        with interrupted(silent), pytest.raises(KeyboardInterrupt):
            wait()
    assert [each.name for each in threading.enumerate() if each.name == "rendercast-client"] == []


def test_a_client_that_was_never_used_has_no_thread(silent: socket.socket) -> None:
    before = threading.active_count()
    with Client(url_of(silent)):
        assert threading.active_count() == before

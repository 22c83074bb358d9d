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

INTERRUPT_AFTER_S = 0.1


@contextmanager
def interrupted() -> Iterator[None]:
    """Raise `KeyboardInterrupt` in the main thread soon."""

    def interrupt(_: int, frame: FrameType | None) -> None:
        del frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, INTERRUPT_AFTER_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def silent_url() -> Iterator[str]:
    """A server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("method", ["quota", "watch"])
def test_ctrl_c_ends_what_a_client_waits_for(silent_url: str, method: str) -> None:
    with Client(silent_url) as client:
        wait: Callable[[], object] = client.quota if method == "quota" else partial(next, client.watch("id"))
        with interrupted(), pytest.raises(KeyboardInterrupt):
            wait()
    assert [each.name for each in threading.enumerate() if each.name == "rendercast-client"] == []


def test_a_client_that_was_never_used_has_no_thread(silent_url: str) -> None:
    before = threading.active_count()
    with Client(silent_url):
        assert threading.active_count() == before

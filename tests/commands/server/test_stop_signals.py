"""SIGINT and SIGTERM end a command from the beginning of its start, without a traceback."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.processes import COMMAND, spawn_program, wait
from tests.support import tokens
from tests.support.api_client import TEST_TIMEOUT_S

pytestmark = pytest.mark.slow

SCRIPT = """
import asyncio
from commands.server.stop_signals import exit_on_stop_signals, handled_stop_signals

async def serve():
    with handled_stop_signals(lambda: print("stop", flush=True), lambda: print("hurry", flush=True)):
        print("serving", flush=True)
        await asyncio.Event().wait()

exit_on_stop_signals(code=0)
asyncio.run(serve())
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that never responds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TEST_TIMEOUT_S)
        yield listener


def wait_for_reader(fifo: Path) -> int:
    """Return a descriptor of the FIFO as soon as a process reads it."""
    until = time.monotonic() + TEST_TIMEOUT_S
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < until, "it was not read"
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("command", "number", "code"),
    [
        (["dev"], signal.SIGTERM, 0),
        (["serve"], signal.SIGINT, 0),
        (["worker"], signal.SIGTERM, 0),
        (["migrate"], signal.SIGTERM, 128 + signal.SIGTERM),
        (["forget", "ann"], signal.SIGINT, 128 + signal.SIGINT),
        (["doctor"], signal.SIGTERM, 128 + signal.SIGTERM),
        (["webhooks", "list"], signal.SIGTERM, 128 + signal.SIGTERM),
    ],
)
def test_a_signal_while_settings_are_read_ends_the_command(
    command: list[str], number: signal.Signals, code: int, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "secret")
    settings = {"RENDERCAST_JWT_SECRET_FILE": tmp_path / "secret"}
    process = spawn_program(tmp_path, [COMMAND, *command], settings, fork=False)
    descriptor = wait_for_reader(tmp_path / "secret")
    process.send_signal(number)
    assert wait(process) == code
    os.close(descriptor)
    assert (tmp_path / "stderr").read_text() == ""


@pytest.mark.parametrize(("command", "number"), [("serve", signal.SIGTERM), ("worker", signal.SIGINT)])
def test_a_signal_while_the_store_does_not_respond_ends_the_start(
    command: str, number: signal.Signals, listener: socket.socket, tmp_path: Path
) -> None:
    url = f"mongodb://127.0.0.1:{listener.getsockname()[1]}/x?timeoutMS=60000"
    settings = {"MONGODB_URL": url, "REDIS_URL": "redis://localhost", "jwt_secret": tokens.SECRET, "renderer": "text"}
    process = spawn_program(tmp_path, [COMMAND, command], {**settings, "port": 0}, fork=False)
    with listener.accept()[0]:
        process.send_signal(number)
        assert wait(process) == 0
    assert "Traceback" not in (tmp_path / "stderr").read_text()


def test_the_second_signal_shortens_the_stop_and_the_third_ends_the_process() -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in ("serving\n", "stop\n", "hurry\n"):
            assert select.select([process.stdout], [], [], TEST_TIMEOUT_S)[0]
            assert process.stdout.readline() == line
            process.send_signal(signal.SIGTERM)
        assert process.wait(TEST_TIMEOUT_S) == 128 + signal.SIGTERM

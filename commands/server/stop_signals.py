"""SIGINT and SIGTERM in commands that run for long.

The kernel drops signals that process 1, which is the command in a container, does not handle. So each such command
first calls `exit_on_stop_signals`, before it imports or connects to anything.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def exit_on_stop_signals(code: int | None = None) -> None:
    """From now on, end the process at once on a stop signal, with `code`; by default 128 and the signal's number.

    Nothing is cleaned up: for a process that is not serving yet, that is the same as a crash, which loses nothing.
    """

    def end(number: int, _: FrameType | None) -> None:
        os._exit(128 + number if code is None else code)

    for number in STOP_SIGNALS:
        signal.signal(number, end)


@contextmanager
def handled_stop_signals(stop: Callable[[], object], hurry: Callable[[], object]) -> Iterator[None]:
    """Call `stop` on the first stop signal, `hurry` on the second, and end the process on the third.

    After the context, any stop signal ends the process: it is closing. Must be entered on the event loop.
    """
    import asyncio  # it takes time to import, and commands import this module to show their help

    def handle() -> None:
        action = actions.pop()
        if not actions:
            _leave(loop)
        action()

    loop = asyncio.get_running_loop()
    actions = [hurry, stop]
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        _leave(loop)


def _leave(loop: "asyncio.AbstractEventLoop") -> None:
    for number in STOP_SIGNALS:
        loop.remove_signal_handler(number)
    exit_on_stop_signals()

"""An event loop whose time passes only when every task waits, and then at once."""

import asyncio
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from services.clock import SystemClock

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop with virtual time, in seconds since its creation.

    Calls for other threads run in the loop's own thread, after the seconds that `call_delay_s` returns. They may
    `spend` time, which the caller then waits for.
    """

    def __init__(self) -> None:
        self.call_delay_s: Callable[[], float] = float
        self._now_s = 0.0
        self._spent_s = 0.0
        super().__init__(_SkippingSelector(self.skip))

    def time(self) -> float:
        """Return the virtual time."""
        return self._now_s

    def skip(self, seconds: float) -> None:
        """Let time pass in which no task runs, as while a machine is suspended."""
        self._now_s += seconds

    def spend(self, seconds: float) -> None:
        """Let the running call for another thread take this much time in addition."""
        self._spent_s += seconds

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Run the call; the future has its result after the time that it spent."""
        del executor
        future = self.create_future()
        if delay_s := self.call_delay_s():
            self.call_later(delay_s, self._call, future, func, args)
        else:
            self._call(future, func, args)
        return future

    def _call(self, future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._spent_s = 0.0
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001  # is the caller's
            self.call_later(self._spent_s, _settle, future, None, error)
        else:
            self.call_later(self._spent_s, _settle, future, result, None)


class VirtualClock(SystemClock):
    """The clock of a machine in a loop's time. `step` moves only the wall clock."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """Return the wall clock's time."""
        return START + timedelta(seconds=self._loop.time()) + self._ahead

    def monotonic(self) -> float:
        """Return the loop's time, in seconds."""
        return self._loop.time()

    def step(self, seconds: float) -> None:
        """Move the wall clock, as NTP or an administrator does."""
        self._ahead += timedelta(seconds=seconds)


class _SkippingSelector(selectors.SelectSelector):
    """A selector that moves the time forward instead of waiting."""

    def __init__(self, skip: Callable[[float], None]) -> None:
        super().__init__()
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "every task waits for an event that nothing will cause"
        if timeout > 0:
            self._skip(timeout)
        return []


def _settle(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)

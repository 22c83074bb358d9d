"""A machine that runs a worker, and that crashes at any step of it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from services.errors import StoreUnavailable
from services.ports import RenderStore
from tests.simulation.chances import Chances
from tests.simulation.network import MACHINE

MAX_STALL_S = 400.0


class Machine:
    """One process of a worker. `crash_after` is the number of operations on the store and on AWS until it crashes."""

    def __init__(self, name: str, chances: Chances, *, crash_after: int | None = None) -> None:
        self.name = name
        self.is_dead = False
        self.ended = asyncio.Event()
        self._chances = chances
        self._crash_after = crash_after
        self._stalls_until_s = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self, run: Callable[[], Any]) -> None:
        """Run the worker."""
        self._chances.log(f"{self.name} starts")
        self._task = asyncio.get_running_loop().create_task(self._run(run))

    def stop(self) -> None:
        """Stop the worker as SIGTERM does."""
        self._chances.log(f"{self.name} stops")
        assert self._task is not None
        self._task.cancel()

    def crash(self) -> None:
        """End without another effect on the store or on AWS."""
        self._chances.log(f"{self.name} crashes")
        self.is_dead = True
        assert self._task is not None
        self._task.cancel()
        self.ended.set()

    def stall_s(self) -> float:
        """Return for how long the machine still does nothing, as one that is suspended and continues later."""
        now_s = asyncio.get_running_loop().time()
        if self._stalls_until_s <= now_s and self._chances.occurs("machine stalls"):
            self._stalls_until_s = now_s + self._chances.one_of((20.0, self._chances.uniform(0, MAX_STALL_S)))
        return max(0.0, self._stalls_until_s - now_s)

    @contextmanager
    def operation(self, name: str, no_effect: Exception) -> Iterator[None]:
        """Perform an operation, unless the machine crashes before it; or crash after it. Then raise `no_effect`."""
        if self.is_dead:
            raise no_effect
        crashes_before = crashes_after = False
        if self._crash_after is not None:
            self._crash_after -= 1
            if self._crash_after == 0:
                crashes_before = self._chances.one_of((True, False))
                crashes_after = not crashes_before
                self._chances.log(f"{self.name} will crash {'before' if crashes_before else 'after'} {name}")
        if crashes_before:
            self.crash()
            raise no_effect
        try:
            yield
        finally:
            if crashes_after:
                self.crash()
        if crashes_after:
            raise no_effect

    async def _run(self, run: Callable[[], Any]) -> None:
        MACHINE.set(self)
        try:
            await run()
        finally:
            self.ended.set()


class StoreConnection:
    """A machine's connection to the store, which may be unavailable, and whose responses may be lost."""

    def __init__(self, store: RenderStore, chances: Chances) -> None:
        self.is_available = True
        self._store = store
        self._chances = chances

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(MACHINE.get().stall_s())
            with MACHINE.get().operation(f"store.{name}", StoreUnavailable("the machine crashed")):
                if not self.is_available:
                    raise StoreUnavailable("the store is unavailable")
                result = await method(*args, **kwargs)
                if self._chances.occurs("store response lost"):
                    raise StoreUnavailable("no response")
                return result

        return call

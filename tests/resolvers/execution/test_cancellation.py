"""What is left of executions that are cancelled."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from tests.resolvers.execution.test_selections import RENDER, SCHEMA, context_with

QUERY = """{
  renders { totalCount again: totalCount pageInfo { hasNextPage } edges { node { queuePosition } } }
  renderQuota { remaining }
}"""


class CancellingLoop(asyncio.SelectorEventLoop):
    """An event loop that cancels a task just before one of its callbacks. `scheduled` counts them."""

    task: asyncio.Task[Any]
    scheduled = 0
    cancelled_before = 0

    def call_soon(  # type: ignore[override]  # its arguments are not checked
        self, callback: Callable[..., object], *args: Any, **options: Any
    ) -> asyncio.Handle:
        self.scheduled += 1
        if self.scheduled == self.cancelled_before:
            super().call_soon(self.task.cancel)
        return super().call_soon(callback, *args, **options)


async def execute(*, cancelled_before: int) -> bool:
    """Execute the query, and return whether it was cancelled."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, CancellingLoop)
    async with context_with(RENDER) as context:
        loop.scheduled, loop.cancelled_before = 0, cancelled_before
        loop.task = asyncio.create_task(SCHEMA.execute(QUERY, context_value=context))
        try:
            result = await loop.task
        except asyncio.CancelledError as cancelled:
            cycle: list[object] = [cancelled]
            cycle.append(cycle)  # so that the garbage collector finds the coroutines, in any order
            return True
        finally:
            loop.cancelled_before = 0
    assert result.errors is None
    return False


def test_a_cancelled_execution_leaves_no_coroutine_that_was_never_awaited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unraisable: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda error: unraisable.append(error.exc_value))
    cancelled = 0
    with asyncio.Runner(loop_factory=CancellingLoop) as runner:
        while runner.run(execute(cancelled_before=cancelled + 2)):  # the first callback starts the execution
            cancelled += 1
            gc.collect()
    assert unraisable == []
    assert cancelled > 10

"""Executions that are cancelled or fail leave no field that is executed, and no coroutine that was never awaited."""

import asyncio
import gc
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from strawberry.types.execution import ExecutionResult

from resolvers.schema import build_schema
from services.models import Render
from services.settings import default_settings
from tests.resolvers.execution.test_selections import RENDER, SCHEMA, UNLIMITED, context_with
from tests.support.fake_clock import FakeClock, settle
from tests.support.memory_store import MemoryStore

FIELDS = """
  renders { totalCount again: totalCount pageInfo { hasNextPage } edges { node { queuePosition } } }
  renderQuota { remaining }
"""


class CancellingLoop(asyncio.SelectorEventLoop):
    """An event loop that cancels a task just before one of its callbacks. `scheduled` counts them."""

    task: asyncio.Task[ExecutionResult]
    scheduled = 0
    cancelled_before = 0

    def call_soon(  # type: ignore[override]  # its arguments are not checked
        self, callback: Callable[..., object], *args: Any, **options: Any
    ) -> asyncio.Handle:
        self.scheduled += 1
        if self.scheduled == self.cancelled_before:
            super().call_soon(self.task.cancel)
        return super().call_soon(callback, *args, **options)


async def execute(query: str, *, cancelled_before: int) -> ExecutionResult | None:
    """Return the result of the query; None if it was cancelled."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, CancellingLoop)
    async with context_with(RENDER) as context:
        loop.scheduled, loop.cancelled_before = 0, cancelled_before
        loop.task = task = asyncio.create_task(SCHEMA.execute(query, context_value=context))
        try:
            return await task
        except asyncio.CancelledError as cancelled:
            cycle: list[object] = [cancelled]
            cycle.append(cycle)  # so that the garbage collector finds the coroutines, in any order
            return None
        finally:
            loop.cancelled_before = 0


@pytest.mark.parametrize(
    ("query", "fails"),
    [(f"{{ {FIELDS} }}", False), (f'{{ {FIELDS} failing: renders(after: "x") {{ totalCount }} }}', True)],
)
def test_no_coroutine_was_never_awaited(monkeypatch: pytest.MonkeyPatch, query: str, *, fails: bool) -> None:
    unraisable: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda error: unraisable.append(error.exc_value))
    cancelled = 0
    with asyncio.Runner(loop_factory=CancellingLoop) as runner:
        # The first callback starts the execution.
        while (result := runner.run(execute(query, cancelled_before=cancelled + 2))) is None:
            cancelled += 1
        gc.collect()
    assert unraisable == []
    assert cancelled > 5
    assert bool(result.errors) is fails


class StuckStore(MemoryStore):
    """A store whose `list` does not return."""

    reads = 0

    async def list(self, **arguments: Any) -> Sequence[Render]:
        self.reads += 1
        try:
            await asyncio.Event().wait()
            return await super().list(**arguments)
        finally:
            self.reads -= 1


async def test_fields_end_with_an_execution_that_fails_at_once() -> None:
    """`allUsers` has a default, so a null variable is valid there; it is an error when the field is executed."""
    query = """query ($null: Boolean) {
      waiting: renders { totalCount edges { node { id } } }
      renderQuota { remaining }
      failing: renders(filter: {allUsers: $null}) { totalCount }
    }"""
    schema = build_schema(default_settings(**UNLIMITED, max_concurrent_operations=1).graphql)
    store = StuckStore(FakeClock())
    async with context_with(RENDER, store=store) as context:
        for _ in range(10):
            async with asyncio.timeout(30):
                result = await schema.execute(query, variable_values={"null": None}, context_value=context)
            assert result.data is None
            await settle()
            assert store.reads == 0

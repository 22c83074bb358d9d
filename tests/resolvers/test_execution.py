"""Executions end in time, each by its own deadline."""

import asyncio

import pytest
from graphql import ExecutionResult

from resolvers.execution import Deadlines
from services.errors import TookTooLong

DONE = ExecutionResult(data={"done": True})


async def after(seconds: float) -> ExecutionResult:
    await asyncio.sleep(seconds)
    return DONE


async def never() -> ExecutionResult:
    await asyncio.Event().wait()
    return DONE


async def test_what_waits_too_long_is_ended_and_what_doesnt_is_not() -> None:
    deadlines = Deadlines(0.2)
    executions = [after(0), never(), after(0.01), never()]
    results = await asyncio.gather(*(deadlines.keep(execution) for execution in executions))
    assert [result.data for result in results] == [{"done": True}, None, {"done": True}, None]
    (error,) = results[1].errors or []
    assert isinstance(error.original_error, TookTooLong)
    assert not deadlines._ends


async def test_one_that_begins_later_ends_later() -> None:
    deadlines = Deadlines(0.2)
    first = asyncio.create_task(deadlines.keep(never()))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(deadlines.keep(never()))
    await first
    assert not second.done()
    await second
    assert (await deadlines.keep(after(0))).data


def test_it_goes_on_in_another_event_loop() -> None:
    deadlines = Deadlines(0.1)
    for _ in range(2):
        assert asyncio.run(deadlines.keep(never())).errors


async def test_a_timeout_or_a_cancellation_from_elsewhere_is_not_taken_for_ours() -> None:
    async def fails() -> ExecutionResult:
        raise TimeoutError("the store's")

    deadlines = Deadlines(30)
    with pytest.raises(TimeoutError, match="the store's"):
        await deadlines.keep(fails())
    task = asyncio.create_task(deadlines.keep(never()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not deadlines._ends

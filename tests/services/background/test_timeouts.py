"""Many calls with one timer."""

import asyncio
import gc
import weakref
from contextvars import ContextVar

import pytest

from services.background.timeouts import CallTimeoutError, CallTimeouts


async def after(steps: int) -> str:
    for _ in range(steps):
        await asyncio.sleep(0)
    return "done"


async def never() -> str:
    await asyncio.Event().wait()
    return "done"


async def test_calls_over_the_time_limit_are_ended_and_others_are_not() -> None:
    timeouts = CallTimeouts(0.2)
    calls = [after(1), never(), after(10), never()]
    results = await asyncio.gather(*(timeouts.run(call) for call in calls), return_exceptions=True)
    assert [type(result) for result in results] == [str, CallTimeoutError, str, CallTimeoutError]
    assert not timeouts._ends


async def test_a_call_that_starts_later_times_out_later() -> None:
    loop, timeouts = asyncio.get_running_loop(), CallTimeouts(0.2)
    first = asyncio.create_task(timeouts.run(never()))
    await asyncio.sleep(0.1)
    second_at_s = loop.time()
    second = asyncio.create_task(timeouts.run(never()))
    await asyncio.wait([first])
    assert not second.done() or loop.time() - second_at_s >= 0.199  # on a slow machine both may be overdue
    await asyncio.wait([second])
    assert await timeouts.run(after(1)) == "done"
    assert isinstance(first.exception(), CallTimeoutError)
    assert isinstance(second.exception(), CallTimeoutError)


def test_timeouts_work_in_a_second_event_loop() -> None:
    timeouts = CallTimeouts(0.1)
    for _ in range(2):
        with pytest.raises(CallTimeoutError):
            asyncio.run(timeouts.run(never()))


async def test_another_timeout_error_or_cancellation_is_passed_on() -> None:
    async def fails() -> str:
        raise TimeoutError("the store's")

    timeouts = CallTimeouts(30)
    with pytest.raises(TimeoutError, match="the store's"):
        await timeouts.run(fails())
    task = asyncio.create_task(timeouts.run(never()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not timeouts._ends


async def test_an_error_names_the_limit_that_was_exceeded() -> None:
    outer, inner = CallTimeouts(30), CallTimeouts(0.001)
    with pytest.raises(CallTimeoutError) as raised:
        await outer.run(inner.run(never()))
    assert raised.value.timeouts is inner


async def test_the_task_continues_after_a_timeout() -> None:
    with pytest.raises(CallTimeoutError):
        await CallTimeouts(0.001).run(never())
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0.001)  # isn't interrupted by the cancellation of the call


async def test_a_task_that_is_also_cancelled_by_others_is_cancelled() -> None:
    async def hang_and_be_cancelled() -> str:
        try:
            return await never()
        finally:
            task.cancel()  # after the timeout

    task = asyncio.create_task(CallTimeouts(0.001).run(hang_and_be_cancelled()))
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_result_returned_despite_the_timeout_is_used() -> None:
    async def be_late() -> str:
        try:
            return await never()
        except asyncio.CancelledError:
            return "late"

    assert await CallTimeouts(0.001).run(be_late()) == "late"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_the_timer_keeps_nothing_of_the_first_caller() -> None:
    class Request:
        pass

    request: ContextVar[Request] = ContextVar("request")

    async def first() -> weakref.ref[Request]:
        request.set(Request())
        await timeouts.run(after(1))
        return weakref.ref(request.get())

    timeouts = CallTimeouts(30)
    kept = await asyncio.create_task(first())
    await after(2)  # until the event loop has dropped the task
    gc.collect()
    assert timeouts._timer is not None
    assert kept() is None

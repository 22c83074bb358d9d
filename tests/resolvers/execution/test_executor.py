"""Time and concurrency limits of executions."""

import asyncio
import random
from collections import Counter

import pytest
from graphql import ExecutionResult

from resolvers.execution.limits import ExecutionTimeouts, OperationLimiter
from services.errors import ExecutionTimeout

DONE = ExecutionResult(data={"done": True})
TIMEOUT_S = 30.0


async def after(turns: int) -> ExecutionResult:
    """Return after this many turns of the event loop, which take less time than any limit."""
    for _ in range(turns):
        await asyncio.sleep(0)
    return DONE


async def never() -> ExecutionResult:
    await asyncio.Event().wait()
    return DONE


async def test_executions_over_the_time_limit_are_ended_and_others_are_not() -> None:
    timeouts = ExecutionTimeouts(0.2)
    executions = [after(1), never(), after(10), never()]
    results = await asyncio.gather(*(timeouts.run(execution) for execution in executions))
    assert [result.data for result in results] == [{"done": True}, None, {"done": True}, None]
    (error,) = results[1].errors or []
    assert isinstance(error.original_error, ExecutionTimeout)
    assert not timeouts._ends


async def test_an_execution_that_starts_later_times_out_later() -> None:
    loop, timeouts = asyncio.get_running_loop(), ExecutionTimeouts(0.2)
    first = asyncio.create_task(timeouts.run(never()))
    await asyncio.sleep(0.1)
    second_at_s = loop.time()
    second = asyncio.create_task(timeouts.run(never()))
    await first
    assert not second.done() or loop.time() - second_at_s >= 0.199  # on a slow machine both may be overdue
    await second
    assert (await timeouts.run(after(1))).data


def test_timeouts_work_in_a_second_event_loop() -> None:
    timeouts = ExecutionTimeouts(0.1)
    for _ in range(2):
        assert asyncio.run(timeouts.run(never())).errors


async def test_another_timeout_error_or_cancellation_is_passed_on() -> None:
    async def fails() -> ExecutionResult:
        raise TimeoutError("the store's")

    timeouts = ExecutionTimeouts(30)
    with pytest.raises(TimeoutError, match="the store's"):
        await timeouts.run(fails())
    task = asyncio.create_task(timeouts.run(never()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not timeouts._ends


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_slots_are_acquired_in_order_of_arrival() -> None:
    limiter, served = OperationLimiter(1), list[int]()

    async def operation(number: int) -> None:
        await limiter.acquire("ann")
        served.append(number)

    await limiter.acquire("ann")
    waiting = [asyncio.create_task(operation(number)) for number in range(3)]
    await settle()
    assert served == []
    await asyncio.wait_for(limiter.acquire("ben"), TIMEOUT_S)  # another caller has slots of their own
    for number in range(3):
        limiter.release("ann")
        late = asyncio.create_task(operation(3 + number))  # arrives when a slot is released
        await settle()
        assert served == list(range(number + 1))
        waiting.append(late)
    for task in waiting:
        task.cancel()


@pytest.mark.parametrize("seed", range(20))
async def test_all_slots_are_free_after_any_sequence_of_operations_and_cancellations(seed: int) -> None:
    chance, limiter, max_at_once = random.Random(seed), OperationLimiter(3), 3  # noqa: S311  # no secret
    at_once: Counter[str] = Counter()

    async def operation(caller: str) -> None:
        await limiter.acquire(caller)
        at_once[caller] += 1
        assert at_once[caller] <= max_at_once
        try:
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        finally:
            at_once[caller] -= 1
            limiter.release(caller)

    tasks = []
    for _ in range(300):
        tasks.append(asyncio.create_task(operation(chance.choice("ab"))))
        if chance.random() < 0.5:
            chance.choice(tasks).cancel()
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    await asyncio.wait(tasks, timeout=TIMEOUT_S)
    assert not [task for task in tasks if not task.done() or (not task.cancelled() and task.exception())]
    assert vars(limiter) == vars(OperationLimiter(3))  # no slot is acquired, and no state is left


async def test_the_task_continues_after_a_timeout() -> None:
    result = await ExecutionTimeouts(0.001).run(never())
    assert result.errors is not None
    assert isinstance(result.errors[0].original_error, ExecutionTimeout)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0.001)  # isn't interrupted by the cancellation of the execution


async def test_a_task_that_is_also_cancelled_by_others_is_cancelled() -> None:
    async def hang_and_be_cancelled() -> ExecutionResult:
        try:
            return await never()
        finally:
            task.cancel()  # after the timeout

    task = asyncio.create_task(ExecutionTimeouts(0.001).run(hang_and_be_cancelled()))
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_result_returned_despite_the_timeout_is_used() -> None:
    async def be_late() -> ExecutionResult:
        try:
            return await never()
        except asyncio.CancelledError:
            return ExecutionResult(data={"late": True}, errors=None)

    assert (await ExecutionTimeouts(0.001).run(be_late())).data == {"late": True}
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0

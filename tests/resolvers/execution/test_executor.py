"""Time and concurrency limits of executions."""

import asyncio
import random
from collections import Counter

import pytest
from graphql import ExecutionResult

from resolvers.execution.limits import ExecutionTimeouts, OperationLimiter
from services.background.timeouts import CallTimeoutError, CallTimeouts
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


async def test_an_execution_over_the_time_limit_has_an_error_and_others_have_not() -> None:
    timeouts = ExecutionTimeouts(0.2)
    results = await asyncio.gather(*(timeouts.run(execution) for execution in [after(1), never(), after(10)]))
    assert [result.data for result in results] == [{"done": True}, None, {"done": True}]
    (error,) = results[1].errors or []
    assert isinstance(error.original_error, ExecutionTimeout)


async def test_the_time_limit_of_a_call_within_an_execution_is_an_error_of_the_call() -> None:
    with pytest.raises(CallTimeoutError):
        await ExecutionTimeouts(30).run(CallTimeouts(0.001).run(never()))


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

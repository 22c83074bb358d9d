"""What each caller may have executed at once, and how long it may take."""

import asyncio
import random
from collections import Counter

import pytest
from graphql import ExecutionResult

from resolvers.execution.limits import ExecutionTimeouts, OperationLimiter
from services.errors import TookTooLong

DONE = ExecutionResult(data={"done": True})
PATIENCE_S = 30.0


async def after(seconds: float) -> ExecutionResult:
    await asyncio.sleep(seconds)
    return DONE


async def never() -> ExecutionResult:
    await asyncio.Event().wait()
    return DONE


async def test_what_waits_too_long_is_ended_and_what_doesnt_is_not() -> None:
    deadlines = ExecutionTimeouts(0.2)
    executions = [after(0), never(), after(0.01), never()]
    results = await asyncio.gather(*(deadlines.keep(execution) for execution in executions))
    assert [result.data for result in results] == [{"done": True}, None, {"done": True}, None]
    (error,) = results[1].errors or []
    assert isinstance(error.original_error, TookTooLong)
    assert not deadlines._ends


async def test_one_that_begins_later_ends_later() -> None:
    deadlines = ExecutionTimeouts(0.2)
    first = asyncio.create_task(deadlines.keep(never()))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(deadlines.keep(never()))
    await first
    assert not second.done()
    await second
    assert (await deadlines.keep(after(0))).data


def test_it_goes_on_in_another_event_loop() -> None:
    deadlines = ExecutionTimeouts(0.1)
    for _ in range(2):
        assert asyncio.run(deadlines.keep(never())).errors


async def test_a_timeout_or_a_cancellation_from_elsewhere_is_not_taken_for_ours() -> None:
    async def fails() -> ExecutionResult:
        raise TimeoutError("the store's")

    deadlines = ExecutionTimeouts(30)
    with pytest.raises(TimeoutError, match="the store's"):
        await deadlines.keep(fails())
    task = asyncio.create_task(deadlines.keep(never()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not deadlines._ends


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_comes_first_is_served_first_and_nobody_else_passes() -> None:
    shares, served = OperationLimiter(1), list[int]()

    async def operation(number: int) -> None:
        await shares.take("ann")
        served.append(number)

    await shares.take("ann")
    waiting = [asyncio.create_task(operation(number)) for number in range(3)]
    await settle()
    assert served == []
    await asyncio.wait_for(shares.take("ben"), PATIENCE_S)  # whose share is another
    for number in range(3):
        shares.give_back("ann")
        late = asyncio.create_task(operation(3 + number))  # comes at the moment in which a part is given back
        await settle()
        assert served == list(range(number + 1))
        waiting.append(late)
    for task in waiting:
        task.cancel()


@pytest.mark.parametrize("seed", range(20))
async def test_a_share_is_whole_again_after_any_number_of_operations_and_cancellations(seed: int) -> None:
    chance, shares, most = random.Random(seed), OperationLimiter(3), 3  # noqa: S311  # no secret
    at_once: Counter[str] = Counter()

    async def operation(caller: str) -> None:
        await shares.take(caller)
        at_once[caller] += 1
        assert at_once[caller] <= most
        try:
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        finally:
            at_once[caller] -= 1
            shares.give_back(caller)

    tasks = []
    for _ in range(300):
        tasks.append(asyncio.create_task(operation(chance.choice("ab"))))
        if chance.random() < 0.5:
            chance.choice(tasks).cancel()
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    await asyncio.wait(tasks, timeout=PATIENCE_S)
    assert not [task for task in tasks if not task.done() or (not task.cancelled() and task.exception())]
    assert vars(shares) == vars(OperationLimiter(3))  # nothing is taken, and nothing kept


async def test_what_takes_too_long_is_ended_and_the_task_goes_on() -> None:
    result = await ExecutionTimeouts(0.001).keep(never())
    assert result.errors is not None
    assert isinstance(result.errors[0].original_error, TookTooLong)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0.001)  # is not cut short by what was meant for the execution


async def test_who_is_cancelled_by_others_at_the_same_time_is_cancelled() -> None:
    async def hang_and_be_cancelled() -> ExecutionResult:
        try:
            return await never()
        finally:
            task.cancel()  # when the limit has ended it

    task = asyncio.create_task(ExecutionTimeouts(0.001).keep(hang_and_be_cancelled()))
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_result_that_comes_though_its_time_is_over_is_a_result() -> None:
    async def be_late() -> ExecutionResult:
        try:
            return await never()
        except asyncio.CancelledError:
            return ExecutionResult(data={"late": True}, errors=None)

    assert (await ExecutionTimeouts(0.001).keep(be_late())).data == {"late": True}
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0

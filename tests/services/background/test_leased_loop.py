"""The loop that acquires and processes leased items."""

import asyncio
from dataclasses import dataclass, field

import pytest

from services.background.leased_loop import LeasedLoop
from services.observability.liveness import MAX_SILENCE_S, Liveness
from tests.support.fake_clock import FakeClock, settle


@dataclass
class Item:
    id: str


@dataclass
class Work:
    """Items of which each takes `acquire_s` to acquire, and `process_s` to process.

    If it `is_broken`, the call after the last item raises an unexpected exception.
    """

    clock: FakeClock
    waiting: list[Item]
    acquire_s: float = 0.0
    process_s: float = 1e6
    capacity: int = 1_000_000
    is_broken: bool = False
    poll_interval_s: float = 1.0
    started: list[str] = field(default_factory=list)
    released: int = 0
    loop: LeasedLoop[Item] = field(init=False)

    def __post_init__(self) -> None:
        self.loop = LeasedLoop(self, name="items", clock=self.clock)

    @property
    def last_tick_s(self) -> float | None:
        return self.loop.last_tick_s

    @property
    def has_capacity(self) -> bool:
        return len(self.loop.items) < self.capacity

    async def acquire(self) -> Item | None:
        if self.acquire_s:
            await self.clock.sleep(self.acquire_s)
        if self.is_broken and not self.waiting:
            raise ZeroDivisionError
        return self.waiting.pop() if self.waiting else None

    async def process(self, item: Item) -> None:
        self.started.append(item.id)
        await self.clock.sleep(self.process_s)

    async def release(self) -> None:
        self.released += 1


def items(count: int) -> list[Item]:
    return [Item(str(number)) for number in range(count)]


async def stop(running: asyncio.Task[None]) -> None:
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_the_loop_is_alive_while_it_takes_thousands_of_items_over() -> None:
    clock = FakeClock()
    count, acquire_s = 2000, 0.1
    assert count * acquire_s > 2 * MAX_SILENCE_S
    work = Work(clock, items(count), acquire_s=acquire_s)
    liveness = Liveness({"worker": work.loop}, clock)
    running = asyncio.create_task(work.loop.run())
    for _ in range(19):
        await clock.advance(10)
        assert liveness.stalled() is None
    assert work.waiting
    await stop(running)


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
async def test_a_clock_step_stalls_no_loop_and_hides_no_stall(step_s: float) -> None:
    clock = FakeClock()
    work = Work(clock, items(0))
    liveness = Liveness({"worker": work.loop}, clock)
    running = asyncio.create_task(work.loop.run())
    await settle()
    clock.jump(step_s)
    assert liveness.stalled() is None
    work.acquire_s = 1e6
    await clock.advance(MAX_SILENCE_S + 2)
    assert liveness.stalled() is not None
    await stop(running)


async def test_a_loop_that_cannot_acquire_anything_stalls() -> None:
    clock = FakeClock()
    work = Work(clock, items(1), acquire_s=1e6)
    liveness = Liveness({"worker": work.loop}, clock)
    running = asyncio.create_task(work.loop.run())
    await clock.advance(MAX_SILENCE_S + 1)
    assert liveness.stalled() is not None
    await stop(running)


async def test_an_item_is_counted_until_its_task_has_ended() -> None:
    clock = FakeClock()
    work = Work(clock, items(3), process_s=5, capacity=2)
    running = asyncio.create_task(work.loop.run())
    await settle()
    assert sorted(work.loop.items) == ["1", "2"]
    await clock.advance(5)
    assert list(work.loop.items) == ["0"]
    await clock.advance(5)
    assert work.loop.items == {}
    await stop(running)


async def test_items_of_tasks_that_are_cancelled_before_their_first_step_are_removed() -> None:
    work = Work(FakeClock(), items(3), is_broken=True)
    with pytest.raises(ExceptionGroup):
        await work.loop.run()
    assert (work.started, work.loop.items, work.released) == ([], {}, 1)


async def test_an_item_that_is_acquired_twice_stays_until_its_second_task_has_ended() -> None:
    clock = FakeClock()
    first, second = Item("same"), Item("same")
    work = Work(clock, [first], process_s=5)
    running = asyncio.create_task(work.loop.run())
    await settle()
    work.waiting.append(second)
    await clock.advance(3)
    assert work.loop.items == {"same": second}
    assert work.started == ["same", "same"]
    await clock.advance(2.5)
    assert work.loop.items == {"same": second}
    await clock.advance(5)
    assert work.loop.items == {}
    await stop(running)

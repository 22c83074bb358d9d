import asyncio
import math
from datetime import timedelta
from pathlib import Path

import pytest

from services.errors import PubSubUnavailable
from services.observability.exposition import Exposition
from services.observability.free_space import FreeSpace
from services.observability.metrics import Metrics
from services.ports import QueueStats
from services.webhooks.messages import WebhookMessage
from tests.conftest import MakeRender
from tests.support.fake_clock import FakeClock
from tests.support.memory_store import MemoryStore
from tests.support.scraping import samples_of
from tests.support.stored_renders import window

DEPTH, AGE, UP = "rendercast_queue_depth", "rendercast_queue_oldest_age_seconds", "rendercast_store_up"


async def figures(exposition: Exposition) -> tuple[float, float]:
    samples = samples_of((await exposition.text()).decode())
    return samples[DEPTH], samples[AGE]


@pytest.fixture
def exposition(memory_store: MemoryStore, clock: FakeClock) -> Exposition:
    return Exposition(Metrics(), store=memory_store, clock=clock)


async def test_a_scrape_contains_the_length_and_age_of_the_queue(
    exposition: Exposition, memory_store: MemoryStore, clock: FakeClock, make_render: MakeRender
) -> None:
    assert await figures(exposition) == (0, 0)
    for age_s in (30, 20):
        render = make_render(at=clock.now() - timedelta(seconds=age_s))
        await memory_store.add(render, window())
    await clock.advance(10)
    assert await figures(exposition) == (2, 40)


async def test_the_store_is_read_once_in_ten_seconds_and_the_age_grows_meanwhile(
    exposition: Exposition, memory_store: MemoryStore, clock: FakeClock, make_render: MakeRender
) -> None:
    await memory_store.add(make_render(at=clock.now()), window())
    assert await figures(exposition) == (1, 0)
    await memory_store.add(make_render(at=clock.now()), window())
    await clock.advance(9)
    assert await figures(exposition) == (1, 9)
    await clock.advance(1)
    assert await figures(exposition) == (2, 10)


async def test_a_clock_that_is_set_back_does_not_delay_the_next_read(
    exposition: Exposition, memory_store: MemoryStore, clock: FakeClock, make_render: MakeRender
) -> None:
    assert await figures(exposition) == (0, 0)
    await memory_store.add(make_render(at=clock.now()), window())
    clock.jump(-3600)
    await clock.advance(10)
    assert await figures(exposition) == (1, 0)


async def test_values_that_cannot_be_read_are_nan(
    exposition: Exposition, memory_store: MemoryStore, clock: FakeClock
) -> None:
    memory_store.unavailable = True
    assert all(math.isnan(figure) for figure in await figures(exposition))
    assert samples_of((await exposition.text()).decode())[UP] == 0
    memory_store.unavailable = False
    await clock.advance(10)
    assert await figures(exposition) == (0, 0)
    assert samples_of((await exposition.text()).decode())[UP] == 1


async def test_a_store_that_hangs_delays_a_scrape_only_shortly(clock: FakeClock) -> None:
    class Hanging(MemoryStore):
        async def queue(self) -> QueueStats:
            await asyncio.Event().wait()
            raise AssertionError

    exposition = Exposition(Metrics(), store=Hanging(), clock=clock, read_timeout_s=0.01)
    assert all(math.isnan(figure) for figure in await figures(exposition))


@pytest.mark.parametrize(("reply", "expected"), [(None, 1), (PubSubUnavailable("rejected"), 0), (TimeoutError(), 0)])
async def test_a_scrape_says_whether_pubsub_can_be_used(
    memory_store: MemoryStore, clock: FakeClock, reply: Exception | None, expected: int
) -> None:
    class Broker:
        async def check(self) -> None:
            if isinstance(reply, TimeoutError):
                await asyncio.Event().wait()
            if reply is not None:
                raise reply

    read_timeout_s = 0.2 if isinstance(reply, TimeoutError) else 30.0
    exposition = Exposition(Metrics(), store=memory_store, clock=clock, pubsub=Broker(), read_timeout_s=read_timeout_s)
    assert samples_of((await exposition.text()).decode())["rendercast_pubsub_up"] == expected


async def test_a_scrape_contains_the_free_space_of_the_data_folder(
    memory_store: MemoryStore, clock: FakeClock, tmp_path: Path
) -> None:
    exposition = Exposition(Metrics(), store=memory_store, clock=clock, free_space=FreeSpace(tmp_path))
    scraped = samples_of((await exposition.text()).decode())
    assert scraped["rendercast_data_folder_free_bytes"] > 0


async def test_a_scrape_contains_the_number_and_age_of_pending_webhooks(
    memory_store: MemoryStore, clock: FakeClock, make_render: MakeRender
) -> None:
    exposition = Exposition(Metrics(), store=memory_store, clock=clock, outbox=memory_store.outbox)
    scraped = [samples_of((await exposition.text()).decode())]
    memory_store.outbox.add(WebhookMessage(render=make_render(completed_at=clock.now())))
    await clock.advance(30)
    scraped.append(samples_of((await exposition.text()).decode()))
    memory_store.outbox.unavailable = True
    await clock.advance(10)
    scraped.append(samples_of((await exposition.text()).decode()))
    names = ("rendercast_webhooks_pending", "rendercast_webhooks_oldest_age_seconds")
    assert [[each[name] for name in names] for each in scraped[:2]] == [[0, 0], [1, 30]]
    assert all(math.isnan(scraped[2][name]) for name in names)

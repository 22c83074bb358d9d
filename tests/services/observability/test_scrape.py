import asyncio
import math
from datetime import timedelta

import pytest

from services.observability.metrics import Metrics
from services.observability.scrape import Scrapes
from services.ports import Queue
from services.webhooks.messages import WebhookMessage
from tests.conftest import MakeRender
from tests.services.stores.test_store_contract import window
from tests.support.fakes import FakeClock, MemoryStore
from tests.support.scraping import samples_of

DEPTH, AGE = "rendercast_queue_depth", "rendercast_queue_oldest_age_seconds"


async def figures(scrapes: Scrapes) -> tuple[float, float]:
    samples = samples_of((await scrapes.text()).decode())
    return samples[DEPTH], samples[AGE]


@pytest.fixture
def scrapes(memory_store: MemoryStore, clock: FakeClock) -> Scrapes:
    return Scrapes(Metrics(), store=memory_store, clock=clock)


async def test_a_scrape_tells_how_long_the_queue_is_and_how_old(
    scrapes: Scrapes, memory_store: MemoryStore, clock: FakeClock, make_render: MakeRender
) -> None:
    assert await figures(scrapes) == (0, 0)
    for age_s in (30, 20):
        render = make_render(at=clock.now() - timedelta(seconds=age_s))
        await memory_store.add(render, window())
    await clock.advance(10)
    assert await figures(scrapes) == (2, 40)


async def test_the_store_is_asked_once_in_ten_seconds_and_the_age_goes_on(
    scrapes: Scrapes, memory_store: MemoryStore, clock: FakeClock, make_render: MakeRender
) -> None:
    await memory_store.add(make_render(at=clock.now()), window())
    assert await figures(scrapes) == (1, 0)
    await memory_store.add(make_render(at=clock.now()), window())
    await clock.advance(9)
    assert await figures(scrapes) == (1, 9)
    await clock.advance(1)
    assert await figures(scrapes) == (2, 10)


async def test_what_cant_be_read_is_not_told(scrapes: Scrapes, memory_store: MemoryStore, clock: FakeClock) -> None:
    memory_store.away = True
    assert all(math.isnan(figure) for figure in await figures(scrapes))
    memory_store.away = False
    await clock.advance(10)
    assert await figures(scrapes) == (0, 0)


async def test_a_store_that_hangs_delays_a_scrape_but_little(clock: FakeClock) -> None:
    class Hanging(MemoryStore):
        async def queue(self) -> Queue:
            await asyncio.Event().wait()
            raise AssertionError

    scrapes = Scrapes(Metrics(), store=Hanging(), clock=clock, patience_s=0.01)
    assert all(math.isnan(figure) for figure in await figures(scrapes))


async def test_a_scrape_tells_how_many_webhooks_wait_and_since_when(
    memory_store: MemoryStore, clock: FakeClock, make_render: MakeRender
) -> None:
    scrapes = Scrapes(Metrics(), store=memory_store, clock=clock, outbox=memory_store.outbox)
    told = [samples_of((await scrapes.text()).decode())]
    memory_store.outbox.add(WebhookMessage(render=make_render(completed_at=clock.now())))
    await clock.advance(30)
    told.append(samples_of((await scrapes.text()).decode()))
    memory_store.outbox.away = True
    await clock.advance(10)
    told.append(samples_of((await scrapes.text()).decode()))
    names = ("rendercast_webhooks_pending", "rendercast_webhooks_oldest_age_seconds")
    assert [[each[name] for name in names] for each in told[:2]] == [[0, 0], [1, 30]]
    assert all(math.isnan(told[2][name]) for name in names)

"""The deliverer, through everything that can happen, on a clock that tests move."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from services.backoff import MAX_TRIES
from services.models import Download, Output, Render, RenderStatus, WebhookStatus
from services.observability.metrics import Metrics
from services.webhooks.deliverer import MAX_CONCURRENT, DeliveryRules, WebhookDeliverer
from services.webhooks.endpoint import Answer, EndpointError
from services.webhooks.messages import WebhookMessage, message_id, replay
from tests.conftest import MakeRender
from tests.support.fakes import FakeClock, MemoryOutbox, settle
from tests.support.scraping import samples_of
from tests.support.webhook_receiver import KEY

DAY_S = 86_400.0
RULES = DeliveryRules(lease=timedelta(seconds=50), look_interval=timedelta(seconds=1), secrets=(KEY,))


RARELY = replace(RULES, look_interval=timedelta(hours=1))  # for tests of days


class FakeEndpoint:
    """A receiver that keeps the ids of what it got and answers with what `answers` has, then with 204.

    While `open` is not set it says nothing.
    """

    def __init__(self) -> None:
        self.answers: list[Answer | Exception] = []
        self.ids: list[str] = []
        self.bodies: list[bytes] = []
        self.open = asyncio.Event()
        self.open.set()

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.ids.append(headers["webhook-id"])
        self.bodies.append(body)
        await self.open.wait()
        answer = self.answers.pop(0) if self.answers else Answer(status_code=204, retry_after=None)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Bench:
    """An outbox, a receiver and a clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.outbox = MemoryOutbox(clock)
        self.endpoint = FakeEndpoint()
        self.metrics = Metrics()
        self.signed = 0

    def deliverer(self, worker_id: str = "w1", *, rules: DeliveryRules = RULES) -> WebhookDeliverer:
        return WebhookDeliverer(
            worker_id=worker_id,
            outbox=self.outbox,
            post=self.endpoint.post,
            sign=self.sign,
            sign_poster=lambda _: None,
            clock=self.clock,
            metrics=self.metrics,
            rules=rules,
        )

    def sign(self, render: Render) -> Download | None:
        self.signed += 1
        expires_at = self.clock.now() + timedelta(hours=1)
        return None if render.output is None else Download(url=f"https://x/?{self.signed}", expires_at=expires_at)

    @asynccontextmanager
    async def delivering(self, *deliverers: WebhookDeliverer) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(each.run()) for each in deliverers or (self.deliverer(),)]
        await settle()
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def stored(self, id_: str) -> WebhookMessage:
        message = await self.outbox.get(id_)
        assert message is not None
        return message

    def attempts(self) -> dict[str, float]:
        samples = samples_of(self.metrics.text().decode())
        name = "rendercast_webhook_attempts_total"
        return {status.value: samples[f'{name}{{status="{status.value}"}}'] for status in WebhookStatus}


@pytest.fixture
def bench(clock: FakeClock) -> Bench:
    return Bench(clock)


@pytest.fixture
def ended(bench: Bench, make_render: MakeRender) -> str:
    """The id of a message on a render that is COMPLETE."""
    output = Output(bucket="b", key="k.mp4", size_bytes=7)
    render = make_render(status=RenderStatus.COMPLETE, completed_at=bench.clock.now(), output=output)
    bench.outbox.add(WebhookMessage(render=render))
    return message_id(render.id)


async def test_a_message_is_delivered_once_and_on_the_record(bench: Bench, ended: str) -> None:
    async with bench.delivering(bench.deliverer(rules=RARELY)):
        await bench.clock.advance(DAY_S)
    message = await bench.stored(ended)
    assert bench.endpoint.ids == [ended]
    assert message.status is WebhookStatus.DELIVERED
    assert [(each.number, each.status_code, each.fault) for each in message.attempts] == [(1, 204, None)]
    assert bench.attempts() == {"pending": 0, "delivered": 1, "failed": 0}


async def test_a_receiver_that_is_away_is_tried_by_the_schedule_with_a_new_url_and_the_same_id(
    bench: Bench, ended: str
) -> None:
    bench.endpoint.answers = [EndpointError("no connection"), Answer(status_code=500, retry_after=None)]
    async with bench.delivering():
        await bench.clock.advance(7)
        assert len(bench.endpoint.ids) == 2
        await bench.clock.advance(290)
        assert len(bench.endpoint.ids) == 2
        await bench.clock.advance(75)
    message = await bench.stored(ended)
    assert bench.endpoint.ids == [ended] * 3
    assert len({body.partition(b'"outputUrl":"')[2].partition(b'"')[0] for body in bench.endpoint.bodies}) == 3
    came = [(each.number, each.status_code, each.fault) for each in message.attempts]
    assert came == [(1, None, "no connection"), (2, 500, None), (3, 204, None)]
    assert bench.attempts() == {"pending": 2, "delivered": 1, "failed": 0}


async def test_it_is_given_up_in_the_end_and_sent_by_a_replay(bench: Bench, ended: str) -> None:
    bench.endpoint.answers = [EndpointError("no connection")] * MAX_TRIES
    async with bench.delivering(bench.deliverer(rules=RARELY)):
        await bench.clock.advance(5 * DAY_S)
        given_up = await bench.stored(ended)
        assert (given_up.status, len(given_up.attempts)) == (WebhookStatus.FAILED, MAX_TRIES)
        assert await bench.outbox.record(replay(given_up))
        await bench.clock.advance(3600)
    assert (await bench.stored(ended)).status is WebhookStatus.DELIVERED
    assert bench.attempts() == {"pending": MAX_TRIES - 1, "delivered": 1, "failed": 1}


async def test_what_the_receiver_asks_for_is_waited(bench: Bench, ended: str) -> None:
    bench.endpoint.answers = [Answer(status_code=429, retry_after="600")]
    async with bench.delivering():
        await bench.clock.advance(599)
        assert bench.endpoint.ids == [ended]
        await bench.clock.advance(2)
        assert bench.endpoint.ids == [ended] * 2


async def test_gone_ends_it_at_once(bench: Bench, ended: str) -> None:
    bench.endpoint.answers = [Answer(status_code=410, retry_after=None)]
    async with bench.delivering(bench.deliverer(rules=RARELY)):
        await bench.clock.advance(5 * DAY_S)
    assert bench.endpoint.ids == [ended]
    assert (await bench.stored(ended)).status is WebhookStatus.FAILED


async def test_two_workers_send_each_message_once(bench: Bench, make_render: MakeRender) -> None:
    for _ in range(30):
        bench.outbox.add(WebhookMessage(render=make_render(status=RenderStatus.CANCELLED)))
    async with bench.delivering(bench.deliverer("w1"), bench.deliverer("w2")):
        await bench.clock.advance(60)
    assert len(bench.endpoint.ids) == len(set(bench.endpoint.ids)) == 30


async def test_a_receiver_that_hangs_is_sent_no_more_than_a_few_at_once(bench: Bench, make_render: MakeRender) -> None:
    for _ in range(MAX_CONCURRENT + 5):
        bench.outbox.add(WebhookMessage(render=make_render(status=RenderStatus.CANCELLED)))
    bench.endpoint.open.clear()
    async with bench.delivering():
        await bench.clock.advance(5)
        assert len(bench.endpoint.ids) == MAX_CONCURRENT
        bench.endpoint.open.set()
        await settle()
        assert len(set(bench.endpoint.ids)) == MAX_CONCURRENT + 5


async def test_a_message_whose_worker_died_is_sent_by_another_once_the_lease_is_over(bench: Bench, ended: str) -> None:
    bench.endpoint.open.clear()
    dying = asyncio.create_task(bench.deliverer("w1").run())
    await settle()
    stuck, bench.endpoint.open = bench.endpoint.open, asyncio.Event()  # what the dead one sent is not answered
    bench.endpoint.open.set()
    async with bench.delivering(bench.deliverer("w2")):
        await bench.clock.advance(49)
        assert bench.endpoint.ids == [ended]
        await bench.clock.advance(2)
        assert bench.endpoint.ids == [ended] * 2
    message = await bench.stored(ended)
    assert [(each.number, each.has_ended) for each in message.attempts] == [(1, False), (2, True)]
    assert message.status is WebhookStatus.DELIVERED
    stuck.set()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)


async def test_workers_that_die_again_and_again_use_no_try_before_its_time(bench: Bench, ended: str) -> None:
    bench.endpoint.open.clear()  # so each ends in the middle of what it sent
    dying = []
    for number in range(MAX_TRIES + 1):
        dying.append(asyncio.create_task(bench.deliverer(f"w{number}", rules=RARELY).run()))
        await bench.clock.advance(51)
    message = await bench.stored(ended)
    assert (message.status, len(bench.endpoint.ids)) == (WebhookStatus.PENDING, 3)
    bench.endpoint.open.set()
    for task in dying:
        task.cancel()
    await asyncio.gather(*dying, return_exceptions=True)


async def test_a_worker_that_stops_lets_its_attempt_end_and_what_does_not_end_is_another_s_at_once(
    bench: Bench, ended: str
) -> None:
    bench.endpoint.open.clear()
    stopping = asyncio.create_task(bench.deliverer("w1").run())
    await settle()
    stopping.cancel()
    await settle()
    bench.endpoint.open.set()
    await asyncio.gather(stopping, return_exceptions=True)
    assert (await bench.stored(ended)).status is WebhookStatus.DELIVERED
    assert bench.endpoint.ids == [ended]


async def test_a_store_that_is_away_when_the_answer_comes_is_told_later_and_nothing_is_sent_twice(
    bench: Bench, ended: str
) -> None:
    bench.endpoint.open.clear()
    async with bench.delivering():
        bench.outbox.away = True
        bench.endpoint.open.set()
        await bench.clock.advance(3)
        bench.outbox.away = False
        await bench.clock.advance(40)
    assert bench.endpoint.ids == [ended]
    assert (await bench.stored(ended)).status is WebhookStatus.DELIVERED


async def test_a_store_that_is_away_stops_nothing_for_good(bench: Bench, ended: str) -> None:
    bench.outbox.away = True
    async with bench.delivering():
        await bench.clock.advance(60)
        assert bench.endpoint.ids == []
        bench.outbox.away = False
        await bench.clock.advance(60)
    assert bench.endpoint.ids == [ended]


async def test_what_goes_wrong_here_is_logged_with_an_id_and_tried_again(
    bench: Bench, ended: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench.endpoint.answers = [RuntimeError("a bug")]
    async with bench.delivering():
        await bench.clock.advance(10)
    message = await bench.stored(ended)
    assert message.status is WebhookStatus.DELIVERED
    fault = message.attempts[0].fault or ""
    assert fault.startswith("something went wrong on our side (error ")
    assert fault.partition("(")[2].rstrip(")") in caplog.text


async def test_a_replay_while_an_attempt_is_under_way_is_sent_as_soon_as_that_has_ended_on_the_record(
    bench: Bench, ended: str
) -> None:
    bench.endpoint.open.clear()
    bench.endpoint.answers = [Answer(status_code=410, retry_after=None)]
    async with bench.delivering():
        assert await bench.outbox.record(replay(await bench.stored(ended)))
        bench.endpoint.open.set()
        await bench.clock.advance(1)
    message = await bench.stored(ended)
    assert [each.status_code for each in message.attempts] == [410, 204]
    assert (message.status, message.tries) == (WebhookStatus.DELIVERED, 1)

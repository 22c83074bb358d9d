"""The webhook deliverer, on a fake clock."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from services.models import Download, Output, Render, RenderStatus, WebhookStatus
from services.observability.metrics import Metrics
from services.webhooks.deliverer import MAX_CONCURRENT, DeliveryOptions, WebhookDeliverer
from services.webhooks.messages import WebhookMessage, message_id, replay
from services.webhooks.ports import EndpointError, WebhookResponse
from services.webhooks.retry_schedule import MAX_TRIES
from tests.conftest import MakeRender
from tests.support.fake_clock import FakeClock, settle
from tests.support.memory_outbox import FailingOutbox, MemoryOutbox
from tests.support.scraping import samples_of
from tests.support.webhook_receiver import KEY

DAY_S = 86_400.0
OPTIONS = DeliveryOptions(lease=timedelta(seconds=50), poll_interval=timedelta(seconds=1), secrets=(KEY,))
SLOW_POLLS = replace(OPTIONS, poll_interval=timedelta(hours=1))  # for tests over several days


class FakeEndpoint:
    """An `Endpoint` that stores ids and bodies, and returns each of `responses` once, then 204.

    While `open` is not set, it doesn't respond.
    """

    def __init__(self) -> None:
        self.responses: list[WebhookResponse | Exception] = []
        self.ids: list[str] = []
        self.bodies: list[bytes] = []
        self.open = asyncio.Event()
        self.open.set()

    async def post(self, body: bytes, headers: Mapping[str, str]) -> WebhookResponse:
        self.ids.append(headers["webhook-id"])
        self.bodies.append(body)
        await self.open.wait()
        response = self.responses.pop(0) if self.responses else WebhookResponse(status_code=204, retry_after=None)
        if isinstance(response, Exception):
            raise response
        return response


class Bench:
    """Deliverers that share an outbox, an endpoint and a clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.outbox = MemoryOutbox(clock)
        self.endpoint = FakeEndpoint()
        self.metrics = Metrics()
        self.signed = 0

    def deliverer(self, worker_id: str = "w1", *, options: DeliveryOptions = OPTIONS) -> WebhookDeliverer:
        return WebhookDeliverer(
            worker_id=worker_id,
            outbox=self.outbox,
            endpoint=self.endpoint,
            signer=self,
            clock=self.clock,
            metrics=self.metrics,
            options=options,
        )

    def sign(self, render: Render) -> Download | None:
        self.signed += 1
        expires_at = self.clock.now() + timedelta(hours=1)
        return None if render.output is None else Download(url=f"https://x/?{self.signed}", expires_at=expires_at)

    def sign_poster(self, render: Render) -> Download | None:
        del render
        return None

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


async def test_a_message_is_delivered_once_and_recorded(bench: Bench, ended: str) -> None:
    async with bench.delivering(bench.deliverer(options=SLOW_POLLS)):
        await bench.clock.advance(DAY_S)
    message = await bench.stored(ended)
    assert bench.endpoint.ids == [ended]
    assert message.status is WebhookStatus.DELIVERED
    assert [(each.number, each.status_code, each.error) for each in message.attempts] == [(1, 204, None)]
    assert bench.attempts() == {"pending": 0, "delivered": 1, "failed": 0}


async def test_failed_attempts_are_retried_by_the_schedule_with_new_urls_and_the_same_id(
    bench: Bench, ended: str
) -> None:
    bench.endpoint.responses = [EndpointError("no connection"), WebhookResponse(status_code=500, retry_after=None)]
    async with bench.delivering():
        await bench.clock.advance(7)
        assert len(bench.endpoint.ids) == 2
        await bench.clock.advance(290)
        assert len(bench.endpoint.ids) == 2
        await bench.clock.advance(75)
    message = await bench.stored(ended)
    assert bench.endpoint.ids == [ended] * 3
    assert len({body.partition(b'"outputUrl":"')[2].partition(b'"')[0] for body in bench.endpoint.bodies}) == 3
    results = [(each.number, each.status_code, each.error) for each in message.attempts]
    assert results == [(1, None, "no connection"), (2, 500, None), (3, 204, None)]
    assert bench.attempts() == {"pending": 2, "delivered": 1, "failed": 0}


async def test_a_message_fails_after_all_tries_and_can_be_replayed(bench: Bench, ended: str) -> None:
    bench.endpoint.responses = [EndpointError("no connection")] * MAX_TRIES
    async with bench.delivering(bench.deliverer(options=SLOW_POLLS)):
        await bench.clock.advance(5 * DAY_S)
        failed = await bench.stored(ended)
        assert (failed.status, len(failed.attempts)) == (WebhookStatus.FAILED, MAX_TRIES)
        assert await bench.outbox.record(replay(failed))
        await bench.clock.advance(3600)
    assert (await bench.stored(ended)).status is WebhookStatus.DELIVERED
    assert bench.attempts() == {"pending": MAX_TRIES - 1, "delivered": 1, "failed": 1}


async def test_retry_after_is_respected(bench: Bench, ended: str) -> None:
    bench.endpoint.responses = [WebhookResponse(status_code=429, retry_after="600")]
    async with bench.delivering():
        await bench.clock.advance(599)
        assert bench.endpoint.ids == [ended]
        await bench.clock.advance(2)
        assert bench.endpoint.ids == [ended] * 2


async def test_410_gone_ends_the_retries(bench: Bench, ended: str) -> None:
    bench.endpoint.responses = [WebhookResponse(status_code=410, retry_after=None)]
    async with bench.delivering(bench.deliverer(options=SLOW_POLLS)):
        await bench.clock.advance(5 * DAY_S)
    assert bench.endpoint.ids == [ended]
    assert (await bench.stored(ended)).status is WebhookStatus.FAILED


async def test_two_workers_send_each_message_once(bench: Bench, make_render: MakeRender) -> None:
    for _ in range(30):
        bench.outbox.add(WebhookMessage(render=make_render(status=RenderStatus.CANCELLED)))
    async with bench.delivering(bench.deliverer("w1"), bench.deliverer("w2")):
        await bench.clock.advance(60)
    assert len(bench.endpoint.ids) == len(set(bench.endpoint.ids)) == 30


async def test_concurrent_requests_are_limited(bench: Bench, make_render: MakeRender) -> None:
    for _ in range(MAX_CONCURRENT + 5):
        bench.outbox.add(WebhookMessage(render=make_render(status=RenderStatus.CANCELLED)))
    bench.endpoint.open.clear()
    async with bench.delivering():
        await bench.clock.advance(5)
        assert len(bench.endpoint.ids) == MAX_CONCURRENT
        bench.endpoint.open.set()
        await settle()
        assert len(set(bench.endpoint.ids)) == MAX_CONCURRENT + 5


async def test_a_message_of_a_dead_worker_is_sent_by_another_after_its_lease(bench: Bench, ended: str) -> None:
    bench.endpoint.open.clear()
    dying = asyncio.create_task(bench.deliverer("w1").run())
    await settle()
    stuck, bench.endpoint.open = bench.endpoint.open, asyncio.Event()  # the dead worker never gets a response
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


async def test_workers_that_die_repeatedly_keep_to_the_schedule(bench: Bench, ended: str) -> None:
    bench.endpoint.open.clear()  # so that each dies during its attempt
    dying = []
    for number in range(MAX_TRIES + 1):
        dying.append(asyncio.create_task(bench.deliverer(f"w{number}", options=SLOW_POLLS).run()))
        await bench.clock.advance(51)
    message = await bench.stored(ended)
    assert (message.status, len(bench.endpoint.ids)) == (WebhookStatus.PENDING, 3)
    bench.endpoint.open.set()
    for task in dying:
        task.cancel()
    await asyncio.gather(*dying, return_exceptions=True)


async def test_a_worker_that_stops_finishes_its_attempt(bench: Bench, ended: str) -> None:
    bench.endpoint.open.clear()
    stopping = asyncio.create_task(bench.deliverer("w1").run())
    await settle()
    stopping.cancel()
    await settle()
    bench.endpoint.open.set()
    await asyncio.gather(stopping, return_exceptions=True)
    assert (await bench.stored(ended)).status is WebhookStatus.DELIVERED
    assert bench.endpoint.ids == [ended]


async def test_a_result_during_a_store_outage_is_recorded_later_and_not_sent_twice(bench: Bench, ended: str) -> None:
    bench.endpoint.open.clear()
    async with bench.delivering():
        bench.outbox.unavailable = True
        bench.endpoint.open.set()
        await bench.clock.advance(3)
        bench.outbox.unavailable = False
        await bench.clock.advance(40)
    assert bench.endpoint.ids == [ended]
    assert (await bench.stored(ended)).status is WebhookStatus.DELIVERED


async def test_delivery_continues_after_a_store_outage(bench: Bench, ended: str) -> None:
    bench.outbox.unavailable = True
    async with bench.delivering():
        await bench.clock.advance(60)
        assert bench.endpoint.ids == []
        bench.outbox.unavailable = False
        await bench.clock.advance(60)
    assert bench.endpoint.ids == [ended]


async def test_an_unexpected_exception_is_logged_with_an_id_and_retried(
    bench: Bench, ended: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench.endpoint.responses = [RuntimeError("a bug")]
    async with bench.delivering():
        await bench.clock.advance(10)
    message = await bench.stored(ended)
    assert message.status is WebhookStatus.DELIVERED
    error = message.attempts[0].error or ""
    assert error.startswith("internal error ")
    assert error.removeprefix("internal ") in caplog.text


async def test_a_replay_during_an_attempt_is_sent_as_soon_as_the_attempt_is_recorded(bench: Bench, ended: str) -> None:
    bench.endpoint.open.clear()
    bench.endpoint.responses = [WebhookResponse(status_code=410, retry_after=None)]
    async with bench.delivering():
        assert await bench.outbox.record(replay(await bench.stored(ended)))
        bench.endpoint.open.set()
        await bench.clock.advance(1)
    message = await bench.stored(ended)
    assert [each.status_code for each in message.attempts] == [410, 204]
    assert (message.status, message.tries) == (WebhookStatus.DELIVERED, 1)


async def test_a_message_whose_task_never_started_takes_no_capacity(bench: Bench, make_render: MakeRender) -> None:
    outbox = FailingOutbox(WebhookMessage(render=make_render()))
    bench.outbox = outbox  # type: ignore[assignment]  # the part that the loop uses
    deliverer = bench.deliverer()
    for run in range(1, 2 * MAX_CONCURRENT + 1):
        with pytest.raises(ExceptionGroup):
            await deliverer.run()
        assert outbox.calls == 2 * run

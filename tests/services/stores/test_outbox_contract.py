"""The contract of `Outbox`, tested on every adapter."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient

from services.clock import SystemClock
from services.models import Render, WebhookStatus
from services.ports import BacklogStats, RenderStore
from services.renders import lifecycle
from services.stores.mongo import MongoStore, open_mongo_store
from services.stores.sqlite import SqliteStore, open_sqlite_store
from services.webhooks import messages
from services.webhooks.messages import DeliveryResult, EndedBatch, WebhookMessage, message_id
from services.webhooks.ports import Outbox
from tests.conftest import MakeRender
from tests.support.memory_store import MemoryStore
from tests.support.stored_renders import FAILURE, HOUR, LATER, NO_TIME, NOW, OUTPUT, USERS_FAILURE, added, launched

FAR_FUTURE = datetime(2999, 1, 1, tzinfo=UTC)
REJECTED = DeliveryResult(status_code=500)
ACCEPTED = DeliveryResult(status_code=204)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreWithOutbox:
    """A store with webhooks enabled, and its outbox."""

    store: RenderStore
    outbox: Outbox

    async def ended(self, render: Render, *, at: datetime = NOW) -> WebhookMessage:
        """Add the render, cancel it, and return its message."""
        await added(self.store, render)
        assert await self.store.record(lifecycle.cancel(render, now=at))
        message = await self.outbox.get(message_id(render.id))
        assert message is not None
        return message

    async def attempted(
        self, message: WebhookMessage, result: DeliveryResult, *, now: datetime | None = None
    ) -> WebhookMessage:
        """Record a whole attempt, made at `now`, by default the current time."""
        now = now or datetime.now(UTC).replace(microsecond=0)
        started = messages.start_attempt(message, now=now)
        ended = messages.finish_attempt(started, result, now=now, duration_s=0.25)
        assert await self.outbox.record(started)
        assert await self.outbox.record(ended)
        return ended


@asynccontextmanager
async def memory(_: Path) -> AsyncIterator[MemoryStore]:
    yield MemoryStore(SystemClock(), webhooks_enabled=True)


def sqlite(folder: Path) -> AbstractAsyncContextManager[SqliteStore]:
    return open_sqlite_store(folder / "renders.sqlite3", SystemClock(), webhooks_enabled=True)


def motor(url: str) -> AbstractAsyncContextManager[MongoStore]:
    return open_mongo_store(AsyncIOMotorClient, url, webhooks_enabled=True)


def pymongo(url: str) -> AbstractAsyncContextManager[MongoStore]:
    return open_mongo_store(AsyncMongoClient, url, webhooks_enabled=True)


@pytest.fixture(params=[memory, sqlite, *(pytest.param(each, marks=pytest.mark.slow) for each in (motor, pymongo))])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoreWithOutbox]:
    is_mongo = request.param in {motor, pymongo}
    location = request.getfixturevalue("mongo_url") if is_mongo else tmp_path
    async with request.param(location) as store:
        yield StoreWithOutbox(store=store, outbox=store.outbox)


class TestAdding:
    async def test_each_end_adds_one_message_with_the_ended_render(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        renders = [launched(await added(stores.store, make_render())) for _ in range(3)]
        for render in renders:
            assert await stores.store.record(render)
        ended = [
            lifecycle.complete(renders[0], output=OUTPUT, cost_usd=0.5, warnings=("w",), now=LATER),
            lifecycle.fail(renders[1], failure=FAILURE, now=LATER),
            lifecycle.cancel(renders[2], now=LATER),
        ]
        for render in ended:
            assert await stores.store.record(render)
            assert await stores.outbox.get(message_id(render.id)) == WebhookMessage(render=render)
        listed = await stores.outbox.list(first=10)
        assert {message.event_type for message in listed} == {"render.completed", "render.failed", "render.cancelled"}
        assert len(listed) == 3

    async def test_other_changes_add_no_message(self, stores: StoreWithOutbox, make_render: MakeRender) -> None:
        render = await added(stores.store, make_render())
        await stores.store.record(launched(render))
        assert await stores.outbox.list(first=10) == []
        assert await stores.outbox.get(message_id(render.id)) is None

    async def test_a_rejected_end_adds_no_message_and_two_concurrent_ends_add_one(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        render = await added(stores.store, make_render())
        running = launched(render)
        await stores.store.record(running)
        assert not await stores.store.record(lifecycle.cancel(render, now=NOW))
        assert await stores.outbox.list(first=10) == []
        ends = [lifecycle.cancel(running, now=NOW), lifecycle.fail(running, failure=FAILURE, now=NOW)]
        assert sorted(await asyncio.gather(*map(stores.store.record, ends))) == [False, True]
        (message,) = await stores.outbox.list(first=10)
        (stored,) = await stores.store.get_many([render.id])
        assert message.render == stored

    async def test_the_end_of_the_last_render_of_a_batch_adds_a_message_about_the_batch(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        one, two, three = [await added(stores.store, make_render(batch_id="b")) for _ in range(3)]
        for other in ({}, {"batch_id": "c"}, {"batch_id": "b", "owner": "bob"}):
            await added(stores.store, make_render(**other))
        await stores.store.record(running := launched(one))
        await stores.store.record(lifecycle.fail(running, failure=FAILURE, now=NOW))
        ends = [lifecycle.cancel(two, now=NOW), lifecycle.cancel(three, now=LATER)]
        assert await stores.store.record_many(ends) == {two.id, three.id}
        (message,) = [each for each in await stores.outbox.list(first=10) if each.batch]
        batch = EndedBatch(id="b", complete=0, failed=1, cancelled=2)
        assert message == WebhookMessage(render=ends[1], batch=batch) == await stores.outbox.get(message.id)

    async def test_concurrent_ends_of_a_batch_add_one_message_about_it(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        renders = [launched(await added(stores.store, make_render(batch_id="b"))) for _ in range(8)]
        for render in renders:
            assert await stores.store.record(render)
        ends = [lifecycle.fail(render, failure=USERS_FAILURE, now=NOW) for render in renders]  # returns no quota
        await asyncio.gather(*map(stores.store.record, ends))
        (message,) = [each for each in await stores.outbox.list(first=20) if each.batch]
        assert message.batch == EndedBatch(id="b", complete=0, failed=8, cancelled=0)

    async def test_a_worker_that_ends_a_render_adds_a_message(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        running = launched(await added(stores.store, make_render()))
        await stores.store.acquire(worker="w", lease=HOUR)
        await stores.store.record(running, worker="w")
        assert await stores.store.record(lifecycle.fail(running, failure=FAILURE, now=NOW), worker="w")
        assert len(await stores.outbox.list(first=10)) == 1

    async def test_a_message_remains_when_its_render_is_deleted(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        message = await stores.ended(make_render())
        assert await stores.store.delete(message.render.id, owner="ann")
        assert await stores.outbox.acquire(worker="w", lease=HOUR) == message


class TestLeases:
    """The suite doesn't wait: a lease of zero length is expired at once."""

    async def test_each_message_is_leased_to_one_worker_only(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        for _ in range(5):
            await stores.ended(make_render())
        acquired = await asyncio.gather(*(stores.outbox.acquire(worker=f"w{i}", lease=HOUR) for i in range(15)))
        ids = [message.id for message in acquired if message]
        assert len(ids) == len(set(ids)) == 5

    async def test_new_messages_come_before_retried_ones_and_none_before_it_is_due(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        tried = await stores.attempted(await stores.ended(make_render()), REJECTED, now=NOW)
        new = await stores.ended(make_render())
        waiting = await stores.attempted(await stores.ended(make_render()), REJECTED, now=FAR_FUTURE)
        acquired = [await stores.outbox.acquire(worker="w", lease=HOUR) for _ in range(3)]
        assert acquired == [new, tried, None]
        assert waiting.due_at is not None

    async def test_an_expired_lease_goes_to_another_worker_that_alone_may_record(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        message = await stores.ended(make_render())
        await stores.outbox.acquire(worker="w1", lease=NO_TIME)
        assert await stores.outbox.acquire(worker="w2", lease=HOUR) == message
        started = messages.start_attempt(message, now=NOW)
        assert not await stores.outbox.record(started, worker="w1")
        assert await stores.outbox.record(started, worker="w2")

    async def test_the_lease_lasts_during_an_attempt_and_ends_with_it(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        message = await stores.ended(make_render())
        await stores.outbox.acquire(worker="w1", lease=HOUR)
        started = messages.start_attempt(message, now=NOW)
        assert await stores.outbox.record(started, worker="w1")
        assert await stores.outbox.acquire(worker="w2", lease=HOUR) is None
        again = messages.finish_attempt(started, REJECTED, now=NOW, duration_s=1.0)
        assert await stores.outbox.record(again, worker="w1")
        assert await stores.outbox.acquire(worker="w2", lease=HOUR) == again

    async def test_release_ends_the_leases_of_one_worker_at_once(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        for _ in range(2):
            await stores.ended(make_render())
        mine = await stores.outbox.acquire(worker="w1", lease=HOUR)
        await stores.outbox.acquire(worker="w2", lease=HOUR)
        await stores.outbox.release(worker="w1")
        assert await stores.outbox.acquire(worker="w3", lease=HOUR) == mine
        assert await stores.outbox.acquire(worker="w3", lease=HOUR) is None


class TestRecords:
    async def test_record_replaces_exactly_the_previous_revision(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        message = await stores.ended(make_render())
        started = messages.start_attempt(message, now=NOW)
        assert await stores.outbox.record(started)
        assert not await stores.outbox.record(started)
        assert await stores.outbox.get(message.id) == started
        assert not await stores.outbox.record(WebhookMessage(render=make_render(), revision=2))

    async def test_attempts_are_stored_and_settled_messages_are_not_acquired(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        failed = await stores.attempted(await stores.ended(make_render()), DeliveryResult(status_code=410))
        delivered = await stores.attempted(
            await stores.attempted(await stores.ended(make_render()), DeliveryResult(error="reset")), ACCEPTED
        )
        assert await stores.outbox.acquire(worker="w", lease=HOUR) is None
        assert [attempt.error for attempt in delivered.attempts] == ["reset", None]
        assert await stores.outbox.get(delivered.id) == delivered
        assert await stores.outbox.list(first=9, status=WebhookStatus.FAILED) == [failed]

    async def test_a_replayed_message_can_be_acquired_again(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        delivered = await stores.attempted(await stores.ended(make_render()), ACCEPTED)
        again = messages.replay(delivered)
        assert await stores.outbox.record(again)
        assert await stores.outbox.acquire(worker="w", lease=HOUR) == again

    async def test_list_returns_the_newest_events_first(self, stores: StoreWithOutbox, make_render: MakeRender) -> None:
        ended = [await stores.ended(make_render(), at=NOW + timedelta(seconds=second)) for second in (1, 3, 2)]
        assert await stores.outbox.list(first=2) == [ended[1], ended[2]]
        assert await stores.outbox.list(first=9, status=WebhookStatus.PENDING) == [ended[1], ended[2], ended[0]]
        assert await stores.outbox.list(first=9, status=WebhookStatus.DELIVERED) == []

    async def test_backlog_counts_pending_messages_and_has_the_oldest_event(
        self, stores: StoreWithOutbox, make_render: MakeRender
    ) -> None:
        assert await stores.outbox.backlog() == BacklogStats(pending=0, oldest_occurred_at=None)
        old = await stores.ended(make_render(), at=NOW)
        await stores.ended(make_render(), at=LATER)
        assert await stores.outbox.backlog() == BacklogStats(pending=2, oldest_occurred_at=NOW)
        await stores.attempted(old, ACCEPTED)
        assert await stores.outbox.backlog() == BacklogStats(pending=1, oldest_occurred_at=LATER)


async def test_without_webhooks_no_messages_are_stored(tmp_path: Path, make_render: MakeRender) -> None:
    async with open_sqlite_store(tmp_path / "renders.sqlite3", SystemClock()) as store:
        render = await added(store, make_render())
        await store.record(lifecycle.cancel(render, now=NOW))
        assert await store.outbox.list(first=9) == []


async def test_sqlite_deletes_expired_messages(tmp_path: Path, make_render: MakeRender) -> None:
    async with sqlite(tmp_path) as store:
        stores = StoreWithOutbox(store=store, outbox=store.outbox)
        old, new = await stores.ended(make_render()), await stores.ended(make_render())
        pending = await stores.ended(make_render())
        long_ago = datetime.now(UTC) - messages.RETENTION
        await stores.attempted(old, ACCEPTED, now=long_ago)
        await stores.attempted(new, ACCEPTED, now=long_ago + HOUR)
        listed = await store.outbox.list(first=9)
    assert {message.id for message in listed} == {new.id, pending.id}


async def test_mongodb_expires_settled_messages_and_no_pending_ones(mongo_url: str, make_render: MakeRender) -> None:
    async with pymongo(mongo_url) as store, AsyncMongoClient[dict[str, object]](mongo_url, tz_aware=True) as client:
        stores = StoreWithOutbox(store=store, outbox=store.outbox)
        message = await stores.ended(make_render())
        webhooks = client.get_default_database()["webhooks"]
        assert "expires_at" not in (await webhooks.find_one({"_id": message.id}) or {})
        delivered = await stores.attempted(message, ACCEPTED)
        document = await webhooks.find_one({"_id": message.id}) or {}
        assert document["expires_at"] == delivered.expires_at
        assert "due_at" not in document
        assert (await webhooks.index_information())["expired"]["expireAfterSeconds"] == 0
        await store.outbox.record(messages.replay(delivered))
        assert "expires_at" not in (await webhooks.find_one({"_id": message.id}) or {})

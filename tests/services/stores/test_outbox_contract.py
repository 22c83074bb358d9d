"""What every outbox promises, over each store there is."""

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
from services.ports import Backlog, RenderStore
from services.renders import lifecycle
from services.stores.mongo import MongoStore, open_mongo_store
from services.stores.sqlite import SqliteStore, open_sqlite_store
from services.webhooks import messages
from services.webhooks.messages import DeliveryResult, WebhookMessage, message_id
from services.webhooks.ports import Outbox
from tests.conftest import MakeRender
from tests.services.stores.test_store_contract import FAILURE, HOUR, LATER, NO_TIME, NOW, OUTPUT, added, launched
from tests.support.memory_store import MemoryStore

FAR_FUTURE = datetime(2999, 1, 1, tzinfo=UTC)
REFUSED = DeliveryResult(status_code=500)
TAKEN = DeliveryResult(status_code=204)


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """A store that announces ends, and its outbox."""

    store: RenderStore
    outbox: Outbox

    async def ended(self, render: Render, *, at: datetime = NOW) -> WebhookMessage:
        """Add the render, end it, and return the message that tells of that."""
        await added(self.store, render)
        assert await self.store.record(lifecycle.cancel(render, now=at))
        message = await self.outbox.get(message_id(render.id))
        assert message is not None
        return message

    async def attempted(
        self, message: WebhookMessage, outcome: DeliveryResult, *, now: datetime | None = None
    ) -> WebhookMessage:
        """Record a whole attempt at it, made at the present time unless told otherwise."""
        now = now or datetime.now(UTC).replace(microsecond=0)
        begun = messages.start_attempt(message, now=now)
        ended = messages.finish_attempt(begun, outcome, now=now, duration_s=0.25)
        assert await self.outbox.record(begun)
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


@pytest.fixture(params=[memory, sqlite, motor, pymongo])
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Both]:
    over_the_wire = request.param in {motor, pymongo}
    place = request.getfixturevalue("mongo_url") if over_the_wire else tmp_path
    async with request.param(place) as store:
        yield Both(store=store, outbox=store.outbox)


class TestAnnouncing:
    async def test_each_end_has_one_message_with_the_render_as_it_ended(
        self, both: Both, make_render: MakeRender
    ) -> None:
        renders = [launched(await added(both.store, make_render())) for _ in range(3)]
        for render in renders:
            assert await both.store.record(render)
        ended = [
            lifecycle.complete(renders[0], output=OUTPUT, cost_usd=0.5, warnings=("w",), now=LATER),
            lifecycle.fail(renders[1], failure=FAILURE, now=LATER),
            lifecycle.cancel(renders[2], now=LATER),
        ]
        for render in ended:
            assert await both.store.record(render)
            assert await both.outbox.get(message_id(render.id)) == WebhookMessage(render=render)
        listed = await both.outbox.list(first=10)
        assert {message.event_type for message in listed} == {"render.completed", "render.failed", "render.cancelled"}
        assert len(listed) == 3

    async def test_nothing_is_told_of_what_has_not_ended(self, both: Both, make_render: MakeRender) -> None:
        render = await added(both.store, make_render())
        await both.store.record(launched(render))
        assert await both.outbox.list(first=10) == []
        assert await both.outbox.get(message_id(render.id)) is None

    async def test_an_end_that_is_refused_has_no_message_and_two_at_once_have_one(
        self, both: Both, make_render: MakeRender
    ) -> None:
        render = await added(both.store, make_render())
        running = launched(render)
        await both.store.record(running)
        assert not await both.store.record(lifecycle.cancel(render, now=NOW))
        assert await both.outbox.list(first=10) == []
        ends = [lifecycle.cancel(running, now=NOW), lifecycle.fail(running, failure=FAILURE, now=NOW)]
        assert sorted(await asyncio.gather(*map(both.store.record, ends))) == [False, True]
        (message,) = await both.outbox.list(first=10)
        (stored,) = await both.store.get_many([render.id])
        assert message.render == stored

    async def test_a_worker_that_ends_a_render_leaves_a_message_and_one_that_lost_it_none(
        self, both: Both, make_render: MakeRender
    ) -> None:
        running = launched(await added(both.store, make_render()))
        await both.store.acquire(worker="w", lease=HOUR)
        await both.store.record(running, worker="w")
        assert await both.store.record(lifecycle.fail(running, failure=FAILURE, now=NOW), worker="w")
        assert len(await both.outbox.list(first=10)) == 1

    async def test_the_message_outlives_its_render(self, both: Both, make_render: MakeRender) -> None:
        message = await both.ended(make_render())
        assert await both.store.delete(message.render.id, owner="ann")
        assert await both.outbox.acquire(worker="w", lease=HOUR) == message


class TestLeases:
    """The suite doesn't wait: a lease of no length has expired when it is given."""

    async def test_gives_each_message_to_one_worker_only(self, both: Both, make_render: MakeRender) -> None:
        for _ in range(5):
            await both.ended(make_render())
        taken = await asyncio.gather(*(both.outbox.acquire(worker=f"w{i}", lease=HOUR) for i in range(15)))
        ids = [message.id for message in taken if message]
        assert len(ids) == len(set(ids)) == 5

    async def test_what_was_never_tried_comes_before_what_is_tried_again_and_nothing_before_its_time(
        self, both: Both, make_render: MakeRender
    ) -> None:
        tried = await both.attempted(await both.ended(make_render()), REFUSED, now=NOW)
        new = await both.ended(make_render())
        waiting = await both.attempted(await both.ended(make_render()), REFUSED, now=FAR_FUTURE)
        taken = [await both.outbox.acquire(worker="w", lease=HOUR) for _ in range(3)]
        assert taken == [new, tried, None]
        assert waiting.due_at is not None

    async def test_gives_an_expired_lease_to_another_who_alone_may_change_it(
        self, both: Both, make_render: MakeRender
    ) -> None:
        message = await both.ended(make_render())
        await both.outbox.acquire(worker="w1", lease=NO_TIME)
        assert await both.outbox.acquire(worker="w2", lease=HOUR) == message
        begun = messages.start_attempt(message, now=NOW)
        assert not await both.outbox.record(begun, worker="w1")
        assert await both.outbox.record(begun, worker="w2")

    async def test_keeps_the_lease_while_an_attempt_is_under_way_and_ends_it_with_that(
        self, both: Both, make_render: MakeRender
    ) -> None:
        message = await both.ended(make_render())
        await both.outbox.acquire(worker="w1", lease=HOUR)
        begun = messages.start_attempt(message, now=NOW)
        assert await both.outbox.record(begun, worker="w1")
        assert await both.outbox.acquire(worker="w2", lease=HOUR) is None
        again = messages.finish_attempt(begun, REFUSED, now=NOW, duration_s=1.0)
        assert await both.outbox.record(again, worker="w1")
        assert await both.outbox.acquire(worker="w2", lease=HOUR) == again

    async def test_release_frees_at_once_and_only_ones_own(self, both: Both, make_render: MakeRender) -> None:
        for _ in range(2):
            await both.ended(make_render())
        mine = await both.outbox.acquire(worker="w1", lease=HOUR)
        await both.outbox.acquire(worker="w2", lease=HOUR)
        await both.outbox.release(worker="w1")
        assert await both.outbox.acquire(worker="w3", lease=HOUR) == mine
        assert await both.outbox.acquire(worker="w3", lease=HOUR) is None


class TestRecords:
    async def test_replaces_exactly_the_revision_before(self, both: Both, make_render: MakeRender) -> None:
        message = await both.ended(make_render())
        begun = messages.start_attempt(message, now=NOW)
        assert await both.outbox.record(begun)
        assert not await both.outbox.record(begun)
        assert await both.outbox.get(message.id) == begun
        assert not await both.outbox.record(WebhookMessage(render=make_render(), revision=2))

    async def test_keeps_every_attempt_and_hands_out_nothing_that_is_settled(
        self, both: Both, make_render: MakeRender
    ) -> None:
        given_up = await both.attempted(await both.ended(make_render()), DeliveryResult(status_code=410))
        delivered = await both.attempted(
            await both.attempted(await both.ended(make_render()), DeliveryResult(error="reset")), TAKEN
        )
        assert await both.outbox.acquire(worker="w", lease=HOUR) is None
        assert [attempt.error for attempt in delivered.attempts] == ["reset", None]
        assert await both.outbox.get(delivered.id) == delivered
        assert await both.outbox.list(first=9, status=WebhookStatus.FAILED) == [given_up]

    async def test_hands_out_again_what_is_replayed(self, both: Both, make_render: MakeRender) -> None:
        delivered = await both.attempted(await both.ended(make_render()), TAKEN)
        again = messages.replay(delivered)
        assert await both.outbox.record(again)
        assert await both.outbox.acquire(worker="w", lease=HOUR) == again

    async def test_lists_the_newest_events_first(self, both: Both, make_render: MakeRender) -> None:
        ended = [await both.ended(make_render(), at=NOW + timedelta(seconds=second)) for second in (1, 3, 2)]
        assert await both.outbox.list(first=2) == [ended[1], ended[2]]
        assert await both.outbox.list(first=9, status=WebhookStatus.PENDING) == [ended[1], ended[2], ended[0]]
        assert await both.outbox.list(first=9, status=WebhookStatus.DELIVERED) == []

    async def test_tells_how_much_is_pending_and_since_when(self, both: Both, make_render: MakeRender) -> None:
        assert await both.outbox.backlog() == Backlog(pending=0, oldest_occurred_at=None)
        old = await both.ended(make_render(), at=NOW)
        await both.ended(make_render(), at=LATER)
        assert await both.outbox.backlog() == Backlog(pending=2, oldest_occurred_at=NOW)
        await both.attempted(old, TAKEN)
        assert await both.outbox.backlog() == Backlog(pending=1, oldest_occurred_at=LATER)


async def test_a_store_that_announces_nothing_keeps_no_messages(tmp_path: Path, make_render: MakeRender) -> None:
    async with open_sqlite_store(tmp_path / "renders.sqlite3", SystemClock()) as store:
        render = await added(store, make_render())
        await store.record(lifecycle.cancel(render, now=NOW))
        assert await store.outbox.list(first=9) == []


async def test_sqlite_removes_what_was_settled_long_ago(tmp_path: Path, make_render: MakeRender) -> None:
    async with sqlite(tmp_path) as store:
        both = Both(store=store, outbox=store.outbox)
        old, new = await both.ended(make_render()), await both.ended(make_render())
        pending = await both.ended(make_render())
        long_ago = datetime.now(UTC) - messages.RETENTION
        await both.attempted(old, TAKEN, now=long_ago)
        await both.attempted(new, TAKEN, now=long_ago + HOUR)
        listed = await store.outbox.list(first=9)
    assert {message.id for message in listed} == {new.id, pending.id}


async def test_mongodb_removes_what_was_settled_long_ago_and_nothing_that_is_pending(
    mongo_url: str, make_render: MakeRender
) -> None:
    async with pymongo(mongo_url) as store, AsyncMongoClient[dict[str, object]](mongo_url, tz_aware=True) as client:
        both = Both(store=store, outbox=store.outbox)
        message = await both.ended(make_render())
        webhooks = client.get_default_database()["webhooks"]
        assert "expires_at" not in (await webhooks.find_one({"_id": message.id}) or {})
        delivered = await both.attempted(message, TAKEN)
        document = await webhooks.find_one({"_id": message.id}) or {}
        assert document["expires_at"] == delivered.expires_at
        assert "due_at" not in document
        assert (await webhooks.index_information())["expired"]["expireAfterSeconds"] == 0
        await store.outbox.record(messages.replay(delivered))
        assert "expires_at" not in (await webhooks.find_one({"_id": message.id}) or {})

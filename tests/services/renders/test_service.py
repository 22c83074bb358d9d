from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import models
from services.errors import (
    InvalidAnimation,
    InvalidArgument,
    OutputGone,
    RenderNotComplete,
    RenderNotFinished,
    RenderNotFound,
    RenderNotRetryable,
    RenderQuotaExceeded,
    RenderServiceNotConfigured,
)
from services.models import Caller, Output, Render, RenderFilter, RenderStatus
from services.observability.metrics import Metrics
from services.realtime.hub import ProgressHub
from services.realtime.pubsub import open_pubsub
from services.renders import lifecycle
from services.renders.cursors import encode_cursor
from services.renders.pages import PageRequest
from services.renders.quota import QuotaRule
from services.renders.requests import StartRequest
from services.renders.service import RenderService
from tests.conftest import PROPS
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import FakeClock
from tests.support.limits import REQUEST_LIMITS
from tests.support.memory_store import MemoryStore

ANN, BOB = Caller(id="ann"), Caller(id="bob")
OUTPUT = Output(bucket="fake", key="k.mp4", size_bytes=5)
ALL = RenderFilter()
HELLO = StartRequest(animation=PROPS)


@pytest.fixture
async def renders(memory_store: MemoryStore, backend: FakeBackend, clock: FakeClock) -> AsyncIterator[RenderService]:
    async with open_pubsub("memory://") as pubsub:
        yield RenderService(
            store=memory_store,
            backend=backend,
            hub=ProgressHub(
                store=memory_store, pubsub=pubsub, clock=clock, metrics=Metrics(), check_interval=timedelta(seconds=5)
            ),
            clock=clock,
            metrics=Metrics(),
            quota_rule=QuotaRule(limit=5, window=timedelta(hours=1)),
            limits=REQUEST_LIMITS,
            download_expiry=timedelta(hours=1),
        )


async def start(renders: RenderService, caller: Caller = ANN) -> Render:
    return (await renders.start(caller, HELLO)).render


async def completed(renders: RenderService) -> Render:
    queued = await start(renders)
    now = renders.clock.now()
    running = lifecycle.launch(queued, now=now)
    done = lifecycle.complete(running, output=OUTPUT, cost_usd=None, warnings=(), now=now)
    for change in (running, done):
        assert await renders.store.record(change)
    return done


async def test_a_start_returns_the_render_and_the_remaining_quota(renders: RenderService) -> None:
    started = await renders.start(ANN, replace(HELLO, generation_id="g"))
    assert (started.render.status, started.render.generation_id, started.duplicate) == (RenderStatus.QUEUED, "g", False)
    assert (started.quota.remaining, started.quota) == (4, await renders.quota(ANN))


async def test_an_invalid_start_uses_no_quota_and_stores_nothing(renders: RenderService) -> None:
    with pytest.raises(InvalidAnimation):
        await renders.start(ANN, StartRequest(animation=models.replace(PROPS, text="")))
    assert (await renders.quota(ANN)).remaining == 5
    assert (await renders.list(ANN, PageRequest(first=1), matching=ALL)).renders == ()


async def test_the_sixth_start_is_rejected_until_the_window_ends(renders: RenderService, clock: FakeClock) -> None:
    for _ in range(5):
        await start(renders)
    await clock.advance(600)
    with pytest.raises(RenderQuotaExceeded) as error:
        await start(renders)
    assert (error.value.quota.remaining, error.value.quota.resets_in_s) == (0, 3000)
    await start(renders, BOB)
    await clock.advance(3000)
    assert (await renders.quota(ANN)).remaining == 5
    await start(renders)


async def test_without_a_backend_no_render_can_be_started(renders: RenderService) -> None:
    unconfigured = replace(renders, backend=None)
    with pytest.raises(RenderServiceNotConfigured):
        await unconfigured.start(ANN, HELLO)
    assert (await unconfigured.quota(ANN)).remaining == 5
    done = await completed(renders)
    assert unconfigured.sign(done) is None
    with pytest.raises(RenderServiceNotConfigured):
        await unconfigured.download(ANN, done.id)


async def test_one_idempotency_key_starts_one_render_even_when_the_quota_is_used_up(renders: RenderService) -> None:
    first = await renders.start(ANN, replace(HELLO, idempotency_key="k"))
    for _ in range(4):
        await start(renders)
    again = await renders.start(ANN, replace(HELLO, idempotency_key="k"))
    assert (again.render, again.duplicate, again.quota.remaining) == (first.render, True, 0)


async def test_idempotency_keys_of_clients_and_retries_do_not_collide(renders: RenderService) -> None:
    failed = await renders.cancel(ANN, (await start(renders)).id)
    retried = await renders.retry(ANN, failed.id)
    other = await renders.start(ANN, replace(HELLO, idempotency_key=f"retry:{failed.id}"))
    assert other.render.id != retried.render.id


async def test_a_retry_is_a_new_render_and_happens_once(renders: RenderService) -> None:
    cancelled = await renders.cancel(ANN, (await renders.start(ANN, replace(HELLO, generation_id="g"))).render.id)
    first, second = [await renders.retry(ANN, cancelled.id) for _ in range(2)]
    assert first.render.id == second.render.id != cancelled.id
    assert (first.duplicate, second.duplicate) == (False, True)
    assert (first.render.props, first.render.generation_id) == (PROPS, "g")
    assert second.quota.remaining == 4


async def test_only_failed_and_cancelled_renders_can_be_retried(renders: RenderService) -> None:
    for render in (await start(renders), await completed(renders)):
        with pytest.raises(RenderNotRetryable):
            await renders.retry(ANN, render.id)


async def test_a_download_is_signed_after_checking_the_output(renders: RenderService, backend: FakeBackend) -> None:
    done = await completed(renders)
    with pytest.raises(OutputGone):
        await renders.download(ANN, done.id)
    backend.outputs.add(OUTPUT.key)
    _, download = await renders.download(ANN, done.id)
    assert download.url.endswith(OUTPUT.key)
    assert renders.sign(done) == download
    queued = await start(renders)
    assert renders.sign(queued) is None
    with pytest.raises(RenderNotComplete):
        await renders.download(ANN, queued.id)


async def test_a_poster_is_signed_if_there_is_one(renders: RenderService) -> None:
    done = await completed(renders)
    assert renders.sign_poster(done) is None  # as for renders from versions without posters
    poster = renders.sign_poster(models.replace(done, output=models.replace(OUTPUT, poster_key="k.jpg")))
    assert poster is not None
    assert poster.url.endswith("k.jpg")
    assert renders.sign_poster(await start(renders)) is None


async def test_deleting_a_render_deletes_its_video(renders: RenderService, backend: FakeBackend) -> None:
    backend.outputs.add(OUTPUT.key)
    done = await completed(renders)
    await renders.delete(ANN, done.id)
    assert backend.outputs == set()
    with pytest.raises(RenderNotFound):
        await renders.get(ANN, done.id)
    with pytest.raises(RenderNotFinished):
        await renders.delete(ANN, (await start(renders)).id)


@pytest.mark.parametrize("render_id", ["", "nonsense", "0" * 26, "\ud800", "0" * 10_000, None])
async def test_another_users_render_is_not_found(renders: RenderService, render_id: str | None) -> None:
    render_id = render_id if render_id is not None else (await completed(renders)).id
    for method in (renders.get, renders.cancel, renders.retry, renders.download, renders.delete):
        with pytest.raises(RenderNotFound):
            await method(BOB, render_id)


@pytest.mark.parametrize("first", [0, -1, 101, -(2**31)])
async def test_a_page_has_from_1_to_100_renders(renders: RenderService, first: int) -> None:
    with pytest.raises(InvalidArgument) as error:
        await renders.list(ANN, PageRequest(first=first), matching=ALL)
    assert error.value.field == "first"


async def test_a_filter_with_an_unpaired_surrogate_is_rejected(renders: RenderService) -> None:
    with pytest.raises(InvalidArgument):
        await renders.list(ANN, PageRequest(first=1), matching=RenderFilter(generation_id="\ud800"))


@given(count=st.integers(0, 12), size=st.integers(1, 5), cancelled=st.sets(st.integers(0, 11)))
async def test_paging_returns_every_matching_render_once_newest_first(
    count: int, size: int, cancelled: set[int]
) -> None:
    clock, store = FakeClock(), MemoryStore()
    async with open_pubsub("memory://") as pubsub:
        hub = ProgressHub(
            store=store, pubsub=pubsub, clock=clock, metrics=Metrics(), check_interval=timedelta(seconds=5)
        )
        renders = RenderService(
            store=store,
            backend=FakeBackend(),
            hub=hub,
            clock=clock,
            metrics=Metrics(),
            quota_rule=QuotaRule(limit=100, window=timedelta(days=1)),
            limits=REQUEST_LIMITS,
            download_expiry=timedelta(hours=1),
        )
        ids = [(await start(renders)).id for _ in range(count)]
        for number, render_id in enumerate(ids):
            if number in cancelled:
                await renders.cancel(ANN, render_id)
        matching = RenderFilter(statuses=frozenset({RenderStatus.QUEUED}))
        seen: list[str] = []
        after = None
        while True:
            page = await renders.list(ANN, PageRequest(first=size, after=after), matching=matching)
            assert await renders.has_previous(page) == bool(seen)
            seen += [render.id for render in page.renders]
            if not page.has_next:
                break
            after = encode_cursor(seen[-1], owner="ann")
        assert seen == sorted((id_ for number, id_ in enumerate(ids) if number not in cancelled), reverse=True)


async def test_a_change_is_repeated_after_a_concurrent_change(
    renders: RenderService, memory_store: MemoryStore, clock: FakeClock
) -> None:
    """A worker launches the render after it is read and before it is cancelled."""
    render_id = (await start(renders)).id

    class Raced(MemoryStore):
        raced = False

        async def record(self, render: Render, *, worker: str | None = None, lease: timedelta | None = None) -> bool:
            if not self.raced:
                self.raced = True
                stored = await memory_store.get(render.id, owner="ann")
                assert stored is not None
                await memory_store.record(lifecycle.launch(stored, now=clock.now()))
            return await memory_store.record(render, worker=worker, lease=lease)

        async def get(self, render_id: str, *, owner: str) -> Render | None:
            return await memory_store.get(render_id, owner=owner)

    cancelled = await replace(renders, store=Raced()).cancel(ANN, render_id)
    assert (cancelled.status, cancelled.cancel_requested, cancelled.revision) == (RenderStatus.RENDERING, True, 3)

"""The worker, carrying renders through everything that can happen, on a clock that tests move."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from commands.logs import JsonLines
from services import lifecycle, log_ids
from services.backends.local.backend import open_local_backend
from services.backoff import MOST_STARTS
from services.carrier import DEADLINE_EXCEEDED, LONGEST_WAIT_S, MAX_INTERRUPTIONS, CarryRules
from services.errors import RenderAlreadyFinished
from services.hub import ProgressHub
from services.log_ids import pseudonym
from services.metrics import Metrics
from services.models import Caller, Failure, Render, RenderStatus
from services.ports import Observation, Progress, RenderBackend
from services.pubsub import PubSub, open_pubsub
from services.quota import QuotaRule
from services.renders import RenderService
from services.supervision import keep_running
from services.tracker import Tracker, WorkerRules
from tests.conftest import PROPS
from tests.fakes import FakeBackend, FakeClock, MemoryStore, settle
from tests.scraping import samples_of
from tests.services.test_animation import LIMITS

ANN = Caller(id="ann")
RULES = WorkerRules(
    lease=timedelta(seconds=15),
    look_interval=timedelta(seconds=1),
    carry=CarryRules(queue_timeout=timedelta(hours=1), max_attempts=3),
)

MISCONFIGURED = Failure(code="RENDERER_MISCONFIGURED", message="Tell the operator.", retryable=False)


class Bench:
    """A service with workers, all on one store, one backend and one clock."""

    def __init__(self, store: MemoryStore, backend: FakeBackend, clock: FakeClock, pubsub: PubSub) -> None:
        self.store, self.backend, self.clock, self.pubsub = store, backend, clock, pubsub
        self.metrics = Metrics()
        self.hub = ProgressHub(
            store=store, pubsub=pubsub, clock=clock, metrics=self.metrics, check_interval=timedelta(seconds=5)
        )
        self.renders = RenderService(
            store=store,
            backend=backend,
            hub=self.hub,
            clock=clock,
            metrics=self.metrics,
            quota_rule=QuotaRule(limit=1000, window=timedelta(days=1)),
            limits=LIMITS,
            download_expiry=timedelta(hours=1),
        )

    def tracker(
        self,
        worker: str = "w1",
        backend: RenderBackend | None = None,
        *,
        hub: ProgressHub | None = None,
        store: MemoryStore | None = None,
    ) -> Tracker:
        return Tracker(
            worker=worker,
            store=store or self.store,
            backend=backend or self.backend,
            hub=hub or self.hub,
            pubsub=self.pubsub,
            clock=self.clock,
            metrics=self.metrics,
            rules=RULES,
        )

    @asynccontextmanager
    async def working(self, *trackers: Tracker) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(tracker.run()) for tracker in trackers or (self.tracker(),)]
        await settle()
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def start(self) -> str:
        started = await self.renders.start(ANN, PROPS)
        await settle()
        return started.render.id

    async def get(self, render_id: str) -> Render:
        return await self.renders.get(ANN, render_id)

    def told(self, *series: str) -> list[float]:
        """Return the values of these metrics."""
        samples = samples_of(self.metrics.text().decode())
        return [samples[f"rendercast_{name}"] for name in series]

    async def quota_used(self) -> int:
        quota = await self.renders.quota(ANN)
        return quota.limit - quota.remaining


@pytest.fixture
async def bench(memory_store: MemoryStore, backend: FakeBackend, clock: FakeClock) -> AsyncIterator[Bench]:
    async with open_pubsub("memory://") as pubsub:
        yield Bench(memory_store, backend, clock, pubsub)


async def test_a_render_is_started_at_once_followed_and_completed(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        launched = await bench.get(render_id)
        assert (launched.status, launched.backend_render_id, launched.attempt) == (
            RenderStatus.RENDERING,
            "attempt-1",
            1,
        )
        bench.backend.progress(render_id, 45)
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).progress == 50
        bench.backend.finish(render_id)
        await bench.clock.advance(1)
        done = await bench.get(render_id)
        assert (done.status, done.progress, done.frames_rendered, done.cost_usd) == (
            RenderStatus.COMPLETE,
            100,
            90,
            0.01,
        )
    assert bench.backend.starts == [render_id]
    assert bench.backend.abandoned == [(render_id, "attempt-1")]


async def test_polls_without_news_write_nothing(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        before = await bench.get(render_id)
        await bench.clock.advance(60)
        assert await bench.get(render_id) == before


async def test_a_worker_finds_what_was_queued_while_nobody_worked(bench: Bench) -> None:
    render_id = await bench.start()
    async with bench.working():
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING


async def test_no_more_renders_than_the_capacity_run_at_once_and_the_oldest_are_first(bench: Bench) -> None:
    bench.backend.capacity = 2
    ids = []
    for _ in range(5):
        ids.append(await bench.start())
        await bench.clock.advance(0.01)
    async with bench.working():
        assert bench.backend.starts == ids[:2]
        assert await bench.renders.queue_position(await bench.get(ids[4])) == 3
        bench.backend.finish(ids[0])
        await bench.clock.advance(1)
        assert bench.backend.starts == ids[:3]


async def test_a_refused_start_is_tried_later_without_costing_an_attempt(bench: Bench) -> None:
    bench.backend.refusals = 3
    async with bench.working():
        render_id = await bench.start()
        waiting = await bench.get(render_id)
        assert (waiting.status, waiting.attempt, waiting.refusals) == (RenderStatus.QUEUED, 0, 1)
        await bench.clock.advance(60)
        running = await bench.get(render_id)
        assert (running.status, running.attempt, running.refusals) == (RenderStatus.RENDERING, 1, 3)


async def test_a_render_nobody_can_start_fails_in_the_end_and_costs_nothing(bench: Bench) -> None:
    bench.backend.refusals = 1_000_000
    async with bench.working():
        render_id = await bench.start()
        await bench.clock.advance(RULES.carry.queue_timeout.total_seconds() + 31)
        failed = await bench.get(render_id)
        assert failed.failure is not None
        assert (failed.status, failed.failure.code) == (RenderStatus.FAILED, "QUEUE_TIMEOUT")
    assert await bench.quota_used() == 0


async def test_a_lost_answer_starts_no_second_attempt(bench: Bench) -> None:
    bench.backend.lost_answers = 1
    async with bench.working():
        render_id = await bench.start()
        await bench.clock.advance(10)
        bench.backend.finish(render_id)
        await bench.clock.advance(2)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE
    assert bench.backend.starts == [render_id]


async def test_polling_errors_never_fail_a_render(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.unavailable = True
        await bench.clock.advance(120)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        bench.backend.unavailable = False
        bench.backend.finish(render_id)
        await bench.clock.advance(31)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE


@pytest.mark.parametrize("unavailable", [False, True])
async def test_the_deadline_ends_what_never_ends(bench: Bench, unavailable: bool) -> None:  # noqa: FBT001
    async with bench.working():
        render_id = await bench.start()
        bench.backend.unavailable = unavailable
        await bench.clock.advance(bench.backend.limit.total_seconds() + 31)
        failed = await bench.get(render_id)
        assert failed.failure is not None
        assert (failed.status, failed.failure.code) == (RenderStatus.FAILED, "DEADLINE_EXCEEDED")
    assert bench.backend.cancelled == ([] if unavailable else [render_id])
    assert await bench.quota_used() == 1


async def test_what_may_work_again_is_tried_again_up_to_the_limit(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.progress(render_id, 45)
        await bench.clock.advance(1)
        for attempt in (1, 2, 3):
            assert (await bench.get(render_id)).attempt == attempt
            assert (await bench.get(render_id)).progress == 50
            bench.backend.break_down(render_id, retryable=True)
            await bench.clock.advance(10)
        failed = await bench.get(render_id)
        assert failed.failure is not None
        assert (failed.status, failed.failure.code) == (RenderStatus.FAILED, "BROKEN")
    assert await bench.quota_used() == 1


async def test_what_is_final_is_not_tried_again(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.break_down(render_id, retryable=False)
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).status is RenderStatus.FAILED
    assert bench.backend.starts == [render_id]


async def test_a_running_render_is_cancelled_at_once(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        asked = await bench.renders.cancel(ANN, render_id)
        assert (asked.status, asked.cancel_requested) == (RenderStatus.RENDERING, True)
        await settle()
        assert (await bench.get(render_id)).status is RenderStatus.CANCELLED
    assert bench.backend.cancelled == [render_id]
    assert await bench.quota_used() == 1


async def test_a_queued_render_is_cancelled_without_a_worker_and_costs_nothing(bench: Bench) -> None:
    render_id = await bench.start()
    assert (await bench.renders.cancel(ANN, render_id)).status is RenderStatus.CANCELLED
    assert await bench.quota_used() == 0
    with pytest.raises(RenderAlreadyFinished):
        await bench.renders.cancel(ANN, render_id)


async def test_a_cancel_that_nobody_heard_is_found_by_the_next_worker(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
    await bench.renders.cancel(ANN, render_id)
    async with bench.working(bench.tracker("w2")):
        assert (await bench.get(render_id)).status is RenderStatus.CANCELLED


async def test_a_video_that_is_done_before_the_cancel_is_seen_stays(bench: Bench) -> None:
    """The change that loses the race is applied to the newer state, so neither is forgotten."""
    async with bench.working():
        render_id = await bench.start()
        bench.backend.finish(render_id)
        await bench.store.record(lifecycle.request_cancel(await bench.get(render_id)))  # without waking the worker
        await bench.clock.advance(1)
        done = await bench.get(render_id)
        assert (done.status, done.cancel_requested) == (RenderStatus.COMPLETE, True)


async def test_a_worker_that_stops_gives_its_renders_back_at_once(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
    assert bench.backend.abandoned == [(render_id, "attempt-1")]
    async with bench.working(bench.tracker("w2")):
        bench.backend.finish(render_id)
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE
    assert bench.backend.starts == [render_id]


async def test_a_render_whose_attempt_is_gone_is_begun_anew(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
    bench.backend.forget(render_id)
    async with bench.working(bench.tracker("w2")):
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).attempt == 2
    assert bench.backend.starts == [render_id, render_id]


async def test_orderly_restarts_use_up_no_tries(bench: Bench) -> None:
    render_id = await bench.start()
    for restart in range(10):
        async with bench.working(bench.tracker(f"w{restart}")):
            await bench.clock.advance(1)
        bench.backend.forget(render_id)
    async with bench.working(bench.tracker("last")):
        await bench.clock.advance(1)
        bench.backend.finish(render_id)
        await bench.clock.advance(1)
        done = await bench.get(render_id)
        assert (done.status, done.attempt, done.interruptions) == (RenderStatus.COMPLETE, 11, 10)


async def test_a_render_that_ends_its_process_each_time_fails_at_last(bench: Bench) -> None:
    render_id = await bench.start()
    async with bench.working():
        for _ in range(MAX_INTERRUPTIONS + 1):
            bench.backend.forget(render_id)
            await bench.clock.advance(1)
        failed = await bench.get(render_id)
        assert failed.failure is not None
        assert (failed.status, failed.failure.code) == (RenderStatus.FAILED, "RENDER_LOST")


@pytest.mark.parametrize("came_of_it", ["finished", "gone", "still running"])
async def test_a_render_found_long_after_its_deadline_is_asked_about_first(bench: Bench, came_of_it: str) -> None:
    """The process was away: a machine that slept, a restart the next morning."""
    async with bench.working():
        render_id = await bench.start()
    if came_of_it == "finished":
        bench.backend.finish(render_id)
    elif came_of_it == "gone":
        bench.backend.forget(render_id)
    await bench.clock.advance(bench.backend.limit.total_seconds() * 100)
    async with bench.working(bench.tracker("w2")):
        await bench.clock.advance(2)
        found = await bench.get(render_id)
    wanted = {
        "finished": (RenderStatus.COMPLETE, 1),
        "gone": (RenderStatus.RENDERING, 2),
        "still running": (RenderStatus.FAILED, 1),
    }
    assert (found.status, found.attempt) == wanted[came_of_it]


async def test_a_render_that_had_begun_never_times_out_in_the_queue(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
    bench.backend.forget(render_id)
    await bench.clock.advance(RULES.carry.queue_timeout.total_seconds() * 2)
    async with bench.working(bench.tracker("w2")):
        await bench.clock.advance(2)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING


async def test_a_cancel_is_not_put_off_by_a_wait_for_another_try(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.break_down(render_id, retryable=True)
        await bench.store.record(lifecycle.request_cancel(await bench.get(render_id)))  # without waking the worker
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).status is RenderStatus.CANCELLED


async def test_a_fault_while_stopping_does_not_start_the_worker_again(bench: Bench) -> None:
    class Clumsy(FakeBackend):
        async def abandon(self, render: Render) -> None:
            del render
            raise OSError("no")

    tracker = bench.tracker(backend=Clumsy())
    working = asyncio.create_task(keep_running("worker", tracker.run))
    await settle()
    await bench.start()
    working.cancel()
    await settle()
    assert working.done()


async def test_leases_are_kept_alive_while_the_render_is_silent(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        async with bench.working(bench.tracker("w2", FakeBackend())):
            await bench.clock.advance(60)
            assert (await bench.get(render_id)).attempt == 1
    assert bench.backend.starts == [render_id]


async def test_a_worker_that_lost_its_lease_stops_and_changes_nothing(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        await bench.store.release(worker="w1")  # as when it expires while this worker is paused
        assert await bench.store.acquire(worker="successor", lease=timedelta(days=1)) is not None
        bench.backend.finish(render_id)
        await bench.clock.advance(30)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        assert bench.backend.abandoned == [(render_id, "attempt-1")]
    assert bench.told("leases_lost_total") == [1]


async def test_the_log_has_the_ids_of_the_render_that_is_carried(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    class Crashing(FakeBackend):
        async def observe(self, render: Render) -> Observation:
            raise RuntimeError(render.id)

    caplog.handler.setFormatter(JsonLines())
    async with bench.working(bench.tracker(backend=Crashing())):
        render_id = await bench.start()
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    assert [(line["render_id"], line["user_id"]) for line in lines] == [(render_id, pseudonym(ANN.id))]
    assert "RuntimeError" in lines[0]["exception"]
    assert len(lines[0]["error_id"]) == 12
    assert log_ids.known() == {}


async def test_polls_tell_how_late_they_are(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        await bench.clock.advance(5)
        (polls,) = bench.told("poll_lag_seconds_count")
        assert polls >= 3
        assert bench.told("poll_lag_seconds_sum", "poll_failures_total") == [0, 0]
        bench.backend.unavailable = True
        await bench.clock.advance(2)
        (failures,) = bench.told("poll_failures_total")
        bench.backend.unavailable = False
        bench.backend.finish(render_id)
        await bench.clock.advance(60)
    assert failures >= 1
    assert bench.told("poll_lag_seconds_sum") > [0]


async def test_a_worker_takes_a_render_again_only_when_it_has_let_go_of_it(bench: Bench) -> None:
    class SlowHub(ProgressHub):
        broker = asyncio.Event()

        async def publish(self, render: Render) -> None:
            await self.broker.wait()
            await super().publish(render)

    hub = SlowHub(
        store=bench.store,
        pubsub=bench.pubsub,
        clock=bench.clock,
        metrics=bench.metrics,
        check_interval=timedelta(seconds=5),
    )
    hub.broker.set()
    render_id = await bench.start()
    async with bench.working(bench.tracker(hub=hub)):
        hub.broker.clear()
        bench.backend.forget(render_id)
        await bench.clock.advance(5)  # it waits in the queue again and could be taken, but that isn't published yet
        hub.broker.set()
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).backend_render_id == "attempt-2"


async def test_a_render_that_was_leased_without_an_answer_is_taken_when_its_lease_expires(bench: Bench) -> None:
    render_id = await bench.start()
    bench.store.lost_answers = {"acquire"}
    async with bench.working():
        await bench.clock.advance(RULES.lease.total_seconds() + 1)
        assert (await bench.get(render_id)).backend_render_id == "attempt-1"


async def test_a_launch_that_was_stored_without_an_answer_is_one_attempt(bench: Bench) -> None:
    render_id = await bench.start()
    bench.store.lost_answers = {"record"}
    async with bench.working():
        await bench.clock.advance(1)
        running = await bench.get(render_id)
        assert (running.attempt, running.backend_render_id) == (1, "attempt-1")


async def test_an_end_that_was_stored_without_an_answer_is_told(bench: Bench) -> None:
    async with bench.working(), aclosing(bench.hub.watch(ANN, await bench.start())) as states:
        running = await anext(states)
        bench.store.lost_answers = {"record"}
        bench.backend.finish(running.id)
        await bench.clock.advance(2)
        async with asyncio.timeout(10):
            assert (await anext(states)).status is RenderStatus.COMPLETE


async def test_a_launch_that_was_stored_without_an_answer_is_left_to_who_took_the_render_over(bench: Bench) -> None:
    """The backend isn't asked to start what another worker has found launched."""
    render_id = await bench.start()
    bench.store.lost_answers = {"record"}
    async with bench.working():
        await bench.store.release(worker="w1")
        assert await bench.store.acquire(worker="successor", lease=timedelta(days=1)) is not None
        await bench.clock.advance(60)
        assert (await bench.get(render_id)).attempt == 1
    assert bench.backend.starts == []


async def test_a_store_that_is_away_for_less_than_a_lease_costs_no_render(bench: Bench) -> None:

    class HangingStore(MemoryStore):
        async def renew(self, render_ids: Collection[str], *, worker: str, lease: timedelta) -> frozenset[str]:
            if self.away:
                await bench.clock.sleep(1)
            return await super().renew(render_ids, worker=worker, lease=lease)

    store = HangingStore(bench.clock)
    store._rows = bench.store._rows
    async with bench.working(bench.tracker(store=store)):
        render_id = await bench.start()
        async with bench.working(bench.tracker("w2")):
            await bench.clock.advance(4)
            store.away = True
            await bench.clock.advance(10)
            store.away = False
            await bench.clock.advance(60)
            assert bench.store._rows[render_id].worker == "w1"


async def test_a_worker_that_slept_beyond_the_deadline_leaves_its_successors_video(
    bench: Bench, tmp_path: Path
) -> None:
    open_backend = partial(
        open_local_backend, data_dir=tmp_path, width=64, height=64, base_url="http://x", clock=bench.clock, shared=True
    )
    sleepers_view = MemoryStore(bench.clock)
    sleepers_view._rows = bench.store._rows
    async with open_backend() as sleepers, open_backend() as successors:
        sleeper = bench.tracker("sleeper", sleepers, store=sleepers_view)
        async with bench.working(sleeper):
            render_id = await bench.start()
            while not (attempt := sleepers._attempts.get(render_id)):  # noqa: ASYNC110  # as long as a process takes
                await asyncio.sleep(0.01)
            attempt.process.send_signal(signal.SIGSTOP)
            sleepers_view.away = True
            await bench.clock.advance(RULES.lease.total_seconds())
            async with bench.working(bench.tracker("successor", successors)):
                while (done := await bench.get(render_id)).output is None:
                    await bench.clock.advance(0.05)
                    await asyncio.sleep(0.01)
            assert bench.clock.now() < done.created_at + sleepers.time_limit(done)
            await bench.clock.advance(sleepers.time_limit(done).total_seconds())
            while sleepers._attempts:  # noqa: ASYNC110  # the same
                await asyncio.sleep(0.01)
            sleepers_view.away = False
            await bench.clock.advance(60)
            assert not sleeper._carriers
        assert await bench.get(render_id) == done
        assert await successors.has_output(done.output)


async def test_a_store_that_is_away_for_a_while_loses_nothing(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.store.away = True
        bench.backend.finish(render_id)
        await bench.clock.advance(120)
        bench.store.away = False
        await bench.clock.advance(60)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE
        second = await bench.start()
        assert (await bench.get(second)).status is RenderStatus.RENDERING


async def test_a_fault_nobody_foresaw_fails_only_its_own_render(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    class Faulty(FakeBackend):
        async def observe(self, render: Render) -> Observation:
            if render.id == poisoned:
                raise ZeroDivisionError
            return await super().observe(render)

    poisoned = ""
    backend = Faulty()
    async with bench.working(bench.tracker(backend=backend)):
        healthy = await bench.start()
        poisoned = await bench.start()
        await bench.clock.advance(30)
        failed = await bench.get(poisoned)
        assert failed.failure is not None
        assert (failed.status, failed.failure.code) == (RenderStatus.FAILED, "INTERNAL")
        backend.finish(healthy)
        await bench.clock.advance(2)
        assert (await bench.get(healthy)).status is RenderStatus.COMPLETE
    error_id = failed.failure.message.partition("(error ")[2].partition(")")[0]
    assert error_id in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_two_workers_start_each_render_once(bench: Bench) -> None:
    ids = [await bench.start() for _ in range(50)]
    trackers = [bench.tracker(f"w{number}") for number in range(2)]
    async with bench.working(*trackers):
        for _ in range(60):
            for render_id in list(bench.backend.attempts):
                bench.backend.finish(render_id)
            await bench.clock.advance(1)
        assert {(await bench.get(render_id)).status for render_id in ids} == {RenderStatus.COMPLETE}
    assert sorted(bench.backend.starts) == sorted(ids)


async def test_the_health_check_sees_the_worker_look(bench: Bench) -> None:
    tracker = bench.tracker()
    assert tracker.last_tick_at is None
    async with bench.working(tracker):
        await bench.clock.advance(10)
        assert tracker.last_tick_at == bench.clock.now()


async def test_while_the_backend_has_no_room_no_more_renders_are_taken(bench: Bench) -> None:
    bench.backend.refusals = 1
    bench.backend.capacity = 1
    ids = [await bench.start() for _ in range(3)]
    async with bench.working():
        assert bench.backend.starts == []
        renders = [await bench.get(render_id) for render_id in ids]
        assert {render.status for render in renders} == {RenderStatus.QUEUED}
        assert sorted(render.refusals for render in renders) == [0, 0, 1]
        assert sorted([await bench.renders.queue_position(render) or 0 for render in renders]) == [1, 2, 3]
        await bench.clock.advance(1)
        assert len(bench.backend.starts) == 1
    assert await bench.quota_used() == 3


async def test_a_backend_without_room_is_asked_ever_more_rarely(bench: Bench) -> None:
    bench.backend.refusals = 1_000_000
    for _ in range(10):
        await bench.start()
    async with bench.working():
        await bench.clock.advance(600)
    refused = 1_000_000 - bench.backend.refusals
    assert refused < 10 * 4 * 600 / 15  # each of the capacity of 4 once in a pause, which lasts 15 to 30 s at last


async def test_a_start_that_can_never_work_fails_with_its_reason_and_costs_no_quota(bench: Bench) -> None:
    bench.backend.impossible = MISCONFIGURED
    async with bench.working():
        failed = await bench.get(await bench.start())
    assert (failed.status, failed.failure, failed.attempt) == (RenderStatus.FAILED, MISCONFIGURED, 0)
    assert await bench.quota_used() == 0


async def test_a_worker_that_stops_waits_for_the_answer_to_a_start(bench: Bench) -> None:
    bench.backend.answer = asyncio.Event()
    render_id = await bench.start()
    stopping = asyncio.create_task(bench.tracker().run())
    await settle()
    stopping.cancel()
    await settle()
    assert not stopping.done()
    bench.backend.answer.set()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert (await bench.get(render_id)).backend_render_id == "attempt-1"
    async with bench.working():
        bench.backend.finish(render_id)
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE
    assert bench.backend.starts == [render_id]


async def test_a_fault_that_lasts_until_the_deadline_is_what_the_render_fails_with(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.unavailable = True
        bench.backend.lasting_fault = MISCONFIGURED
        await bench.clock.advance(200)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        await bench.clock.advance(200)
        assert (await bench.get(render_id)).failure == MISCONFIGURED


async def test_an_attempt_that_found_no_room_leaves_time_for_others_and_pauses_the_queue(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.break_down(render_id, retryable=True, busy=True)
        await bench.clock.advance(1)
        waiting = await bench.start()
        assert (await bench.get(waiting)).status is RenderStatus.QUEUED
        await bench.clock.advance(1)
        assert (await bench.get(waiting)).status is RenderStatus.RENDERING
        await bench.clock.advance(8)
        assert (await bench.get(render_id)).status is RenderStatus.QUEUED
        await bench.clock.advance(20)
        assert (await bench.get(render_id)).attempt == 2


class SlowStarts(FakeBackend):
    """Answers a start after 8 s; more than 16 at once wait for a thread, as boto3's calls do."""

    def __init__(self, clock: FakeClock, **values: object) -> None:
        super().__init__(**values)  # type: ignore[arg-type]
        self.under_way = self.most_under_way = 0
        self._clock = clock
        self._threads = asyncio.Semaphore(16)

    async def start(self, render: Render) -> str:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            async with self._threads:
                await self._clock.sleep(8)
                return await super().start(render)
        finally:
            self.under_way -= 1


async def test_the_deadline_counts_from_the_answer_to_the_start(bench: Bench) -> None:
    backend = SlowStarts(bench.clock, limit=timedelta(seconds=5))
    async with bench.working(bench.tracker(backend=backend)):
        render_id = await bench.start()
        await bench.clock.advance(12)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        await bench.clock.advance(3)
        assert (await bench.get(render_id)).failure == DEADLINE_EXCEEDED


async def test_a_start_without_an_answer_has_the_deadline_of_its_launch(bench: Bench) -> None:
    backend = SlowStarts(bench.clock, limit=timedelta(seconds=10), lost_answers=1)
    async with bench.working(bench.tracker(backend=backend)):
        render_id = await bench.start()
        await bench.clock.advance(9)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        await bench.clock.advance(3)
        assert (await bench.get(render_id)).failure == DEADLINE_EXCEEDED


async def test_a_render_waits_in_the_queue_for_its_turn_to_start(bench: Bench) -> None:
    backend = SlowStarts(bench.clock, capacity=100, limit=timedelta(seconds=30))
    ids = [await bench.start() for _ in range(80)]
    async with bench.working(bench.tracker(backend=backend)):
        await bench.clock.advance(1)
        statuses = [(await bench.get(render_id)).status for render_id in ids]
        assert (statuses.count(RenderStatus.RENDERING), statuses.count(RenderStatus.QUEUED)) == (16, 64)
        for _ in range(6):
            await bench.clock.advance(8)
            for render_id in backend.starts:
                backend.finish(render_id)
        assert {(await bench.get(render_id)).status for render_id in ids} == {RenderStatus.COMPLETE}
    assert backend.most_under_way == MOST_STARTS


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("functions", [2, 5])
async def test_an_account_with_little_room_completes_every_render(bench: Bench, workers: int, functions: int) -> None:
    bench.backend.capacity, bench.backend.concurrency, bench.backend.functions = 25, 10, functions
    ids = [await bench.start() for _ in range(60)]
    async with bench.working(*[bench.tracker(f"w{number}") for number in range(workers)]):
        for _ in range(600):
            running = [id_ for id_, attempt in bench.backend.attempts.items() if isinstance(attempt, Progress)]
            for render_id in running:
                bench.backend.draw(render_id, 18)  # so that each takes five seconds
            await bench.clock.advance(1)
        renders = [await bench.get(render_id) for render_id in ids]
    assert {render.status for render in renders} == {RenderStatus.COMPLETE}
    wasted = len(bench.backend.starts) + bench.backend.refused - len(ids)
    assert wasted < 3 * len(ids)


async def test_attempts_that_found_no_room_are_no_tries_but_end_with_the_queue_timeout(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        until = (await bench.get(render_id)).created_at + RULES.carry.queue_timeout
        broken = 0
        while bench.clock.now() < until:
            assert (await bench.get(render_id)).status is RenderStatus.RENDERING
            bench.backend.break_down(render_id, retryable=True, busy=True)
            broken += 1
            await bench.clock.advance(LONGEST_WAIT_S + 5)
        assert (await bench.get(render_id)).busy_attempts == broken > RULES.carry.max_attempts
        bench.backend.break_down(render_id, retryable=True, busy=True)
        await bench.clock.advance(2)
        failed = await bench.get(render_id)
        assert failed.failure is not None
        assert (failed.status, failed.failure.code) == (RenderStatus.FAILED, "BROKEN")


async def test_what_found_no_room_leaves_all_tries_for_what_breaks(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        for busy in (True, False, True, False, True, False):
            assert (await bench.get(render_id)).status is RenderStatus.RENDERING
            bench.backend.break_down(render_id, retryable=True, busy=busy)
            await bench.clock.advance(LONGEST_WAIT_S + 5)
        failed = await bench.get(render_id)
        assert (failed.status, failed.attempt, failed.busy_attempts) == (RenderStatus.FAILED, 6, 3)


async def test_each_attempt_is_abandoned_by_the_id_the_backend_knows_it_by(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.break_down(render_id, retryable=True)
        await bench.clock.advance(3)
        bench.backend.forget(render_id)
        await bench.clock.advance(3)
    assert bench.backend.abandoned == [(render_id, f"attempt-{attempt}") for attempt in (1, 2, 3)]


async def test_a_worker_that_stops_amid_a_slow_start_gives_its_other_render_back_at_once(bench: Bench) -> None:
    stopping = asyncio.create_task(bench.tracker().run())
    await settle()
    other = await bench.start()
    bench.backend.answer = asyncio.Event()
    slow = await bench.start()
    stopping.cancel()
    await settle()
    async with bench.working(bench.tracker("w2")):
        bench.backend.finish(other)
        await bench.clock.advance(2)
        assert (await bench.get(other)).status is RenderStatus.COMPLETE
        await bench.clock.advance(RULES.lease.total_seconds() * 3)
        bench.backend.answer.set()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        running = await bench.get(slow)
        assert (running.attempt, running.backend_render_id) == (1, "attempt-2")
        bench.backend.finish(slow)
        await bench.clock.advance(2)
        assert (await bench.get(slow)).status is RenderStatus.COMPLETE
    assert bench.backend.starts == [other, slow]


async def test_while_the_backend_has_no_room_renders_under_way_are_taken_over(bench: Bench) -> None:
    async with bench.working(bench.tracker("dead")):
        under_way = await bench.start()
    bench.backend.refusals = 1_000_000
    waiting = await bench.start()
    await bench.store.acquire(worker="dead", lease=timedelta(seconds=100), excluding=[waiting])
    async with bench.working():
        bench.backend.finish(under_way)
        await bench.clock.advance(103)  # by now each pause lasts 15 to 30 s
        assert (await bench.get(under_way)).status is RenderStatus.COMPLETE
        assert (await bench.get(waiting)).status is RenderStatus.QUEUED

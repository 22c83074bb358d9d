"""An attempt is stopped, and its output looked for, before another begins and before its render ends."""

from datetime import timedelta

import pytest

from services.errors import BackendUnavailable, StartUncertain
from services.models import Failure, Render, RenderStatus
from services.ports import AttemptFinished, Observation
from services.worker.attempt_end import MAX_STOPPING_S
from services.worker.render_run import DEADLINE_EXCEEDED
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import settle
from tests.support.worker_bench import ANN, MISCONFIGURED, OPTIONS, SLOW, Bench, SlowStarts

MAX_ATTEMPTS = OPTIONS.limits.max_attempts


async def until_ended(bench: Bench, render_id: str, *, step_s: float, steps: int) -> Render:
    for _ in range(steps):
        if (render := await bench.get(render_id)).status.is_terminal:
            return render
        await bench.clock.advance(step_s)
    raise AssertionError(await bench.get(render_id))


async def test_an_overdue_attempt_is_stopped_and_tried_again_up_to_max_attempts(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        for attempt in range(1, MAX_ATTEMPTS + 1):
            running = await bench.get(render_id)
            assert (running.status, running.attempt) == (RenderStatus.RENDERING, attempt)
            await bench.clock.advance(bench.backend.limit.total_seconds() + 15)
        failed = await bench.get(render_id)
        assert (failed.status, failed.failure) == (RenderStatus.FAILED, DEADLINE_EXCEEDED)
    assert (bench.backend.starts, bench.backend.stopped) == ([render_id] * MAX_ATTEMPTS, [render_id] * MAX_ATTEMPTS)
    assert bench.backend.overlaps == []
    assert await bench.quota_used() == 0


async def test_a_lost_start_leads_to_a_further_attempt_after_the_time_limit(bench: Bench) -> None:
    bench.backend.lost_responses = 1
    async with bench.working():
        render_id = await bench.start()
        await bench.clock.advance(bench.backend.limit.total_seconds() - 5)
        assert (await bench.get(render_id)).attempt == 1
        await bench.clock.advance(15)
        bench.backend.finish(render_id)
        await bench.clock.advance(2)
        done = await bench.get(render_id)
        assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 2)
    assert (bench.backend.stopped, bench.backend.overlaps) == ([render_id], [])


async def test_a_launch_that_never_draws_a_frame_reduces_the_number_of_concurrent_renders(bench: Bench) -> None:
    bench.backend.capacity = 8
    async with bench.working():
        await bench.start()
        await bench.clock.advance(bench.backend.limit.total_seconds() + 2)
        for _ in range(8):
            await bench.start()
        await bench.clock.advance(20)
        renders = await bench.store.unfinished([ANN.id], first=100)
        assert sum(render.status is RenderStatus.RENDERING for render in renders) == 4


@pytest.mark.parametrize("end", ["overdue", "failed", "final failure", "busy"])
async def test_a_stored_output_is_found_before_any_failure(bench: Bench, end: str) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.progress(render_id, 85)
        bench.backend.finish_unnoticed(render_id)
        await bench.clock.advance(2)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        if end != "overdue":
            bench.backend.break_down(render_id, retryable=end != "final failure", busy=end == "busy")
        await bench.clock.advance(bench.backend.limit.total_seconds() + 5)
        done = await bench.get(render_id)
        assert (done.status, done.attempt, done.progress) == (RenderStatus.COMPLETE, 1, 100)
    assert bench.backend.starts == [render_id]


async def test_the_output_of_an_earlier_attempt_is_found_before_an_impossible_start_fails_the_render(
    bench: Bench,
) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.break_down(render_id, retryable=True, busy=True)
        await bench.clock.advance(2)
        assert (await bench.get(render_id)).status is RenderStatus.QUEUED
        bench.backend.finish_unnoticed(render_id)
        bench.backend.impossible = MISCONFIGURED
        await bench.clock.advance(60)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE


async def test_an_impossible_start_after_another_attempt_fails_the_render(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.break_down(render_id, retryable=True)
        bench.backend.impossible = MISCONFIGURED
        await bench.clock.advance(60)
        assert (await bench.get(render_id)).failure == MISCONFIGURED


async def test_a_notification_makes_the_worker_look_for_the_output(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.progress(render_id, 90)
        bench.backend.finish_unnoticed(render_id)
        await bench.clock.advance(3)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        await bench.hub.notify_worker(render_id)
        await settle()
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE


async def test_the_output_is_looked_for_again_if_the_first_poll_after_a_notification_fails(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.finish_unnoticed(render_id)
        bench.backend.unavailable = True
        await bench.hub.notify_worker(render_id)
        await settle()
        bench.backend.unavailable = False
        await bench.clock.advance(2)
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE


async def test_no_attempt_begins_before_the_last_one_is_stopped(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.unavailable = True
        await bench.clock.advance(bench.backend.limit.total_seconds() + 600)
        assert (await bench.get(render_id)).attempt == 1
        bench.backend.unavailable = False
        await bench.clock.advance(60)
        assert (await bench.get(render_id)).attempt == 2
    assert bench.backend.overlaps == []


@pytest.mark.parametrize(("reported", "expected"), [(None, DEADLINE_EXCEEDED), (MISCONFIGURED, MISCONFIGURED)])
async def test_a_render_that_cannot_be_stopped_for_an_hour_fails_with_the_last_known_failure(
    bench: Bench, reported: Failure | None, expected: Failure
) -> None:
    async with bench.working(bench.worker(options=SLOW)):
        render_id = await bench.start()
        bench.backend.unavailable, bench.backend.persistent_failure = True, reported
        await bench.clock.advance(bench.backend.limit.total_seconds() + MAX_STOPPING_S - 60)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        await bench.clock.advance(120)
        failed = await bench.get(render_id)
        assert (failed.status, failed.failure) == (RenderStatus.FAILED, expected)
    assert bench.backend.starts == [render_id]


async def test_a_cancel_ends_once_the_attempt_is_stopped_whatever_is_stored(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.finish_unnoticed(render_id)
        bench.backend.unavailable = True
        await bench.renders.cancel(ANN, render_id)
        await bench.clock.advance(5)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        bench.backend.unavailable = False
        await bench.clock.advance(30)
        assert (await bench.get(render_id)).status is RenderStatus.CANCELLED
    assert bench.backend.stopped == [render_id]


async def test_a_cancel_that_cannot_stop_the_attempt_for_an_hour_ends_all_the_same(bench: Bench) -> None:
    async with bench.working(bench.worker(options=SLOW)):
        render_id = await bench.start()
        bench.backend.unavailable = True
        await bench.renders.cancel(ANN, render_id)
        await bench.clock.advance(MAX_STOPPING_S + 60)
        assert (await bench.get(render_id)).status is RenderStatus.CANCELLED


async def test_a_cancel_requested_while_an_attempt_is_being_stopped_ends_cancelled(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.unavailable = True
        await bench.clock.advance(bench.backend.limit.total_seconds() + 60)
        await bench.renders.cancel(ANN, render_id)
        bench.backend.unavailable = False
        await bench.clock.advance(60)
        assert (await bench.get(render_id)).status is RenderStatus.CANCELLED
    assert bench.backend.starts == [render_id]


async def test_an_attempt_whose_polls_raise_is_stopped_and_its_output_is_found(bench: Bench) -> None:
    class Crashing(FakeBackend):
        async def observe(self, render: Render, *, check_output: bool = False) -> Observation:  # noqa: ARG002
            raise RuntimeError(render.id)

    backend = Crashing()
    async with bench.working(bench.worker(backend=backend)):
        without, with_output = await bench.start(), await bench.start()
        backend.finish_unnoticed(with_output)
        await bench.clock.advance(30)
        failed, done = await bench.get(without), await bench.get(with_output)
        assert failed.failure is not None
        assert (failed.failure.code, done.status) == ("INTERNAL", RenderStatus.COMPLETE)
    assert sorted(backend.stopped) == sorted([without, with_output])


async def test_a_render_whose_stop_raises_fails_all_the_same(bench: Bench) -> None:
    class Unstoppable(FakeBackend):
        async def stop(self, render: Render) -> AttemptFinished | None:
            raise RuntimeError(render.id)

    backend = Unstoppable()
    async with bench.working(bench.worker(backend=backend)):
        render_id = await bench.start()
        backend.break_down(render_id, retryable=True)
        failed = await until_ended(bench, render_id, step_s=5, steps=20)
        assert failed.failure is not None
        assert failed.failure.code == "INTERNAL"


@pytest.mark.parametrize(
    ("code", "used"), [("COMPOSITION_ERROR", 1), ("INVALID_ANIMATION", 1), ("RENDERER_CRASHED", 0), ("NEVER_SEEN", 0)]
)
async def test_a_failure_of_the_service_returns_the_unit_of_quota(bench: Bench, code: str, used: int) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.break_down(render_id, retryable=False, code=code)
        await bench.clock.advance(2)
        assert (await bench.get(render_id)).status is RenderStatus.FAILED
    assert await bench.quota_used() == used


async def test_the_time_limit_counts_from_the_response_to_the_start(bench: Bench) -> None:
    backend = SlowStarts(bench.clock, limit=timedelta(seconds=5))
    async with bench.working(bench.worker(backend=backend)):
        render_id = await bench.start()
        await bench.clock.advance(12)
        assert (await bench.get(render_id)).attempt == 1
        await bench.clock.advance(6)  # with the longest delays: of a poll, of a retry and of the queue
        assert (await bench.get(render_id)).attempt == 2
        await bench.clock.advance(8)


async def test_a_start_without_a_response_has_the_time_limit_from_the_end_of_the_wait_for_it(bench: Bench) -> None:
    class NeverResponds(FakeBackend):
        async def start(self, render: Render) -> str:
            if not self.starts:
                await bench.clock.sleep(8)
            self.starts.append(render.id)
            raise StartUncertain("no response")

        async def observe(self, render: Render, *, check_output: bool = False) -> Observation:  # noqa: ARG002
            raise BackendUnavailable("no response")

    backend = NeverResponds(limit=timedelta(seconds=2))
    async with bench.working(bench.worker(backend=backend)):
        render_id = await bench.start()
        await bench.clock.advance(9.9)
        assert (await bench.get(render_id)).attempt == 1
        await bench.clock.advance(8)  # the last poll in time is followed by a delay of up to 4 s, with jitter
        assert (await bench.get(render_id)).attempt > 1


async def test_a_permanent_error_that_lasts_until_the_time_limit_is_the_renders_failure(bench: Bench) -> None:
    class Unreadable(FakeBackend):
        async def observe(self, render: Render, *, check_output: bool = False) -> Observation:  # noqa: ARG002
            raise BackendUnavailable("no permission", failure=MISCONFIGURED)

    async with bench.working(bench.worker(backend=Unreadable())):
        render_id = await bench.start()
        await bench.clock.advance(200)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        await bench.clock.advance(200)
        assert (await bench.get(render_id)).failure == MISCONFIGURED

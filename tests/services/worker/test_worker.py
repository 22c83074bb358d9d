"""The worker runs renders from start to end, on a fake clock."""

import json

import pytest

from commands.server.logs import JsonFormatter
from services.models import Render, RenderStatus
from services.observability import log_context
from services.observability.log_context import pseudonym
from services.ports import Observation
from services.worker.render_run import MAX_INTERRUPTIONS
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import settle
from tests.support.worker_bench import ANN, Bench


async def test_a_render_is_started_at_once_polled_and_completed(bench: Bench) -> None:
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


async def test_a_backend_that_reports_a_change_is_polled_at_once(bench: Bench) -> None:
    worker = bench.worker()
    async with bench.working(worker):
        render_id = await bench.start()
        bench.backend.finish(render_id)
        worker.poll_now("another")
        await settle()
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        worker.poll_now(render_id)
        await settle()
        assert (await bench.get(render_id)).status is RenderStatus.COMPLETE
    assert bench.metric_values("poll_lag_seconds_sum") == [0]


async def test_polls_without_changes_write_nothing(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        before = await bench.get(render_id)
        await bench.clock.advance(60)
        assert await bench.get(render_id) == before


async def test_a_worker_finds_renders_queued_before_it_started(bench: Bench) -> None:
    render_id = await bench.start()
    async with bench.working():
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING


async def test_at_most_capacity_renders_run_at_once_oldest_first(bench: Bench) -> None:
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


async def test_poll_lag_is_measured(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        await bench.clock.advance(5)
        (polls,) = bench.metric_values("poll_lag_seconds_count")
        assert polls >= 3
        assert bench.metric_values("poll_lag_seconds_sum", "poll_failures_total") == [pytest.approx(0, abs=1e-4), 0]
        bench.backend.unavailable = True
        await bench.clock.advance(2)
        (failures,) = bench.metric_values("poll_failures_total")
        bench.backend.unavailable = False
        bench.backend.finish(render_id)
        await bench.clock.advance(60)
    assert failures >= 1
    assert bench.metric_values("poll_lag_seconds_sum") > [0.1]


async def test_each_poll_updates_last_tick_s(bench: Bench) -> None:
    worker = bench.worker()
    assert worker.last_tick_s is None
    async with bench.working(worker):
        await bench.clock.advance(10)
        assert worker.last_tick_s == bench.clock.monotonic()


async def test_a_retryable_failure_is_retried_up_to_max_attempts(bench: Bench) -> None:
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
    assert bench.backend.overlaps == []


async def test_a_failure_that_is_not_retryable_ends_the_render(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.break_down(render_id, retryable=False)
        await bench.clock.advance(1)
        assert (await bench.get(render_id)).status is RenderStatus.FAILED
    assert bench.backend.starts == [render_id]


async def test_each_attempt_is_abandoned_under_its_backend_id(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.break_down(render_id, retryable=True)
        await bench.clock.advance(3)
        bench.backend.forget(render_id)
        await bench.clock.advance(3)
    assert bench.backend.abandoned == [(render_id, f"attempt-{attempt}") for attempt in (1, 2, 3)]


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


async def test_an_unexpected_exception_fails_only_its_own_render(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    class FailsForOneRender(FakeBackend):
        async def observe(self, render: Render, *, check_output: bool = False) -> Observation:
            if render.id == poisoned:
                raise ZeroDivisionError
            return await super().observe(render, check_output=check_output)

    poisoned = ""
    backend = FailsForOneRender()
    async with bench.working(bench.worker(backend=backend)):
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


async def test_a_render_that_always_ends_its_process_fails_eventually(bench: Bench) -> None:
    render_id = await bench.start()
    async with bench.working():
        for _ in range(MAX_INTERRUPTIONS + 1):
            bench.backend.forget(render_id)
            await bench.clock.advance(1)
        failed = await bench.get(render_id)
        assert failed.failure is not None
        assert (failed.status, failed.failure.code) == (RenderStatus.FAILED, "RENDER_LOST")


async def test_log_lines_have_the_ids_of_the_running_render(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    class Crashing(FakeBackend):
        async def observe(self, render: Render, *, check_output: bool = False) -> Observation:  # noqa: ARG002
            raise RuntimeError(render.id)

    caplog.handler.setFormatter(JsonFormatter())
    async with bench.working(bench.worker(backend=Crashing())):
        render_id = await bench.start()
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    assert [(line["render_id"], line["user_id"]) for line in lines] == [(render_id, pseudonym(ANN.id))]
    assert "RuntimeError" in lines[0]["exception"]
    assert len(lines[0]["error_id"]) == 12
    assert log_context.current_ids() == {}

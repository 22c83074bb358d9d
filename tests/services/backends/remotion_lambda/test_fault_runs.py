"""Renders on Lambda through everything that goes wrong in the field, carried by a worker to the end they must have.

Time passes twenty times as fast as it does, so that waits of half a minute are a second or two.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from services.models import AnimationProps, Caller, Render, RenderStatus
from services.realtime.pubsub import open_pubsub
from services.runtime.services import Services, compose
from services.settings import load_settings
from tests.conftest import PROPS
from tests.support.fakes import MemoryStore
from tests.support.lambda_renders import Course, State
from tests.support.lambda_server import Fault
from tests.support.remotion_farm import BUCKET, Farm, running_farm
from tests.support.s3_server import S3Fault, S3Server

ANN = Caller(id="ann")
SPEED = 20
FUNCTION_TIMEOUT_S = 120
QUOTA = 1000
PATIENCE_S = 60
PAUSE_S = 0.02


@pytest.fixture
async def farm(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Farm]:
    with running_farm(s3_server, monkeypatch, speed=SPEED) as farm:
        yield farm


@dataclass(frozen=True, slots=True)
class Run:
    """A worker on the farm, and what its user does."""

    farm: Farm
    services: Services

    async def start(self, props: AnimationProps = PROPS) -> str:
        return (await self.services.renders.start(ANN, props)).render.id

    async def get(self, render_id: str) -> Render:
        return await self.services.renders.get(ANN, render_id)

    async def until(self, render_id: str, reached: Callable[[Render], bool]) -> Render:
        """Return the render as soon as it is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not reached(render := await self.get(render_id)):
                assert not render.status.is_terminal, render
                await asyncio.sleep(PAUSE_S)
        return render

    async def end(self, render_id: str) -> Render:
        """Return the render when it has ended."""
        return await self.until(render_id, lambda render: render.status.is_terminal)

    async def silence(self, render_id: str) -> None:
        """Wait until the function has written all it ever will, and let its time pass."""
        await self.until(render_id, lambda render: render.backend_render_id is not None)
        (played,) = self.farm.function.renders.values()
        async with asyncio.timeout(PATIENCE_S):
            while played.state is State.PLAYING and not (played.course is Course.CHUNK_HANGS and played.metadata):  # noqa: ASYNC110
                await asyncio.sleep(PAUSE_S)
        self.farm.clock.jump(FUNCTION_TIMEOUT_S + 21)

    async def quota_used(self) -> int:
        quota = await self.services.renders.quota(ANN)
        return quota.limit - quota.remaining


def is_rendering(render: Render) -> bool:
    return render.status is RenderStatus.RENDERING


@asynccontextmanager
async def working(farm: Farm, folder: Path) -> AsyncIterator[Run]:
    """Carry renders on the farm with one worker."""
    settings = load_settings(data_dir=folder, quota_limit=QUOTA, quota_window_s=86_400, max_attempts=3)
    async with farm.open() as backend, open_pubsub("memory://") as pubsub:
        store = MemoryStore(farm.clock)
        services = compose(settings, clock=farm.clock, store=store, pubsub=pubsub, backend=backend, with_worker=True)
        assert services.worker is not None
        working = asyncio.create_task(services.worker.run())
        try:
            yield Run(farm, services)
        finally:
            working.cancel()
            await asyncio.wait([working])


@pytest.fixture
async def run(farm: Farm, tmp_path: Path) -> AsyncIterator[Run]:
    async with working(farm, tmp_path) as run:
        yield run


async def test_a_render_goes_well(run: Run) -> None:
    done = await run.end(await run.start())
    assert (done.status, done.attempt, done.failure) == (RenderStatus.COMPLETE, 1, None)
    assert done.cost_usd
    assert done.output is not None
    assert len(run.farm.bucket.get(BUCKET, done.output.key) or b"") == done.output.size_bytes


async def test_a_throttled_start_is_sent_again_when_there_may_be_room(run: Run) -> None:
    run.farm.function.fault(Fault.THROTTLED, times=3)
    done = await run.end(await run.start())
    assert (done.status, done.attempt, done.refusals) == (RenderStatus.COMPLETE, 1, 3)
    assert len(run.farm.function.renders) == 1
    assert await run.quota_used() == 1


async def test_a_function_that_can_not_be_reached_keeps_renders_queued(run: Run) -> None:
    run.farm.function.go_offline()
    render_id = await run.start()
    await run.until(render_id, lambda render: render.refusals == 2)
    run.farm.function.come_back()
    done = await run.end(render_id)
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 1)


@pytest.mark.parametrize("fault", [Fault.DROPPED, Fault.CRASHED_LATE])
async def test_a_lost_answer_starts_nothing_twice_and_the_video_is_found(run: Run, fault: Fault) -> None:
    run.farm.function.fault(fault)
    done = await run.end(await run.start())
    assert (done.status, done.attempt, done.backend_render_id) == (RenderStatus.COMPLETE, 1, None)
    assert len(run.farm.function.starts) == 1


async def test_a_lost_answer_to_a_start_that_never_ran_fails_at_the_deadline(run: Run) -> None:
    run.farm.function.fault(Fault.CRASHED)
    render_id = await run.start()
    await run.until(render_id, is_rendering)
    run.farm.clock.jump(FUNCTION_TIMEOUT_S + 71)
    failed = await run.end(render_id)
    assert failed.failure is not None
    assert (failed.status, failed.failure.code) == (RenderStatus.FAILED, "DEADLINE_EXCEEDED")
    assert len(run.farm.function.starts) == 1


@pytest.mark.parametrize(
    ("course", "code"),
    [
        (Course.BROWSER_CRASH, "RENDERER_CRASHED"),
        (Course.DISK_FULL, "RENDERER_OUT_OF_DISK"),
    ],
)
async def test_what_may_work_again_is_tried_again_without_more_quota(run: Run, course: Course, code: str) -> None:
    run.farm.function.play_next(course, times=2)
    done = await run.end(await run.start())
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 3)
    assert await run.quota_used() == 1
    run.farm.function.play_next(course, times=3)
    failed = await run.end(await run.start())
    assert failed.failure is not None
    assert (failed.status, failed.attempt, failed.failure.code) == (RenderStatus.FAILED, 3, code)
    assert failed.failure.retryable
    assert failed.failure.detail


async def test_attempts_for_which_the_account_had_no_room_are_no_tries(run: Run) -> None:
    run.farm.function.play_next(Course.RENDERERS_THROTTLED, times=3)
    done = await run.end(await run.start())
    assert (done.status, done.attempt, done.busy_attempts) == (RenderStatus.COMPLETE, 4, 3)
    assert await run.quota_used() == 1


@pytest.mark.parametrize(
    ("course", "code"),
    [
        (Course.REACT_ERROR, "COMPOSITION_ERROR"),
        (Course.UNKNOWN_COMPOSITION, "COMPOSITION_NOT_FOUND"),
        (Course.SITE_UNREACHABLE, "SITE_UNREACHABLE"),
        (Course.BAD_PROPS, None),
    ],
)
async def test_what_is_final_fails_at_once(run: Run, course: Course, code: str | None) -> None:
    run.farm.function.play_next(course)
    failed = await run.end(await run.start())
    assert failed.failure is not None
    assert (failed.status, failed.attempt, failed.failure.retryable) == (RenderStatus.FAILED, 1, False)
    assert code in {None, failed.failure.code}
    assert await run.quota_used() == 1


async def test_a_chunk_that_is_begun_again_never_shows_less(run: Run) -> None:
    run.farm.function.play_next(Course.CHUNK_RETRIED)
    run.farm.function.seconds_per_render = 1
    run.farm.function.steps = 10
    render_id = await run.start()
    seen = [await run.get(render_id)]
    while not seen[-1].status.is_terminal:
        await asyncio.sleep(0.01)
        seen.append(await run.get(render_id))
    assert (seen[-1].status, seen[-1].attempt) == (RenderStatus.COMPLETE, 1)
    assert [render.progress for render in seen] == sorted(render.progress for render in seen)
    assert [render.frames_rendered for render in seen] == sorted(render.frames_rendered for render in seen)


async def test_a_chunk_that_hangs_is_given_up_when_the_function_must_have_ended(run: Run) -> None:
    run.farm.function.play_next(Course.CHUNK_HANGS)
    render_id = await run.start()
    await run.silence(render_id)
    done = await run.end(render_id)
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 2)


async def test_a_launch_that_dies_is_begun_anew_when_its_time_is_over(run: Run) -> None:
    run.farm.function.play_next(Course.LAUNCH_DIES)
    render_id = await run.start()
    await run.silence(render_id)
    done = await run.end(render_id)
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 2)


async def test_a_stitcher_that_never_ends_is_given_up_at_the_deadline(run: Run) -> None:
    run.farm.function.play_next(Course.STITCHER_TIMES_OUT)
    render_id = await run.start()
    await run.silence(render_id)
    run.farm.clock.jump(50)
    failed = await run.end(render_id)
    assert failed.failure is not None
    assert (failed.status, failed.failure.code) == (RenderStatus.FAILED, "DEADLINE_EXCEEDED")
    assert failed.failure.retryable


async def test_a_corrupt_progress_file_is_read_again(run: Run) -> None:
    run.farm.function.play_next(Course.CORRUPT_FILE)
    done = await run.end(await run.start())
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 1)


@pytest.mark.parametrize("fault", [S3Fault.INTERNAL_ERROR, S3Fault.SLOW_DOWN, S3Fault.RESET, S3Fault.EXPIRED_TOKEN])
async def test_half_a_minute_without_storage_fails_nothing(run: Run, fault: S3Fault) -> None:
    render_id = await run.start()
    await run.until(render_id, is_rendering)
    run.farm.storage.fail(fault)
    await asyncio.sleep(30 / SPEED)
    assert (await run.get(render_id)).status is RenderStatus.RENDERING
    run.farm.storage.heal()
    done = await run.end(render_id)
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 1)


async def test_answers_that_come_late_for_half_a_minute_fail_nothing(run: Run) -> None:
    run.farm.storage.fail(S3Fault.DELAYED, seconds=0.5)
    render_id = await run.start()
    await asyncio.sleep(30 / SPEED)
    run.farm.storage.heal()
    assert (await run.end(render_id)).status is RenderStatus.COMPLETE


async def test_storage_that_stays_forbidden_is_what_the_render_fails_with(run: Run) -> None:
    render_id = await run.start()
    await run.until(render_id, is_rendering)
    run.farm.storage.fail(S3Fault.ACCESS_DENIED)
    await asyncio.sleep(0.2)
    run.farm.clock.jump(FUNCTION_TIMEOUT_S + 71)
    failed = await run.end(render_id)
    assert failed.failure is not None
    assert failed.failure.code == "ACCESS_DENIED"
    assert "s3:GetObject" in failed.failure.message


@pytest.mark.parametrize("fault", [Fault.ACCESS_DENIED, Fault.EXPIRED_TOKEN])
async def test_a_start_that_aws_forbids_fails_with_what_to_mend_and_costs_nothing(run: Run, fault: Fault) -> None:
    run.farm.function.fault(fault)
    failed = await run.end(await run.start())
    assert failed.failure is not None
    assert (failed.status, failed.attempt) == (RenderStatus.FAILED, 0)
    assert "operator" in failed.failure.message
    assert await run.quota_used() == 0


async def test_a_cancelled_render_is_stopped_on_the_function(run: Run) -> None:
    run.farm.function.play_next(Course.CHUNK_HANGS)
    render_id = await run.start()
    await run.until(render_id, lambda render: render.frames_rendered > 0)
    await run.services.renders.cancel(ANN, render_id)
    assert (await run.end(render_id)).status is RenderStatus.CANCELLED
    (played,) = run.farm.function.renders.values()
    assert await asyncio.to_thread(played.ended.wait, 10)
    assert played.state is State.FAILED


async def test_what_somebody_else_stopped_is_final(run: Run) -> None:
    run.farm.function.play_next(Course.CHUNK_HANGS)
    render_id = await run.start()
    render = await run.until(render_id, lambda render: render.backend_render_id is not None)
    run.farm.bucket.put(BUCKET, f"renders/{render.backend_render_id}/cancel.json", b"{}")
    failed = await run.end(render_id)
    assert failed.failure is not None
    assert (failed.failure.code, failed.attempt) == ("RENDER_STOPPED", 1)


async def test_another_worker_goes_on_with_what_the_first_one_started(farm: Farm, tmp_path: Path) -> None:
    farm.function.seconds_per_render = 2
    async with working(farm, tmp_path) as first:
        render_id = await first.start()
        await first.until(render_id, lambda render: render.frames_rendered > 0)
        store = first.services.store
    async with farm.open() as backend, open_pubsub("memory://") as pubsub:
        services = compose(
            first.services.settings, clock=farm.clock, store=store, pubsub=pubsub, backend=backend, with_worker=True
        )
        second = replace(first, services=services)
        assert services.worker is not None
        working_on = asyncio.create_task(services.worker.run())
        done = await second.end(render_id)
        working_on.cancel()
        await asyncio.wait([working_on])
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 1)
    assert len(farm.function.starts) == 1

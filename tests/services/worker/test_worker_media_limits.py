"""An attempt is stopped as soon as the backend reports an output over a limit."""

import pytest

from services.media import Media
from services.models import Failure, RenderStatus
from tests.support.limits import MEDIA_LIMITS
from tests.support.worker_bench import Bench

TOO_LONG = Media(frames=20 * 30 + 1, fps=30, width=320, height=180)
TOO_LARGE = Media(frames=101, fps=30, width=10_000, height=1_000)
LARGEST = Media(frames=100, fps=30, width=10_000, height=1_000)
LONGEST = Media(frames=20 * 24, fps=24)


def failure_of(media: Media) -> Failure:
    failure = MEDIA_LIMITS.failure(media)
    assert failure is not None
    return failure


@pytest.mark.parametrize(("media", "code"), [(TOO_LONG, "DURATION_EXCEEDED"), (TOO_LARGE, "OUTPUT_TOO_LARGE")])
async def test_an_output_over_a_limit_fails_the_render_for_good_and_returns_its_unit(
    bench: Bench, media: Media, code: str
) -> None:
    async with bench.working():
        render_id = await bench.start()
        assert await bench.quota_used() == 1
        bench.backend.progress(render_id, 1, media=media)
        await bench.clock.advance(60)
        failed = await bench.get(render_id)
    assert (failed.status, failed.failure, failed.attempt) == (RenderStatus.FAILED, failure_of(media), 1)
    assert failed.failure is not None
    assert (failed.failure.code, failed.failure.retryable) == (code, False)
    assert (bench.backend.starts, bench.backend.stopped) == ([render_id], [render_id])
    assert await bench.quota_used() == 0


@pytest.mark.parametrize("media", [LONGEST, LARGEST])
async def test_an_output_at_a_limit_is_rendered_and_its_size_and_length_are_recorded(
    bench: Bench, media: Media
) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.progress(render_id, 1, media=media)
        await bench.clock.advance(2)
        running = await bench.get(render_id)
        assert (running.status, running.media, running.total_frames) == (RenderStatus.RENDERING, media, media.frames)
        bench.backend.finish(render_id)
        await bench.clock.advance(2)
        done = await bench.get(render_id)
    assert (done.status, done.media, done.frames_rendered) == (RenderStatus.COMPLETE, media, media.frames)


async def test_the_attempt_is_stopped_although_it_is_over_the_limit_only_after_some_frames(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.progress(render_id, 40)
        await bench.clock.advance(2)
        bench.backend.progress(render_id, 41, media=TOO_LONG)
        await bench.clock.advance(3)
        failed = await bench.get(render_id)
    assert (failed.status, failed.frames_rendered) == (RenderStatus.FAILED, 40)
    assert bench.backend.stopped == [render_id]


async def test_an_output_that_is_stored_when_the_attempt_is_stopped_completes_the_render(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.finish_unnoticed(render_id)
        bench.backend.progress(render_id, 90, media=TOO_LONG)
        await bench.clock.advance(2)
        done = await bench.get(render_id)
    assert (done.status, done.failure) == (RenderStatus.COMPLETE, None)
    assert await bench.quota_used() == 1


async def test_the_render_fails_as_soon_as_an_unavailable_backend_can_stop_the_attempt(bench: Bench) -> None:
    async with bench.working():
        render_id = await bench.start()
        bench.backend.progress(render_id, 1, media=TOO_LARGE)
        bench.backend.stop_unavailable = True
        await bench.clock.advance(10)
        assert (await bench.get(render_id)).status is RenderStatus.RENDERING
        bench.backend.stop_unavailable = False
        await bench.clock.advance(60)
        assert (await bench.get(render_id)).failure == failure_of(TOO_LARGE)

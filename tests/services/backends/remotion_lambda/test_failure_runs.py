"""Renders on Lambda with all kinds of errors that occur in production, run by a worker to the expected end.

Time passes twenty times as fast, so that waits of half a minute take a second or two.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.models import RenderStatus
from services.realtime.pubsub import open_pubsub
from services.runtime.services import compose
from tests.support.certificates import Authority
from tests.support.lambda_faults import Fault
from tests.support.lambda_renders import State
from tests.support.lambda_runs import ANN, Run, is_rendering, running_worker
from tests.support.lambda_scenarios import Scenario
from tests.support.remotion_farm import BUCKET, Farm, running_farm
from tests.support.s3_server import S3Fault, S3Server
from tests.support.server_process import TIMEOUT_S

pytestmark = pytest.mark.slow

SPEED = 20
# A render on a busy machine must not take longer than this timeout at this speed.
FUNCTION = "remotion-render-4-0-527-mem2048mb-disk2048mb-240sec"


@pytest.fixture
async def farm(s3_server: S3Server, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Farm]:
    with running_farm(s3_server, authority, monkeypatch, speed=SPEED, function_name=FUNCTION) as farm:
        yield farm


@pytest.fixture
async def run(farm: Farm, tmp_path: Path) -> AsyncIterator[Run]:
    async with running_worker(farm, tmp_path) as run:
        yield run


async def test_a_render_completes(run: Run) -> None:
    done = await run.end(await run.start())
    assert (done.status, done.attempt, done.failure) == (RenderStatus.COMPLETE, 1, None)
    assert done.cost_usd
    assert done.output is not None
    assert len(run.farm.bucket.get(BUCKET, done.output.key) or b"") == done.output.size_bytes


async def test_a_throttled_start_is_sent_again_later(run: Run) -> None:
    run.farm.function.fault(Fault.THROTTLED, times=3)
    done = await run.end(await run.start())
    assert (done.status, done.attempt, done.rejected_starts) == (RenderStatus.COMPLETE, 1, 3)
    assert len(run.farm.function.renders) == 1
    assert await run.quota_used() == 1


async def test_an_unreachable_function_keeps_renders_queued(run: Run) -> None:
    run.farm.function.go_offline()
    render_id = await run.start()
    await run.until(render_id, lambda render: render.rejected_starts >= 2)
    run.farm.function.go_online()
    done = await run.end(render_id)
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 1)


@pytest.mark.parametrize("fault", [Fault.DROPPED, Fault.CRASHED_LATE])
async def test_a_lost_response_starts_nothing_twice_and_the_video_is_found(run: Run, fault: Fault) -> None:
    run.farm.function.fault(fault)
    done = await run.end(await run.start())
    assert (done.status, done.attempt, done.backend_render_id) == (RenderStatus.COMPLETE, 1, None)
    assert len(run.farm.function.starts) == 1


async def test_a_lost_response_to_a_start_that_never_ran_is_tried_again_at_the_deadline(run: Run) -> None:
    run.farm.function.fault(Fault.CRASHED)
    render_id = await run.start()
    await run.until(render_id, is_rendering)
    await run.skip(run.function_timeout_s + 71)
    done = await run.end(render_id)
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 2)
    assert await run.quota_used() == 1


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        (Scenario.BROWSER_CRASH, "RENDERER_CRASHED"),
        (Scenario.DISK_FULL, "RENDERER_OUT_OF_DISK"),
    ],
)
async def test_retryable_failures_are_tried_again_without_more_quota(run: Run, scenario: Scenario, code: str) -> None:
    run.farm.function.use_scenario_next(scenario, times=2)
    done = await run.end(await run.start())
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 3)
    assert await run.quota_used() == 1
    run.farm.function.use_scenario_next(scenario, times=3)
    failed = await run.end(await run.start())
    assert failed.failure is not None
    assert (failed.status, failed.attempt, failed.failure.code) == (RenderStatus.FAILED, 3, code)
    assert failed.failure.retryable
    assert failed.failure.detail


async def test_attempts_throttled_by_the_account_do_not_count_as_tries(run: Run) -> None:
    run.farm.function.use_scenario_next(Scenario.RENDERERS_THROTTLED, times=3)
    done = await run.end(await run.start())
    assert (done.status, done.attempt, done.busy_attempts) == (RenderStatus.COMPLETE, 4, 3)
    assert await run.quota_used() == 1


@pytest.mark.parametrize(
    ("scenario", "code", "quota_used"),
    [
        (Scenario.REACT_ERROR, "COMPOSITION_ERROR", 1),
        (Scenario.UNKNOWN_COMPOSITION, "COMPOSITION_NOT_FOUND", 0),
        (Scenario.SITE_UNREACHABLE, "SITE_UNREACHABLE", 0),
        (Scenario.BAD_PROPS, "COMPOSITION_ERROR", 1),
    ],
)
async def test_final_failures_fail_at_once_and_cost_quota_only_if_the_user_caused_them(
    run: Run, scenario: Scenario, code: str, quota_used: int
) -> None:
    run.farm.function.use_scenario_next(scenario)
    failed = await run.end(await run.start())
    assert failed.failure is not None
    assert (failed.status, failed.attempt, failed.failure.retryable) == (RenderStatus.FAILED, 1, False)
    assert failed.failure.code == code
    assert await run.quota_used() == quota_used


async def test_a_bucket_that_rejects_acls_fails_with_the_setting_in_the_log_only(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    run.farm.function.acls_disabled = True
    failed = await run.end(await run.start())
    assert failed.failure is not None
    assert (failed.failure.code, failed.failure.retryable) == ("ACL_NOT_SUPPORTED", False)
    assert "operator" in failed.failure.message
    assert "set REMOTION_PRIVACY=no-acl" in caplog.text
    assert await run.quota_used() == 0


async def test_a_restarted_chunk_does_not_decrease_progress(run: Run) -> None:
    run.farm.function.use_scenario_next(Scenario.CHUNK_RETRIED)
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


async def test_a_hanging_chunk_fails_after_the_functions_timeout(run: Run) -> None:
    run.farm.function.use_scenario_next(Scenario.CHUNK_HANGS)
    render_id = await run.start()
    await run.skip_function_timeout(render_id)
    done = await run.end(render_id)
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 2)


async def test_a_launch_that_dies_is_tried_again_after_its_timeout(run: Run) -> None:
    run.farm.function.use_scenario_next(Scenario.LAUNCH_DIES)
    render_id = await run.start()
    await run.skip_function_timeout(render_id)
    done = await run.end(render_id)
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 2)


async def test_a_stitcher_that_never_ends_is_tried_again(run: Run) -> None:
    run.farm.function.use_scenario_next(Scenario.STITCHER_TIMES_OUT)
    render_id = await run.start()
    await run.skip_function_timeout(render_id)
    run.farm.clock.jump(run.function_timeout_s)
    done = await run.end(render_id)
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 2)


async def test_a_corrupt_progress_file_is_read_again(run: Run) -> None:
    run.farm.function.use_scenario_next(Scenario.CORRUPT_FILE)
    done = await run.end(await run.start())
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 1)


@pytest.mark.parametrize("fault", [S3Fault.INTERNAL_ERROR, S3Fault.SLOW_DOWN, S3Fault.RESET, S3Fault.EXPIRED_TOKEN])
async def test_half_a_minute_without_storage_fails_nothing(run: Run, fault: S3Fault) -> None:
    render_id = await run.start()
    await run.until(render_id, is_rendering)
    run.farm.storage.fail(fault)
    await asyncio.sleep(30 / SPEED)
    assert (await run.get(render_id)).status is RenderStatus.RENDERING
    run.farm.storage.clear_faults()
    done = await run.end(render_id)
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 1)


async def test_half_a_minute_of_late_responses_fails_nothing(run: Run) -> None:
    run.farm.storage.fail(S3Fault.DELAYED, seconds=0.5)
    render_id = await run.start()
    await asyncio.sleep(30 / SPEED)
    run.farm.storage.clear_faults()
    assert (await run.end(render_id)).status is RenderStatus.COMPLETE


async def test_a_video_that_can_not_be_read_until_after_the_deadline_is_found(run: Run) -> None:
    render_id = await run.start()
    await run.until(render_id, is_rendering)
    run.farm.storage.fail(S3Fault.ACCESS_DENIED)
    await run.skip(run.function_timeout_s + 100)
    assert (await run.get(render_id)).status is RenderStatus.RENDERING
    run.farm.storage.clear_faults()
    done = await run.end(render_id)
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 1)


@pytest.mark.parametrize("fault", [Fault.ACCESS_DENIED, Fault.EXPIRED_TOKEN])
async def test_a_start_that_aws_rejects_fails_with_the_remedy_in_the_detail_and_costs_no_quota(
    run: Run, fault: Fault
) -> None:
    run.farm.function.fault(fault)
    failed = await run.end(await run.start())
    assert failed.failure is not None
    assert (failed.status, failed.attempt) == (RenderStatus.FAILED, 0)
    assert "operator" in failed.failure.message
    assert failed.failure.detail
    assert await run.quota_used() == 0


async def test_a_cancelled_render_is_stopped_on_the_function(run: Run) -> None:
    run.farm.function.use_scenario_next(Scenario.CHUNK_HANGS)
    render_id = await run.start()
    await run.until(render_id, lambda render: render.frames_rendered > 0)
    await run.services.renders.cancel(ANN, render_id)
    assert (await run.end(render_id)).status is RenderStatus.CANCELLED
    (simulated,) = run.farm.function.renders.values()
    assert await asyncio.to_thread(simulated.ended.wait, TIMEOUT_S)
    assert simulated.state is State.FAILED


async def test_a_render_stopped_from_outside_is_final(run: Run) -> None:
    run.farm.function.use_scenario_next(Scenario.CHUNK_HANGS)
    render_id = await run.start()
    render = await run.until(render_id, lambda render: render.backend_render_id is not None)
    run.farm.bucket.put(BUCKET, f"renders/{render.backend_render_id}/cancel.json", b"{}")
    failed = await run.end(render_id)
    assert failed.failure is not None
    assert (failed.failure.code, failed.attempt) == ("RENDER_STOPPED", 1)


async def test_another_worker_continues_a_started_render(farm: Farm, tmp_path: Path) -> None:
    farm.function.seconds_per_render = 2
    async with running_worker(farm, tmp_path) as first:
        render_id = await first.start()
        await first.until(render_id, lambda render: render.frames_rendered > 0)
        store = first.services.store
    async with farm.open() as backend, open_pubsub("memory://") as pubsub:
        services = compose(
            first.services.settings, clock=farm.clock, store=store, pubsub=pubsub, backend=backend, with_worker=True
        )
        second = replace(first, services=services)
        assert services.worker is not None
        task = asyncio.create_task(services.worker.run())
        done = await second.end(render_id)
        task.cancel()
        await asyncio.wait([task])
    assert (done.status, done.attempt) == (RenderStatus.COMPLETE, 1)
    assert len(farm.function.starts) == 1

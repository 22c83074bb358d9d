"""The videos of the adapter's renders: found, served and removed."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from services.backends.remotion_lambda.backend import LambdaBackend
from services.errors import BackendUnavailable, StartUncertain
from services.models import Output, Render, replace
from services.ports import AttemptFailed, AttemptFinished, AttemptProgress
from tests.services.backends.test_backend_contract import start_attempt, until
from tests.support.lambda_faults import Fault
from tests.support.lambda_function import NEVER_S
from tests.support.lambda_scenarios import Scenario
from tests.support.remotion_farm import BUCKET, Farm
from tests.support.s3_server import S3Fault
from tests.support.server_process import TIMEOUT_S

Launched = Callable[..., Render]


async def test_without_a_progress_file_the_video_decides(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    render = await start_attempt(backend, launched())
    finished = await until(backend, render, AttemptFinished)
    (simulated,) = farm.function.renders.values()
    assert await asyncio.to_thread(simulated.ended.wait, TIMEOUT_S)  # it may write its file after the end was observed
    for key in farm.bucket.keys(BUCKET, "renders/"):
        farm.bucket.delete(BUCKET, key)
    await backend.abandon(render)
    assert (await until(backend, render, AttemptFinished)).output == finished.output
    farm.bucket.delete(BUCKET, finished.output.key)
    with pytest.raises(BackendUnavailable) as gone:
        await backend.observe(render)
    assert gone.value.failure is not None
    assert gone.value.failure.code == "RENDER_LOST"


async def test_a_video_without_post_render_data_is_found(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.use_scenario_next(Scenario.NO_POST_RENDER_DATA)
    assert (await until(backend, await start_attempt(backend, launched()), AttemptFinished)).output.size_bytes


async def ended(backend: LambdaBackend, farm: Farm, render: Render, *scenarios: Scenario) -> Render:
    """Start an attempt with this scenario, and wait until the function writes nothing more."""
    farm.function.use_scenario_next(*scenarios)
    started = await start_attempt(backend, render)
    for launch in farm.function.launches:
        assert await asyncio.to_thread(launch.ended.wait, TIMEOUT_S)
    return started


async def test_a_video_is_found_if_a_file_with_all_chunks_has_not_changed_for_five_seconds(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    render = await ended(backend, farm, launched(), Scenario.LOST_LAST_WRITE)
    farm.clock.hold()
    assert isinstance(await backend.observe(render), AttemptProgress)
    farm.clock.jump(4)
    assert isinstance(await backend.observe(render), AttemptProgress)
    farm.clock.jump(2)
    assert isinstance(await backend.observe(render), AttemptFinished)


async def test_a_video_is_found_at_once_after_a_notification(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    render = await ended(backend, farm, launched(), Scenario.LOST_LAST_WRITE)
    finished = await backend.observe(render, check_output=True)
    assert isinstance(finished, AttemptFinished)
    assert finished.cost_usd


async def test_without_a_video_a_notification_changes_nothing(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    render = await ended(backend, farm, launched(), Scenario.STITCHER_TIMES_OUT)
    for check_output in (True, False):
        assert isinstance(await backend.observe(render, check_output=check_output), AttemptProgress)


async def test_a_video_is_found_after_the_function_s_timeout(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    render = await ended(backend, farm, launched(), Scenario.LOST_LAST_WRITE)
    farm.clock.jump(2 * 120 + 21)
    assert isinstance(await backend.observe(render), AttemptFinished)


async def test_without_the_function_s_memory_a_video_is_found_once_all_chunks_are_rendered(
    farm: Farm, launched: Launched
) -> None:
    async with farm.open(function=None) as backend:
        render = await ended(backend, farm, launched(), Scenario.LOST_LAST_WRITE)
        assert isinstance(await backend.observe(render), AttemptFinished)
        stalled = await ended(backend, farm, launched(), Scenario.STITCHER_TIMES_OUT)
        assert isinstance(await backend.observe(stalled), AttemptProgress)


async def test_a_duplicated_launch_does_not_hide_the_video(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.launch_next_after(0, NEVER_S)
    render = await start_attempt(backend, launched())
    first, second = farm.function.launches
    assert await asyncio.to_thread(first.ended.wait, TIMEOUT_S)
    farm.function.deliver(second)
    assert await asyncio.to_thread(second.ended.wait, TIMEOUT_S)
    file = json.loads(farm.bucket.get(BUCKET, f"renders/{render.backend_render_id}/progress.json") or b"")
    assert "already exists" in file["errors"][-1]["message"]
    assert (await until(backend, render, AttemptFinished)).output.size_bytes


async def test_a_video_that_is_reported_early_is_awaited(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.use_scenario_next(Scenario.EARLY_POST_RENDER_DATA)
    finished = await until(backend, await start_attempt(backend, launched()), AttemptFinished)
    assert await backend.has_output(finished.output)


async def test_a_video_that_is_reported_but_never_stored_fails_the_attempt_after_a_minute(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    render = await ended(backend, farm, launched(), Scenario.NO_OUTPUT)
    farm.clock.hold()
    for _ in range(2):
        assert isinstance(await backend.observe(render), AttemptProgress)
        farm.clock.jump(59)
    farm.clock.jump(2)
    missing = await backend.observe(render)
    assert isinstance(missing, AttemptFailed)
    assert (missing.failure.code, missing.failure.retryable, missing.busy) == ("OUTPUT_MISSING", True, False)


async def test_a_launch_that_never_ran_found_no_capacity(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.launch_next_after()
    render = await start_attempt(backend, launched())
    assert isinstance(await backend.observe(render), AttemptProgress)
    farm.clock.jump(120 + 21)
    failed = await backend.observe(render)
    assert isinstance(failed, AttemptFailed)
    assert (failed.failure.code, failed.busy) == ("RENDERER_BUSY", True)


@pytest.mark.parametrize("scenario", [Scenario.FRACTIONAL_NUMBERS, Scenario.UNKNOWN_FIELDS])
async def test_a_file_with_other_numbers_and_fields_is_followed_to_its_end(
    backend: LambdaBackend, farm: Farm, launched: Launched, scenario: Scenario
) -> None:
    farm.function.use_scenario_next(scenario)
    render = await start_attempt(backend, launched())
    async with asyncio.timeout(TIMEOUT_S):
        while not isinstance(observed := await backend.observe(render), AttemptFinished):
            assert isinstance(observed, AttemptProgress)
            await asyncio.sleep(0.02)


async def test_a_render_without_a_response_is_found_by_its_video(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.fault(Fault.DROPPED)
    render = launched()
    with pytest.raises(StartUncertain):
        await backend.start(render)
    await until(backend, render, AttemptFinished)
    await backend.stop(render)


async def test_a_late_video_of_an_earlier_attempt_is_ignored(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    second = replace(launched(), attempt=2)
    farm.bucket.put(BUCKET, f"rendercast/{second.id}-1.mp4", b"late")
    assert isinstance(await backend.observe(second), AttemptProgress)
    farm.bucket.put(BUCKET, f"rendercast/{second.id}-2.mp4", b"its own")
    assert isinstance(await backend.observe(second), AttemptFinished)


async def test_a_url_serves_the_video_and_expires_as_stated(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    output = (await until(backend, await start_attempt(backend, launched()), AttemptFinished)).output
    download = backend.sign(output, expires_in=timedelta(minutes=5))
    query = parse_qs(urlsplit(download.url).query)
    assert (query["X-Amz-Expires"], query["X-Amz-Algorithm"]) == (["300"], ["AWS4-HMAC-SHA256"])
    async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as http:
        assert len((await http.get(download.url)).content) == output.size_bytes
    assert download.expires_at - farm.clock.now() <= timedelta(minutes=5)


async def test_an_error_for_an_output_is_raised(backend: LambdaBackend, farm: Farm) -> None:
    output = Output(bucket=BUCKET, key="rendercast/none-1.mp4", size_bytes=1)
    assert not await backend.has_output(output)
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="HEAD")
    with pytest.raises(BackendUnavailable):
        await backend.has_output(output)


async def test_deleting_removes_every_attempt_and_remotions_objects(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    render = await start_attempt(backend, launched())
    other = await start_attempt(backend, launched())
    await until(backend, render, AttemptFinished)
    kept = (await until(backend, other, AttemptFinished)).output
    farm.bucket.put(BUCKET, f"rendercast/{render.id}-2.mp4", b"late")
    farm.bucket.put(BUCKET, "renders/earlier-id/progress.json", b"{}")
    await backend.delete(replace(render, earlier_backend_render_ids=("earlier-id",)))
    ids = (render.id, "earlier-id", render.backend_render_id or "")
    keys = farm.bucket.keys(BUCKET)
    assert [key for key in keys if any(name in key for name in ids)] == []
    assert kept.key in keys

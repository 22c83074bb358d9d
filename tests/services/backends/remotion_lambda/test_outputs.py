"""The videos of the adapter's renders: found, served and removed."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from services.backends.remotion_lambda.backend import LambdaBackend
from services.errors import BackendUnavailable, StartUncertain
from services.models import Output, Render, replace
from services.ports import AttemptFinished, AttemptProgress
from tests.services.backends.test_backend_contract import start_attempt, until
from tests.support.lambda_faults import Fault
from tests.support.lambda_scenarios import Scenario
from tests.support.remotion_farm import BUCKET, Farm
from tests.support.s3_server import S3Fault

Launched = Callable[..., Render]


async def test_without_a_progress_file_the_video_decides(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    render = await start_attempt(backend, launched())
    finished = await until(backend, render, AttemptFinished)
    (simulated,) = farm.function.renders.values()
    assert await asyncio.to_thread(simulated.ended.wait, 10)  # it may write its file after the end was observed
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
    async with httpx.AsyncClient(trust_env=False) as http:
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
    await backend.delete(render)
    keys = farm.bucket.keys(BUCKET)
    assert [key for key in keys if render.id in key or (render.backend_render_id or "") in key] == []
    assert kept.key in keys

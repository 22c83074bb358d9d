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
from services.ports import Finished, Progress
from tests.services.backends.test_backend_contract import begun, until
from tests.support.lambda_renders import Course
from tests.support.lambda_server import Fault
from tests.support.remotion_farm import BUCKET, Farm
from tests.support.s3_server import S3Fault

Launched = Callable[..., Render]


async def test_a_file_that_was_removed_is_looked_for_no_further_than_its_video(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    render = await begun(backend, launched())
    finished = await until(backend, render, Finished)
    (played,) = farm.function.renders.values()
    assert await asyncio.to_thread(played.ended.wait, 10)  # it may be seen before, and write its file after
    for key in farm.bucket.keys(BUCKET, "renders/"):
        farm.bucket.delete(BUCKET, key)
    await backend.abandon(render)
    assert (await until(backend, render, Finished)).output == finished.output
    farm.bucket.delete(BUCKET, finished.output.key)
    with pytest.raises(BackendUnavailable) as gone:
        await backend.observe(render)
    assert gone.value.failure is not None
    assert gone.value.failure.code == "RENDER_LOST"


async def test_a_video_whose_end_was_never_told_is_found(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.play_next(Course.NO_POST_RENDER_DATA)
    assert (await until(backend, await begun(backend, launched()), Finished)).output.size_bytes


async def test_a_render_without_an_answer_is_found_by_its_video(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    farm.function.fault(Fault.DROPPED)
    render = launched()
    with pytest.raises(StartUncertain):
        await backend.start(render)
    await until(backend, render, Finished)
    await backend.cancel(render)


async def test_a_late_video_of_an_earlier_attempt_is_not_taken_for_this_one(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    second = replace(launched(), attempt=2)
    farm.bucket.put(BUCKET, f"rendercast/{second.id}-1.mp4", b"late")
    assert isinstance(await backend.observe(second), Progress)
    farm.bucket.put(BUCKET, f"rendercast/{second.id}-2.mp4", b"its own")
    assert isinstance(await backend.observe(second), Finished)


async def test_a_url_serves_the_video_and_ends_when_it_says(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    output = (await until(backend, await begun(backend, launched()), Finished)).output
    download = backend.sign(output, expires_in=timedelta(minutes=5))
    query = parse_qs(urlsplit(download.url).query)
    assert (query["X-Amz-Expires"], query["X-Amz-Algorithm"]) == (["300"], ["AWS4-HMAC-SHA256"])
    async with httpx.AsyncClient(trust_env=False) as http:
        assert len((await http.get(download.url)).content) == output.size_bytes
    assert download.expires_at - farm.clock.now() <= timedelta(minutes=5)


async def test_what_aws_says_of_an_output_is_not_guessed(backend: LambdaBackend, farm: Farm) -> None:
    output = Output(bucket=BUCKET, key="rendercast/none-1.mp4", size_bytes=1)
    assert not await backend.has_output(output)
    farm.storage.fail(S3Fault.ACCESS_DENIED, method="HEAD")
    with pytest.raises(BackendUnavailable):
        await backend.has_output(output)


async def test_deleting_removes_every_attempt_and_all_that_remotion_keeps(
    backend: LambdaBackend, farm: Farm, launched: Launched
) -> None:
    render = await begun(backend, launched())
    other = await begun(backend, launched())
    await until(backend, render, Finished)
    kept = (await until(backend, other, Finished)).output
    farm.bucket.put(BUCKET, f"rendercast/{render.id}-2.mp4", b"late")
    await backend.delete(render)
    keys = farm.bucket.keys(BUCKET)
    assert [key for key in keys if render.id in key or (render.backend_render_id or "") in key] == []
    assert kept.key in keys

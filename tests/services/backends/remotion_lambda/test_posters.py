"""Posters of finished videos, while S3 is slow or fails and while the decoder crashes or hangs."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from services.backends.remotion_lambda.aws import open_aws
from services.backends.remotion_lambda.backend import LambdaBackend
from services.backends.remotion_lambda.polling import open_http
from services.backends.remotion_lambda.posters import CHILD, MAX_CONCURRENT_POSTERS, Posters
from services.models import Output, Render
from services.models import replace as replace_render
from services.ports import AttemptFinished
from tests.conftest import MakeRender
from tests.services.backends.test_backend_contract import start_attempt, until
from tests.support.lambda_progress import OUTPUT
from tests.support.remotion_farm import BUCKET, Farm
from tests.support.s3_server import S3Fault
from tests.support.server_process import TIMEOUT_S
from tests.support.videos import RED, color_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

Launched = Callable[..., Render]


@asynccontextmanager
async def open_posters(farm: Farm, *, max_time_s: float = 60) -> AsyncIterator[Posters]:
    deployment = replace(farm.deployment, posters=True)
    async with open_aws(deployment.access) as aws, open_http(farm.storage.url) as http:
        yield Posters(deployment, storage=aws, http=http, clock=farm.clock, max_time_s=max_time_s)


@pytest.fixture
async def posters(farm: Farm) -> AsyncIterator[Posters]:
    async with open_posters(farm) as posters:
        yield posters


@pytest.fixture
def render(make_render: MakeRender) -> Render:
    return make_render()


def store(farm: Farm, render: Render, video: bytes = OUTPUT) -> Output:
    output = Output(bucket=BUCKET, key=f"rendercast/{render.id}-1.mp4", size_bytes=len(video))
    farm.bucket.put(BUCKET, output.key, video)
    return output


def key_of(render: Render) -> str:
    return f"rendercast/{render.id}-poster.jpg"


def decoders() -> list[int]:
    """Return the process ids of this process's decoders."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            command = (folder / "cmdline").read_bytes().decode()
        except OSError:  # it has ended
            continue
        if int(parent) == os.getpid() and CHILD in command:
            found.append(int(folder.name))
    return found


async def test_a_finished_render_has_a_poster_without_another_invocation(farm: Farm, launched: Launched) -> None:
    async with farm.open(posters=True) as backend:
        output = (await until(backend, await start_attempt(backend, launched()), AttemptFinished)).output
        assert farm.function.invocations["still"] == 0
        assert await content_of_poster(backend, output) == ("image/jpeg", True)
        assert decoders() == []


async def content_of_poster(backend: LambdaBackend, output: Output) -> tuple[str, bool]:
    """Return the content type of the poster, and whether it is red as the video's last frame."""
    download = backend.sign_poster(output, expires_in=timedelta(minutes=5))
    assert download is not None
    async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as http:
        response = await http.get(download.url)
    color = color_of(response.content)
    is_red = max(abs(one - other) for one, other in zip(color, RED, strict=True)) <= 6
    return response.headers["Content-Type"], is_red


async def test_a_video_whose_end_was_not_recorded_has_a_poster(farm: Farm, launched: Launched) -> None:
    render = launched()
    farm.bucket.put(BUCKET, f"rendercast/{render.id}-{render.attempt}.mp4", OUTPUT)
    async with farm.open(posters=True) as backend:
        assert (await until(backend, render, AttemptFinished)).output.poster_key == key_of(render)


async def test_posters_can_be_switched_off(farm: Farm, launched: Launched) -> None:
    async with farm.open(posters=False) as backend:
        finished = await until(backend, await start_attempt(backend, launched()), AttemptFinished)
    assert finished.output.poster_key is None
    assert farm.storage.count("GET", "rendercast/") == 0


@pytest.mark.parametrize("fault", [S3Fault.SLOW_DOWN, S3Fault.INTERNAL_ERROR, S3Fault.RESET])
async def test_a_part_of_the_video_is_requested_again_after_a_temporary_error(
    farm: Farm, posters: Posters, render: Render, fault: S3Fault
) -> None:
    output = store(farm, render)
    farm.storage.fail(fault, times=2, method="GET")
    assert (await posters.create(render, output)).poster_key == key_of(render)
    assert farm.bucket.get(BUCKET, key_of(render))


@pytest.mark.parametrize(
    ("fault", "method", "words"),
    [
        (S3Fault.SLOW_DOWN, "GET", "can't be read: ClientResponseError"),
        (S3Fault.ACCESS_DENIED, "GET", "range request of the video with 403"),
        (S3Fault.ACCESS_DENIED, "PUT", "PutObject: AccessDenied"),
        (S3Fault.RESET, "PUT", "PutObject"),
    ],
)
async def test_an_error_of_storage_costs_only_the_poster(  # fixtures
    farm: Farm,
    posters: Posters,
    render: Render,
    caplog: pytest.LogCaptureFixture,
    fault: S3Fault,
    method: str,
    words: str,
) -> None:
    output = store(farm, render)
    farm.storage.fail(fault, method=method)
    assert await posters.create(render, output) == output
    assert f"render {render.id} has no poster: " in caplog.text
    assert words in caplog.text
    assert "X-Amz-Signature" not in caplog.text


async def test_a_deleted_video_has_no_poster(
    farm: Farm, posters: Posters, render: Render, caplog: pytest.LogCaptureFixture
) -> None:
    output = store(farm, render)
    farm.bucket.delete(BUCKET, output.key)
    assert await posters.create(render, output) == output
    assert "with 404" in caplog.text


@pytest.mark.parametrize("change_bytes", [-100, 100])
async def test_a_video_of_another_size_than_reported_costs_at_most_the_poster(
    farm: Farm, posters: Posters, render: Render, change_bytes: int
) -> None:
    output = store(farm, render)
    result = await posters.create(render, replace_size(output, output.size_bytes + change_bytes))
    assert result.poster_key in {None, key_of(render)}
    assert result.key == output.key


def replace_size(output: Output, size_bytes: int) -> Output:
    return Output(bucket=output.bucket, key=output.key, size_bytes=size_bytes)


async def test_a_file_that_is_not_a_video_has_no_poster(
    farm: Farm, posters: Posters, render: Render, caplog: pytest.LogCaptureFixture
) -> None:
    output = store(farm, render, b"not a video" * 1_000)
    assert await posters.create(render, output) == output
    assert "the video has no frame" in caplog.text


async def test_a_storage_that_does_not_respond_is_waited_for_until_the_time_limit(
    farm: Farm, render: Render, caplog: pytest.LogCaptureFixture
) -> None:
    output = store(farm, render)
    farm.storage.fail(S3Fault.HUNG, method="GET")
    async with open_posters(farm, max_time_s=1) as posters, asyncio.timeout(TIMEOUT_S):
        assert await posters.create(render, output) == output
    assert "not finished within 1 s" in caplog.text
    assert decoders() == []


@pytest.mark.parametrize(
    ("signal_number", "max_time_s", "words"),
    [(signal.SIGKILL, 60, "ended with status -9"), (signal.SIGSTOP, 3, "not finished within 3 s")],
)
async def test_a_decoder_that_crashes_or_hangs_costs_only_the_poster(
    farm: Farm, render: Render, caplog: pytest.LogCaptureFixture, signal_number: int, max_time_s: float, words: str
) -> None:
    output = store(farm, render)
    farm.storage.fail(S3Fault.DELAYED, method="GET", seconds=1)
    async with open_posters(farm, max_time_s=max_time_s) as posters, asyncio.timeout(TIMEOUT_S):
        creating = asyncio.create_task(posters.create(render, output))
        await wait_until(decoders)
        (decoder,) = decoders()
        os.kill(decoder, signal_number)
        assert await creating == output
    assert words in caplog.text
    assert decoders() == []


async def test_the_decoder_ends_when_the_poster_is_cancelled(farm: Farm, posters: Posters, render: Render) -> None:
    output = store(farm, render)
    farm.storage.fail(S3Fault.HUNG, method="GET")
    creating = asyncio.create_task(posters.create(render, output))
    await wait_until(decoders)
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    assert decoders() == []


async def test_a_decoder_is_awaited_although_the_poster_is_cancelled_twice(
    farm: Farm, posters: Posters, render: Render
) -> None:
    output = store(farm, render)
    farm.storage.fail(S3Fault.HUNG, method="GET")
    creating = asyncio.create_task(posters.create(render, output))
    await wait_until(decoders)
    (decoder,) = decoders()
    creating.cancel()
    await asyncio.sleep(0)
    creating.cancel()
    await asyncio.wait([creating])
    assert not Path(f"/proc/{decoder}").exists()  # noqa: ASYNC240  # not on a disk


async def test_the_decoder_gets_no_secrets(
    farm: Farm, posters: Posters, render: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "REMOTION_LICENSE_KEY", "MONGODB_URL", "REDIS_URL", "RENDERCAST_JWT_SECRET"):
        monkeypatch.setenv(name, "secret-of-the-server")
    output = store(farm, render)
    farm.storage.fail(S3Fault.HUNG, method="GET")
    creating = asyncio.create_task(posters.create(render, output))
    await wait_until(decoders)
    (decoder,) = decoders()
    environment = Path(f"/proc/{decoder}/environ").read_bytes()  # noqa: ASYNC240  # not on a disk
    creating.cancel()
    await asyncio.wait([creating])
    assert b"PATH=" in environment
    assert b"secret-of-the-server" not in environment


async def test_few_posters_are_made_at_a_time(farm: Farm, posters: Posters, make_render: MakeRender) -> None:
    renders = [make_render() for _ in range(2 * MAX_CONCURRENT_POSTERS)]
    outputs = [store(farm, render) for render in renders]
    farm.storage.fail(S3Fault.DELAYED, method="GET", seconds=0.3)
    most = 0
    async with asyncio.TaskGroup() as tasks:
        creating = [
            tasks.create_task(posters.create(render, output)) for render, output in zip(renders, outputs, strict=True)
        ]
        while not all(task.done() for task in creating):
            most = max(most, len(decoders()))
            await asyncio.sleep(0.02)
    assert most == MAX_CONCURRENT_POSTERS
    assert [task.result().poster_key for task in creating] == [key_of(render) for render in renders]


async def test_a_video_of_a_cancelled_render_gets_no_poster(farm: Farm, render: Render) -> None:
    output = store(farm, render)
    async with farm.open(posters=True) as backend:
        stopped = await backend.stop(replace_render(render, attempt=1, cancel_requested=True))
        assert stopped == AttemptFinished(output=output)
    assert farm.bucket.get(BUCKET, key_of(render)) is None

"""The text renderer with a bucket: while an output is uploaded, and if the bucket rejects it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.backends.text.backend import TextBackend, open_text_backend
from services.backends.text.time_limits import max_silence_s
from services.media import Media
from services.models import Render, RenderPhase
from services.ports import AttemptFailed, AttemptFinished, AttemptProgress
from tests.conftest import MakeRender
from tests.services.backends.test_backend_contract import SHORT, until
from tests.services.backends.text.test_backend import launch
from tests.services.storage.conftest import BUCKET, open_bucket, s3_access
from tests.support.fake_clock import FakeClock
from tests.support.s3_server import FaultyS3, S3Fault, S3Server

pytestmark = pytest.mark.slow  # each render is a process
MAX_SILENCE_S = max_silence_s(Media(frames=1, fps=30, width=64, height=64))


@pytest.fixture
def faulty(s3_server: S3Server) -> Iterator[FaultyS3]:
    s3_server.make_bucket(BUCKET)
    with FaultyS3(s3_server) as proxy:
        yield proxy


@pytest.fixture
async def backend(faulty: FaultyS3, tmp_path: Path, clock: FakeClock) -> AsyncIterator[TextBackend]:
    async with (
        open_bucket(s3_access(faulty.url), tmp_path) as storage,
        open_text_backend(storage, width=64, height=64, clock=clock) as opened,
    ):
        yield opened


@pytest.fixture
def render(make_render: MakeRender) -> Render:
    return launch(make_render(props=SHORT))


async def uploading(backend: TextBackend, faulty: FaultyS3, render: Render) -> AttemptProgress:
    """Start a render whose upload is held, and return its state then."""
    faulty.fail(S3Fault.HELD, method="PUT", containing=".mp4")
    await backend.start(render)
    while not faulty.held:  # noqa: ASYNC110  # in other threads
        await asyncio.sleep(0.01)
    state = await backend.observe(render)
    assert isinstance(state, AttemptProgress)
    return state


async def test_an_upload_may_take_longer_than_a_renderer_may_be_silent(
    backend: TextBackend, faulty: FaultyS3, clock: FakeClock, render: Render
) -> None:
    state = await uploading(backend, faulty, render)
    assert (state.phase, state.fraction) == (RenderPhase.COMBINING, 1.0)
    for _ in range(10):
        await clock.advance(MAX_SILENCE_S / 5)
        assert await backend.observe(render) == state
    faulty.release()
    finished = await until(backend, render, AttemptFinished)
    assert await backend.has_output(finished.output)


async def test_stopping_during_the_upload_stores_nothing(
    backend: TextBackend, faulty: FaultyS3, s3_server: S3Server, render: Render
) -> None:
    await uploading(backend, faulty, render)
    stopping = asyncio.create_task(backend.stop(render))
    await asyncio.sleep(0)
    faulty.release()
    found = await stopping  # the storage has received the whole file: it may be stored, or not at all
    assert (found is not None) is bool(s3_server.get(BUCKET, f"rendercast/{render.id}.mp4"))
    await backend.delete(render)
    assert s3_server.keys(BUCKET, f"rendercast/{render.id}") == []
    assert list(backend.storage.work_folder.iterdir()) == []


async def test_a_rejected_upload_fails_the_attempt_with_the_remedy(
    backend: TextBackend, faulty: FaultyS3, render: Render
) -> None:
    faulty.fail(S3Fault.ACCESS_DENIED, method="PUT", containing=".mp4")
    await backend.start(render)
    failure = (await until(backend, render, AttemptFailed)).failure
    assert (failure.code, failure.retryable) == ("ACCESS_DENIED", True)
    assert "grant s3:PutObject to the key RENDERCAST_OUTPUT_ACCESS_KEY_ID" in (failure.detail or "")
    assert await backend.stop(render) is None
    assert list(backend.storage.work_folder.iterdir()) == []

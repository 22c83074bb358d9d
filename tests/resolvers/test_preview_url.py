"""`Render.previewUrl`, in subscriptions and queries."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.api_client import GET, PROGRESS, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.api_stream import open_stream
from tests.support.fake_backend import FakeBackend


@pytest.fixture
async def ann(tmp_path: Path, backend: FakeBackend) -> AsyncIterator[Client]:
    backend.poll_interval = timedelta(milliseconds=20)
    async with (
        open_embedded(load_settings(data_dir=tmp_path, acquire_interval_s=0.05)) as services,
        serve(rewired(services, backend=backend)) as url,
        open_client(url, user="ann") as client,
    ):
        yield client


async def test_a_preview_is_published_with_a_url_of_its_own_until_the_end(ann: Client, backend: FakeBackend) -> None:
    render_id = await ann.start_render()
    await ann.until(render_id, status="RENDERING")
    async with open_stream(ann) as stream:
        await stream.subscribe(PROGRESS, id=render_id)
        assert (await stream.next())["previewUrl"] is None
        urls = []
        for preview in (30, 60):
            backend.progress(render_id, 60, preview=preview)
            urls.append((await stream.next())["previewUrl"])
        assert [url.partition("?")[2] for url in urls] == ["frame=30", "frame=60"]
        assert (await ann.execute(GET, id=render_id))["previewUrl"] == urls[-1]
        backend.progress(render_id, 70, preview=60)
        assert (await stream.next())["previewUrl"] == urls[-1]
        backend.finish(render_id)
        *_, last = await stream.rest()
        assert (last["status"], last["previewUrl"]) == ("COMPLETE", None)


async def test_another_attempt_starts_without_a_preview(ann: Client, backend: FakeBackend) -> None:
    render_id = await ann.start_render()
    await ann.until(render_id, status="RENDERING")
    backend.progress(render_id, 60, preview=30)
    await ann.until(render_id, framesRendered=60)
    backend.break_down(render_id, retryable=True)
    again = await ann.until(render_id, attempt=2)
    assert again["previewUrl"] is None

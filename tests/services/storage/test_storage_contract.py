"""What every output storage guarantees."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from services.clock import SystemClock
from services.media import OutputFormat, OutputOptions
from services.models import Render
from services.storage.folder_storage import open_folder_storage
from services.storage.ports import OutputStorage
from services.storage.unfinished_files import unfinished
from tests.conftest import MakeRender

VIDEO, POSTER = bytes(range(256)) * 4, b"\xff\xd8poster"
EXPIRY = timedelta(minutes=5)


@asynccontextmanager
async def folder_storage(request: pytest.FixtureRequest) -> AsyncIterator[OutputStorage]:
    folder: Path = request.getfixturevalue("tmp_path")
    yield open_folder_storage(folder, base_url="http://videos.example", clock=SystemClock(), shared=True)


@pytest.fixture(params=[folder_storage])
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[OutputStorage]:
    async with request.param(request) as opened:
        yield opened


def write(storage: OutputStorage, name: str, content: bytes) -> Path:
    path = unfinished(storage.work_folder, name)
    path.write_bytes(content)
    return path


async def store(storage: OutputStorage, render: Render, *, content: bytes = VIDEO) -> None:
    await storage.store(render, output=write(storage, "video", content), poster=write(storage, "poster", POSTER))


async def test_a_stored_output_is_found_with_its_poster_and_deleted(
    storage: OutputStorage, make_render: MakeRender
) -> None:
    render = make_render()
    assert await storage.stored(render) is None
    output = await storage.store(render, output=write(storage, "video", VIDEO), poster=write(storage, "poster", POSTER))
    assert (output.size_bytes, output.poster_key is None) == (len(VIDEO), False)
    assert await storage.stored(render) == output
    assert await storage.has_output(output)
    for _ in range(2):
        await storage.delete(render)
        assert await storage.stored(render) is None
        assert not await storage.has_output(output)


async def test_the_output_of_another_worker_is_kept(storage: OutputStorage, make_render: MakeRender) -> None:
    render = make_render()
    await store(storage, render)
    first = await storage.stored(render)
    again = await storage.store(render, output=write(storage, "again", b"another"), poster=None)
    assert again == first
    assert await storage.stored(render) == first


@pytest.mark.parametrize("has_file", [False, True])
async def test_a_poster_is_optional(storage: OutputStorage, make_render: MakeRender, *, has_file: bool) -> None:
    render = make_render()
    missing = unfinished(storage.work_folder, "missing")
    output = await storage.store(render, output=write(storage, "video", VIDEO), poster=missing if has_file else None)
    assert output.poster_key is None
    assert storage.sign_poster(output, expires_in=EXPIRY) is None
    assert await storage.stored(render) == output


async def test_an_output_of_another_format_is_not_the_renders(storage: OutputStorage, make_render: MakeRender) -> None:
    video = make_render()
    await store(storage, video)
    still = make_render(id=video.id, output_options=OutputOptions(format=OutputFormat.PNG))
    assert await storage.stored(still) is None

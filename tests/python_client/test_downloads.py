"""Saving outputs: completely or not at all."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from rendercast.client import Render, ServerUnreachable
from rendercast.client.downloads import download

from tests.support.client_renders import render_of

CONTENT = b"a video" * 100_000


@dataclass
class Files:
    """A server of one output, whose connections break after so many bytes, as long as there are numbers in `breaks`."""

    breaks: list[int] = field(default_factory=list)
    is_gone: bool = False
    url: str = ""
    refreshed: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if "old" in request.query or self.is_gone:
            return web.Response(status=404 if self.is_gone else 403)
        response = web.StreamResponse(headers={"Content-Length": str(len(CONTENT))})
        await response.prepare(request)
        if self.breaks:
            await response.write(CONTENT[: self.breaks.pop()])
            assert request.transport is not None
            request.transport.abort()
        else:
            await response.write(CONTENT)
        return response

    async def refresh(self) -> str:
        self.refreshed += 1
        return self.url

    def render(self, *, url: str | None = None) -> Render:
        return replace(
            render_of("VIDEO", fileName="promo.mp4"),
            id="the-id",
            output_url=url or self.url,
            output_size_bytes=len(CONTENT),
        )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest_asyncio.fixture
async def files() -> AsyncIterator[Files]:
    files = Files()
    app = web.Application()
    app.router.add_get("/promo.mp4", files.handle)
    async with TestServer(app) as server:
        files.url = str(server.make_url("/promo.mp4"))
        yield files


async def test_a_download_is_repeated_until_it_is_complete(files: Files, tmp_path: Path) -> None:
    files.breaks = [400_000, 0]
    saved = await download(files.render(), tmp_path, refresh_url=files.refresh, retry_timeout_s=30)
    assert (saved, saved.read_bytes()) == (tmp_path / "the-id.mp4", CONTENT)
    assert names(tmp_path) == {"the-id.mp4"}


async def test_an_expired_url_is_replaced(files: Files, tmp_path: Path) -> None:
    saved = await download(
        files.render(url=f"{files.url}?old"), tmp_path / "a", refresh_url=files.refresh, retry_timeout_s=30
    )
    assert (saved.read_bytes(), files.refreshed) == (CONTENT, 1)


async def test_a_file_is_replaced_only_by_a_complete_one(files: Files, tmp_path: Path) -> None:
    save = partial(download, refresh_url=files.refresh, retry_timeout_s=0)
    target, link = tmp_path / "a.mp4", tmp_path / "link.mp4"
    target.write_bytes(b"mine")
    target.chmod(0o640)
    link.symlink_to(target)
    files.breaks = [400_000]
    with pytest.raises(ServerUnreachable, match="was lost"):
        await save(files.render(), link)
    with pytest.raises(ServerUnreachable, match="Received") as error:
        await save(replace(files.render(), output_size_bytes=1), link)
    assert (error.value.code, target.read_bytes()) == ("INCOMPLETE", b"mine")
    files.is_gone = True
    with pytest.raises(ServerUnreachable) as gone:
        await save(files.render(), link)
    assert (gone.value.code, target.read_bytes()) == ("GONE", b"mine")
    files.is_gone = False
    await save(files.render(), link)
    assert (target.read_bytes(), target.stat().st_mode & 0o777, link.is_symlink()) == (CONTENT, 0o640, True)
    assert names(tmp_path) == {"a.mp4", "link.mp4"}


async def test_a_file_has_the_time_of_the_end_of_its_render_and_any_valid_name(files: Files, tmp_path: Path) -> None:
    ended_at = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    target = tmp_path / f"{'漢' * 83}.mp4"  # 253 bytes
    render = replace(files.render(), completed_at=ended_at)
    saved = await download(render, target, refresh_url=files.refresh, retry_timeout_s=0)
    assert abs(saved.stat().st_mtime - ended_at.timestamp()) < 0.001


async def test_a_file_that_can_not_be_written_is_an_os_error(files: Files, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await download(files.render(), tmp_path / "nowhere" / "a.mp4", refresh_url=files.refresh, retry_timeout_s=30)

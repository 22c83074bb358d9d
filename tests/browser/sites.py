"""Video sizes for the sites under test, and servers in the test's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from auth.local_developer import LocalDeveloper
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.end_to_end.processes import quiet_window_s
from tests.support.api_server import rewired, serve
from tests.support.fake_backend import FakeBackend
from tests.support.server_process import free_port

SMALL = {"text_width": 640, "text_height": 360}
FULL = {"text_width": 1280, "text_height": 720}  # 20 s of it take a while to render
LARGE = {"text_width": 2560, "text_height": 1440}  # 20 s take longer to render than a page takes to load


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeSite:
    """A server in this process and its backend, which the test controls."""

    url: str
    backend: FakeBackend


@asynccontextmanager
async def open_dev_site(folder: Path, **settings: object) -> AsyncIterator[str]:
    """Serve what `rendercast dev` serves, without its process, and yield the URL.

    It saves the start of a process, 0.8 s of CPU time. Tests that kill the server, and one test of each page, use the
    command itself.
    """
    port = free_port()  # the URLs of videos contain it
    given = {"quota_window_s": quiet_window_s(), **settings}
    async with (
        open_embedded(load_settings(data_dir=folder, port=port, **given)) as services,
        serve(services, authenticate=LocalDeveloper(services.settings.server), port=port) as url,
    ):
        yield url


@asynccontextmanager
async def open_fake_site(folder: Path, **settings: object) -> AsyncIterator[FakeSite]:
    given = {"acquire_interval_s": 0.05, "quota_window_s": quiet_window_s(), **settings}
    async with open_embedded(load_settings(data_dir=folder, poll_interval_s=0.05, **given)) as services:
        backend = FakeBackend()
        faked = rewired(services, backend=backend, clock=services.clock)
        async with serve(faked, authenticate=LocalDeveloper(services.settings.server)) as url:
            yield FakeSite(url=url, backend=backend)

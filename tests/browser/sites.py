"""What is visited: how large its videos are, and a site whose backend does what it is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from auth.bearer import LocalDeveloper
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.end_to_end.processes import quiet_window_s
from tests.support.api_server import rewired, serve
from tests.support.fakes import FakeBackend

SMALL = {"local_width": 640, "local_height": 360}
FULL = {"local_width": 1280, "local_height": 720}  # 20 s of it take a while to render
LARGE = {"local_width": 2560, "local_height": 1440}  # and of this, longer than a page takes to load


@dataclass(frozen=True, slots=True, kw_only=True)
class Faked:
    """A server in this process, whose backend does what it is told."""

    url: str
    backend: FakeBackend


@asynccontextmanager
async def open_faked(folder: Path, **settings: object) -> AsyncIterator[Faked]:
    given = {"look_interval_s": 0.05, "quota_window_s": quiet_window_s(), **settings}
    async with open_embedded(load_settings(data_dir=folder, poll_interval_s=0.05, **given)) as services:
        backend = FakeBackend()
        faked = rewired(services, backend=backend, clock=services.clock)
        async with serve(faked, authenticate=LocalDeveloper(services.settings)) as url:
            yield Faked(url=url, backend=backend)

"""Video sizes for the sites under test, and a site whose render backend the test controls."""

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

SMALL = {"text_width": 320, "text_height": 180}
FULL = {"text_width": 1280, "text_height": 720}


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeSite:
    """A server in this process and its backend, which the test controls."""

    url: str
    backend: FakeBackend


@asynccontextmanager
async def open_fake_site(folder: Path, **settings: object) -> AsyncIterator[FakeSite]:
    given = {"acquire_interval_s": 0.05, "quota_window_s": quiet_window_s(), **settings}
    async with open_embedded(load_settings(data_dir=folder, poll_interval_s=0.05, **given)) as services:
        backend = FakeBackend()
        faked = rewired(services, backend=backend, clock=services.clock)
        async with serve(faked, authenticate=LocalDeveloper(services.settings.server)) as url:
            yield FakeSite(url=url, backend=backend)

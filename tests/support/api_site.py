"""A server that the tests of a module share, with new users for each test."""

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from services.ports import Clock
from services.runtime.services import Services
from services.settings import load_settings
from tests.support.api_client import Client, open_client
from tests.support.api_compositions import COMPOSITIONS, catalog_of
from tests.support.api_server import NewHourClock, open_faked, serve
from tests.support.fake_backend import FakeBackend
from tests.support.memory_catalog import MemoryCatalogStore

USERS = (f"user-{number}" for number in itertools.count())
CAPACITY = 1000  # every render starts at once, unless a test sets it to 0 to keep renders queued


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A server, its services and its backend."""

    http: httpx.AsyncClient
    services: Services
    backend: FakeBackend

    @property
    def clock(self) -> Clock:
        return self.services.clock


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(data_dir: Path) -> AsyncIterator[Site]:
    backend = FakeBackend(capacity=CAPACITY, poll_interval=timedelta(milliseconds=10), catalog=COMPOSITIONS)
    clock = NewHourClock()
    catalogs = MemoryCatalogStore(clock)
    await catalogs.put(catalog_of(backend, clock))
    settings = load_settings(data_dir=data_dir, acquire_interval_s=0.05)
    async with (
        open_faked(settings, backend, clock=clock, catalogs=catalogs) as services,
        serve(services) as url,
        open_client(url) as client,
    ):
        yield Site(http=client.http, services=services, backend=backend)


@pytest.fixture
def backend(site: Site) -> Iterator[FakeBackend]:
    """The site's backend. After the test it is reset, and its attempts are ended."""
    yield site.backend
    site.backend.capacity = CAPACITY
    site.backend.unavailable = False
    for render_id in site.backend.attempts:
        site.backend.break_down(render_id, retryable=False)


@pytest.fixture
def ann(site: Site, backend: FakeBackend) -> Client:
    del backend
    return Client(site.http, user=next(USERS))


@pytest.fixture
def bob(site: Site) -> Client:
    return Client(site.http, user=next(USERS))


@pytest.fixture
def anonymous(site: Site) -> Client:
    """A client without authentication."""
    return Client(site.http)

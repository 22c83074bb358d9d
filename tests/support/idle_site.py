"""A server in the test's process with one user, which renders nothing unless the test says so."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import HTTPConnection

from auth.authenticator import Authenticator
from services.models import Caller, Composition, Identity, RenderStatus
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import load_settings
from tests.support.api_compositions import catalog_of
from tests.support.api_server import NewHourClock, rewired, serve
from tests.support.fake_backend import FakeBackend
from tests.support.memory_catalog import MemoryCatalogStore
from tests.support.memory_store import copy_of

ANN = Caller(id="ann")


async def ann(connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
    """Authenticate every request as the same user."""
    del connection, params
    return Identity(caller=ANN)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleSite:
    """The server's URL, its services and its backend."""

    url: str
    services: Services
    backend: FakeBackend

    async def publish(self, render_id: str, *, revision: int, status: RenderStatus) -> None:
        """Send a state of a render to those who watch it, without storing it."""
        render = await self.services.renders.get(ANN, render_id)
        await self.services.hub.publish(copy_of(render, revision=revision, status=status))


@asynccontextmanager
async def open_idle_site(
    folder: Path, *compositions: Composition, authenticate: Authenticator = ann, **settings: object
) -> AsyncIterator[IdleSite]:
    """Serve the API with these compositions; without any, as before the first has been read."""
    backend = FakeBackend(capacity=0, catalog=compositions)
    clock = NewHourClock()
    catalogs = MemoryCatalogStore(clock)
    if compositions:
        await catalogs.put(catalog_of(backend, clock))
    given = {"quota_limit": 1000, **settings}
    async with open_embedded(load_settings(data_dir=folder, **given)) as embedded:
        services = rewired(embedded, backend=backend, clock=clock, catalogs=catalogs)
        async with serve(services, authenticate=authenticate) as url:
            yield IdleSite(url=url, services=services, backend=backend)

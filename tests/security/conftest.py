"""An issuer and a server that accepts its tokens, shared by the tests of a module."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from auth.bearer import open_bearer_tokens
from services.clock import SystemClock
from services.ports import Clock
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import load_settings
from tests.security.issuer import Issuer, open_issuer
from tests.support.api_client import Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.fake_backend import FakeBackend

MIN_INTERVAL_S = 0.05  # between two reads of the issuer's keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A server and the issuer that it trusts."""

    issuer: Issuer
    services: Services
    http: httpx.AsyncClient

    def client(self, token: str | None) -> Client:
        return Client(self.http, token=token)


@asynccontextmanager
async def open_site(issuer: Issuer, folder: Path, *, clock: Clock | None = None) -> AsyncIterator[Site]:
    settings = load_settings(data_dir=folder, jwt_issuer=issuer.url, acquire_interval_s=0.05)
    async with (
        open_embedded(settings) as services,
        open_bearer_tokens(settings.auth, min_interval_s=MIN_INTERVAL_S) as authenticate,
    ):
        faked = rewired(services, backend=FakeBackend(), clock=clock or SystemClock())
        async with serve(faked, authenticate=authenticate) as url, open_client(url) as client:
            yield Site(issuer=issuer, services=faked, http=client.http)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_issuer() as issuer, open_site(issuer, tmp_path_factory.mktemp("data")) as site:
        yield site


@pytest.fixture
def issuer(site: Site) -> Issuer:
    return site.issuer

"""Fixtures: the page with each version of React for each module, a server for each test."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.conftest import browser
from tests.browser.sites import FakeSite, open_fake_site
from tests.browser.visitors import visiting
from tests.react_client.page_user import VERSIONS, PageUser, build_packages, build_page
from tests.remotion_helper.projects import served_bundle
from tests.support.api_client import Client, open_client

__all__ = ["browser"]

Visit = Callable[..., AbstractAsyncContextManager[tuple[PageUser, FakeSite, Client]]]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_packages(tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="module", params=VERSIONS)
def page(request: pytest.FixtureRequest, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the page with a version of React."""
    folder = tmp_path_factory.mktemp("page")
    build_page(folder, package=package, version=request.param)
    with served_bundle(folder) as url:
        yield url.rstrip("/")


@pytest.fixture
def visit(browser: Browser, page: str) -> Visit:
    """Open a server, and the page for a user. Fails at the end if the page has caused errors or warnings."""

    @asynccontextmanager
    async def visit(folder: Path, *, quota_limit: int = 1000) -> AsyncIterator[tuple[PageUser, FakeSite, Client]]:
        async with (
            open_fake_site(folder, allowed_origins=page, quota_limit=quota_limit) as site,
            open_client(site.url) as elsewhere,
            visiting(browser, lambda tab: PageUser(page=tab, site=page, api=site.url)) as ann,
        ):
            site.backend.capacity = 100
            yield ann, site, elsewhere

    return visit


@pytest_asyncio.fixture(loop_scope="session")
async def opened(visit: Visit, tmp_path: Path) -> AsyncIterator[tuple[PageUser, FakeSite, Client]]:
    async with visit(tmp_path) as opened:
        yield opened


@pytest.fixture
def ann(opened: tuple[PageUser, FakeSite, Client]) -> PageUser:
    return opened[0]


@pytest.fixture
def site(opened: tuple[PageUser, FakeSite, Client]) -> FakeSite:
    return opened[1]


@pytest.fixture
def elsewhere(opened: tuple[PageUser, FakeSite, Client]) -> Client:
    """The same user without a browser."""
    return opened[2]

"""Fixtures: a browser for all tests of a worker, servers for each test, and a function that opens the studio."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.sites import SMALL, open_fake_site
from tests.browser.visitors import StudioUser, open_browser, visiting
from tests.end_to_end.conftest import deployment, function, remotion_site, renderers
from tests.end_to_end.processes import Start, dev_servers
from tests.end_to_end.slow import SlowRenderers

__all__ = ["deployment", "function", "remotion_site", "renderers"]

Visit = Callable[..., AbstractAsyncContextManager[StudioUser]]


@pytest.fixture
def start(tmp_path: Path, renderers: SlowRenderers) -> Iterator[Start]:
    with dev_servers(tmp_path, **renderers.settings) as start:
        yield start


@pytest.fixture(scope="module")
def shared_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a `rendercast dev` for the tests of a module that need no other settings and no empty list."""
    with dev_servers(tmp_path_factory.mktemp("shared"), quota_limit=100, **SMALL) as start:
        yield start().url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    """The studio's page, which all tests of a module share, for forms of `tests.browser.fields`."""
    folder: Path = tmp_path_factory.mktemp("fields")
    async with (
        open_fake_site(folder) as site,
        visiting(browser, lambda page: StudioUser(page=page, site=site.url), bypass_csp=True) as ann,  # for axe
    ):
        await ann.open_studio()
        yield ann.page


@pytest.fixture
def visit(browser: Browser) -> Visit:
    def visit(site: str, *, ignored: tuple[str, ...] = (), **options: Any) -> AbstractAsyncContextManager[StudioUser]:
        return visiting(browser, lambda page: StudioUser(page=page, site=site, ignored=ignored), **options)

    return visit

"""Fixtures: a browser for each module, servers for each test, and a function that opens the studio."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.sites import open_dev_site
from tests.browser.visitors import StudioUser, open_browser, visiting
from tests.end_to_end.processes import Start, dev_servers

OpenSite = Callable[..., AbstractAsyncContextManager[str]]
Visit = Callable[..., AbstractAsyncContextManager[StudioUser]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with dev_servers(tmp_path) as start:
        yield start


@pytest.fixture
def open_site(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[OpenSite]:
    """Return a function that serves in this process. Fails at the end if the server has logged an exception."""
    yield partial(open_dev_site, tmp_path)
    assert [record for record in caplog.get_records("call") if record.exc_info] == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Visit:
    def visit(site: str, *, ignored: tuple[str, ...] = (), **options: Any) -> AbstractAsyncContextManager[StudioUser]:
        return visiting(browser, lambda page: StudioUser(page=page, site=site, ignored=ignored), **options)

    return visit

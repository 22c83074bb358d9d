"""An in-process server with one user for each module, on which nothing is rendered until a test says so."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.api_compositions import COMPOSITIONS
from tests.support.idle_site import IdleSite, open_idle_site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[IdleSite]:
    async with open_idle_site(tmp_path_factory.mktemp("site"), *COMPOSITIONS) as site:
        yield site

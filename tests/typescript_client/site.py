"""A server in the test's process whose render backend the test controls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.browser.sites import FakeSite, open_fake_site
from tests.support.api_client import open_client


@asynccontextmanager
async def open_site(folder: Path, **options: Any) -> AsyncIterator[FakeSite]:
    """Run a server. By default it has one user, who needs no token and has a large quota."""
    async with open_fake_site(folder, **{"quota_limit": 1000, **options}) as site:
        site.backend.capacity = 100
        yield site


async def until_running(site: FakeSite, render_id: str) -> None:
    """Wait until the server has recorded that the backend runs the render, whose state changes no more by itself."""
    async with open_client(site.url) as client:
        await client.until(render_id, status="RENDERING")

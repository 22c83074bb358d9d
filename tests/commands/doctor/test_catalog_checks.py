"""The check of `rendercast doctor` for the stored list of compositions."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from commands.doctor.checks import diagnose
from services.clock import SystemClock
from services.models import Catalog
from services.runtime.data_folder import STORE_FILE
from services.stores.sqlite import SqliteStore, open_sqlite_store
from tests.support.api_compositions import COMPOSITIONS
from tests.support.lambda_server import FUNCTION
from tests.support.remotion_farm import BUCKET, Farm

pytestmark = pytest.mark.slow


@pytest.fixture
async def store(nothing_set: None, tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open store, as while `dev` is running."""
    del nothing_set
    (tmp_path / ".rendercast").mkdir()
    async with open_sqlite_store(tmp_path / ".rendercast" / STORE_FILE, SystemClock()) as store:
        yield store


@pytest.fixture
async def site(farm: Farm, nothing_set: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BaseTestServer]:
    """A Remotion site of version 1, and the settings of a function that renders it."""
    del nothing_set

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>", headers={"ETag": '"1"'})

    farm.bucket.put(BUCKET, "sites/x/index.html", b"<html>")
    app = web.Application()
    app.router.add_get("/index.html", page)
    async with TestServer(app) as server:
        monkeypatch.setenv("RENDERCAST_RENDERER", "lambda")
        monkeypatch.setenv("REMOTION_SERVE_URL", str(server.make_url("/index.html")))
        monkeypatch.setenv("REMOTION_LAMBDA_FUNCTION_NAME", FUNCTION)
        monkeypatch.setenv("REMOTION_BUCKET_NAME", BUCKET)
        monkeypatch.setenv("REMOTION_AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("REMOTION_AWS_SECRET_ACCESS_KEY", "secret")
        yield server


async def compositions_found() -> str:
    """Return the result of the check with its sentence."""
    findings = [each for each in await diagnose(None) if each.check == "compositions"]
    (finding,) = findings
    return f"{finding.result} {finding.sentence}"


async def discovered(store: SqliteStore, site: BaseTestServer, *, version: str) -> None:
    """Store a list of the site, as a worker does."""
    url = str(site.make_url("/index.html"))
    at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    await store.catalog.put(Catalog(site=url, version=version, compositions=COMPOSITIONS, discovered_at=at))


async def test_the_list_of_the_current_site_is_ok(store: SqliteStore, site: BaseTestServer) -> None:
    await discovered(store, site, version='"1"')
    assert await compositions_found() == (
        f"OK The stored list is that of the current site: {len(COMPOSITIONS)} compositions, "
        "discovered at 2026-01-02 03:04 UTC."
    )


async def test_the_list_of_another_version_is_a_warning(store: SqliteStore, site: BaseTestServer) -> None:
    await discovered(store, site, version='"0"')
    found = await compositions_found()
    assert found.startswith("WARNING The site has changed since its list was stored (")
    assert "rendercast compositions refresh" in found


@pytest.mark.usefixtures("store", "site")
async def test_a_site_without_a_list_is_a_warning() -> None:
    assert (await compositions_found()).startswith("WARNING No list of compositions of this site is stored.")


async def test_a_site_that_can_not_be_read_leaves_the_last_list_in_use(
    store: SqliteStore, site: BaseTestServer
) -> None:
    await discovered(store, site, version='"1"')
    await site.close()
    found = await compositions_found()
    assert found.startswith("WARNING The site can't be read: ")
    assert f"The last list stays in use: {len(COMPOSITIONS)} compositions, discovered at 2026-01-02 03:04 UTC." in found


@pytest.mark.usefixtures("site")
async def test_without_a_store_the_check_is_skipped() -> None:
    assert (await compositions_found()).startswith("SKIPPED The list can't be read: There is no data file ")


async def test_the_text_renderer_needs_no_check() -> None:
    assert (await compositions_found()).startswith("SKIPPED The text renderer has one composition")

"""The rights that processes need before and after `rendercast migrate`, with the role of docs/operating.md."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from services.errors import StartupError
from services.settings import CHECKOUT
from services.stores.mongo import open_mongo_store
from services.stores.mongo_migration import migrate_mongo
from tests.conftest import MakeRender
from tests.services.stores.test_sqlite import use_catalog, use_everything, use_outbox
from tests.support.mongo_server import MongoServer, connect_to_mongo

pytestmark = pytest.mark.slow

RETENTION = timedelta(days=30)
PASSWORD = "password"  # noqa: S105  # of a server of this test


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """A server that requires users: `admin` with all rights, and `app` with the documented role."""
    server = MongoServer(tmp_path_factory.mktemp("rights") / "data")
    server.start()
    with connect_to_mongo(server.url) as client:
        client.admin.command("createUser", "admin", pwd=PASSWORD, roles=["root"])
        role = documented_role()
        client.rendercast.command("createRole", role["role"], privileges=role["privileges"], roles=role["roles"])
        client.rendercast.command("createUser", "app", pwd=PASSWORD, roles=[{"role": role["role"], "db": "rendercast"}])
    server.stop()
    server.authenticates = True
    server.start()
    yield server
    server.stop()


def documented_role() -> dict[str, Any]:
    text = (CHECKOUT / "docs" / "operating.md").read_text()
    found = re.search(r"db\.createRole\((\{.*?\})\)\n", text, re.DOTALL)
    assert found is not None
    role: dict[str, Any] = json.loads(found[1])
    return role


def url(server: MongoServer, user: str, options: str = "") -> str:
    return server.url.replace("://", f"://{user}:{PASSWORD}@") + f"/rendercast{options}"


async def test_the_documented_role_suffices_for_processes_after_migrate_only(
    server: MongoServer, make_render: MakeRender, caplog: pytest.LogCaptureFixture
) -> None:
    app = url(server, "app")
    with pytest.raises(StartupError, match=r"renders\.by_key is missing \(not authorized.*run `rendercast migrate`"):
        async with open_mongo_store(AsyncMongoClient, app):
            pass
    with pytest.raises(StartupError, match=r"renders\.by_key was not built: not authorized"):
        await migrate_mongo(app, retention=None, report=lambda _: None)
    await migrate_mongo(url(server, "admin", "?authSource=admin"), retention=RETENTION, report=lambda _: None)
    caplog.clear()
    async with open_mongo_store(AsyncMongoClient, app, retention=RETENTION, webhooks_enabled=True) as store:
        await use_everything(store, make_render)
        await use_outbox(store.outbox)
        await use_catalog(store.catalog)
    assert caplog.text == ""


async def test_a_wrong_password_prevents_the_start_and_is_not_shown(server: MongoServer) -> None:
    with pytest.raises(StartupError, match="uthentication failed") as error:
        async with open_mongo_store(AsyncMongoClient, url(server, "app").replace(PASSWORD, "hunter2")):
            pass
    assert "hunter2" not in str(error.value)

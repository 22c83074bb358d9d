"""`rendercast compositions refresh` on the data of a `dev`, running or not, and of a deployment with MongoDB."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import cli
from commands.server.compositions import changes_between
from services.clock import SystemClock
from services.errors import StartupError
from services.models import Catalog, Composition
from services.runtime.data_folder import STORE_FILE
from services.settings import variable
from services.stored_documents import SCHEMA_VERSION
from services.stores.sqlite import open_sqlite_store
from tests.commands.conftest import SMALL, environment
from tests.end_to_end.conftest import Start
from tests.support.api_compositions import composition
from tests.support.forked import run_forked_text
from tests.support.mongo_server import connect_to_mongo

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MONGODB_URL", raising=False)
    folder = tmp_path / ".rendercast"
    folder.mkdir()
    return folder


@pytest.fixture
async def store(data: Path) -> AsyncIterator[None]:
    """An open store, as while `dev` is running."""
    async with open_sqlite_store(data / STORE_FILE, SystemClock()):
        yield


def made(*compositions: Composition) -> Catalog:
    return Catalog(site="s", version="1", compositions=compositions, discovered_at=datetime.now(UTC))


def refresh(*arguments: str, **settings: str) -> Result:
    return CliRunner().invoke(cli, ["compositions", "refresh", *arguments], env=settings)


def test_added_removed_and_changed_compositions_are_found() -> None:
    a, b, c, d = map(composition, "ABCD")
    wider = composition("C", width=1920)
    assert changes_between(made(a, b, c), made(d, wider, b)) == {"added": ["D"], "removed": ["A"], "changed": ["C"]}
    assert changes_between(None, made(a, b)) == {"added": ["A", "B"], "removed": [], "changed": []}
    assert not any(changes_between(made(a, b), made(b, a)).values())


def test_a_running_server_may_use_the_store(start: Start) -> None:
    server = start(**SMALL)
    settings = {variable(name): str(value) for name, value in SMALL.items()}
    command = ["compositions", "refresh"]
    ended = run_forked_text(command, cwd=server.folder, env=environment(server.url, **settings))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.fullmatch(r"1 composition(; nothing has changed)?\.\n(added    TextAnimation\n)?", ended.stdout)


@pytest.mark.usefixtures("store")
def test_changes_are_printed() -> None:
    first, same = refresh(), refresh()
    assert (first.exit_code, first.output) == (0, "1 composition.\nadded    TextAnimation\n")
    assert (same.exit_code, same.output) == (0, "1 composition; nothing has changed.\n")
    assert refresh(RENDERCAST_TEXT_WIDTH="640").output == "1 composition.\nchanged  TextAnimation\n"
    assert json.loads(refresh("--json").output) == {
        "compositions": ["TextAnimation"],
        "added": [],
        "removed": [],
        "changed": ["TextAnimation"],
    }


def test_the_list_is_stored_in_mongodb(data: Path, mongo_url: str) -> None:
    assert refresh(MONGODB_URL=mongo_url, RENDERCAST_RENDERER="text").output == (
        "1 composition.\nadded    TextAnimation\n"
    )
    assert "nothing has changed" in refresh(MONGODB_URL=mongo_url, RENDERCAST_RENDERER="text").output
    assert not (data / "rendercast.sqlite3").exists()


@pytest.mark.usefixtures("data")
def test_the_list_of_a_newer_version_stays(mongo_url: str) -> None:
    settings = {"MONGODB_URL": mongo_url, "RENDERCAST_RENDERER": "text"}
    refresh(**settings)
    with connect_to_mongo(mongo_url) as client:
        client.get_default_database()["catalogs"].update_one({}, {"$set": {"schema": SCHEMA_VERSION + 1}})
    ended = refresh(**settings)
    assert (ended.exit_code, ended.output) == (1, "")
    assert str(ended.exception) == (
        "The compositions can't be refreshed: the stored list was written by a newer version of Rendercast."
    )


@pytest.mark.usefixtures("data")
def test_one_sentence_says_why_nothing_is_stored() -> None:
    for settings, words in (
        ({}, "`rendercast dev` creates it"),
        ({"MONGODB_URL": "mongodb://127.0.0.1:1/?timeoutMS=300"}, "MongoDB at 127.0.0.1:1 can't be used"),
    ):
        ended = refresh(**settings)
        assert (ended.exit_code, ended.output) == (1, "")
        assert isinstance(ended.exception, StartupError)  # `main` prints it without a traceback
        assert words in str(ended.exception)

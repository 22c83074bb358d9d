"""`rendercast forget` on the data of `dev` and of a deployment with MongoDB, with the real text renderer's folder."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient, MongoClient
from typer.testing import CliRunner, Result

from cli import cli
from services.clock import SystemClock
from services.errors import StartupError
from services.models import Output, Render
from services.ports import RenderStore
from services.renders import lifecycle
from services.runtime.data_folder import STORE_FILE, lock_folder
from services.stores.mongo import open_mongo_store
from services.stores.mongo_connection import Document
from services.stores.mongo_indexes import RETENTION_INDEX
from services.stores.sqlite import open_sqlite_store
from services.webhooks.messages import message_id
from tests.conftest import MakeRender
from tests.support.stored_renders import NOW, added, launched

OWNER = "rendercast ann"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MONGODB_URL", raising=False)
    data = tmp_path / ".rendercast"
    (data / "outputs").mkdir(parents=True)
    return data


def forget(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli, ["forget", *arguments], env={"RENDERCAST_RENDERER": "text", **environment})


async def completed(store: RenderStore, render: Render, folder: Path) -> None:
    """Store a complete render with its files."""
    running = launched(await added(store, render))
    assert await store.record(running)
    for suffix in ("mp4", "jpg"):
        (folder / "outputs" / f"{render.id}.{suffix}").write_bytes(b"content")
    output = Output(bucket="", key=f"{render.id}.mp4", size_bytes=7, poster_key=f"{render.id}.jpg")
    assert await store.record(lifecycle.complete(running, output=output, cost_usd=None, warnings=(), now=NOW))


async def fill_embedded(folder: Path, complete: Sequence[Render], running: Sequence[Render] = ()) -> None:
    async with open_sqlite_store(folder / STORE_FILE, SystemClock(), webhooks_enabled=True) as store:
        for render in complete:
            await completed(store, render, folder)
        for render in running:
            assert await store.record(launched(await added(store, render)))


def files(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "outputs").iterdir()}


def test_it_erases_the_data_of_dev_of_one_owner_and_can_be_repeated(folder: Path, make_render: MakeRender) -> None:
    mine, running, theirs = (make_render(owner=owner) for owner in (OWNER, OWNER, "rendercast bob"))
    asyncio.run(fill_embedded(folder, [mine, theirs], [running]))

    dry = forget(OWNER, "--dry-run")
    assert dry.exit_code == 0
    assert "Would erase 2 renders with the stored files, 1 webhook message and the quota of 1 window." in dry.stdout
    assert "Would first cancel 1 unfinished render." in dry.stdout
    assert files(folder) == {mine.id, theirs.id}

    done = forget(OWNER)
    assert done.exit_code == 0, done.exception
    assert done.stdout == "Erased 2 renders with the stored files, 1 webhook message and the quota of 1 window.\n"
    assert files(folder) == {theirs.id}

    again = forget(OWNER)
    assert (again.exit_code, again.stdout) == (0, f"Nothing is stored about {OWNER}.\n")


def test_it_erases_damaged_renders_and_messages_with_their_files(folder: Path, make_render: MakeRender) -> None:
    whole, damaged, queued, theirs = (make_render(owner=owner) for owner in (OWNER, OWNER, OWNER, "rendercast bob"))
    asyncio.run(fill_embedded(folder, [whole, damaged, theirs], [queued]))
    (folder / "outputs" / f"{damaged.id}.webm").write_bytes(b"content")
    with closing(sqlite3.connect(folder / STORE_FILE)) as connection, connection:
        for render in (damaged, queued, theirs):
            connection.execute("UPDATE renders SET document = substr(document, 1, 100) WHERE id = ?", (render.id,))
            ids = (message_id(render.id),)
            connection.execute("UPDATE webhooks SET document = substr(document, 1, 100) WHERE id = ?", ids)

    dry = forget(OWNER, "--dry-run")
    assert dry.exit_code == 0, dry.exception
    assert dry.stdout == (
        "Would erase 3 renders with the stored files, 2 webhook messages and the quota of 1 window.\n"
    )
    assert files(folder) == {whole.id, damaged.id, theirs.id}

    done = forget(OWNER)
    assert done.exit_code == 0, done.exception
    assert done.stdout == "Erased 3 renders with the stored files, 2 webhook messages and the quota of 1 window.\n"
    assert files(folder) == {theirs.id}
    assert forget(OWNER).stdout == f"Nothing is stored about {OWNER}.\n"


def test_a_failure_of_the_store_is_one_sentence(folder: Path, make_render: MakeRender) -> None:
    asyncio.run(fill_embedded(folder, [make_render(owner=OWNER)]))
    with closing(sqlite3.connect(folder / STORE_FILE)) as connection, connection:
        connection.execute("DROP TABLE quota_windows")
    failed = forget(OWNER)
    assert failed.exit_code == 1
    assert str(failed.exception) == (
        "Not everything is erased: the data file can't be read or written: no such table: quota_windows. Run it again."
    )


def test_it_fails_while_dev_is_running(folder: Path, make_render: MakeRender) -> None:
    render = make_render(owner=OWNER)
    asyncio.run(fill_embedded(folder, [render]))
    with lock_folder(folder):
        rejected = forget(OWNER)
    assert rejected.exit_code == 1
    assert isinstance(rejected.exception, StartupError)
    assert "in use by another Rendercast process" in str(rejected.exception)
    assert files(folder) == {render.id}


@pytest.mark.parametrize("owner", ["", " ", "\t\n"])
def test_it_rejects_an_empty_owner(owner: str) -> None:
    rejected = forget("--", owner)
    assert rejected.exit_code == 2
    assert "the owner is empty" in rejected.output


def test_it_fails_without_any_data_and_creates_none(folder: Path) -> None:
    rejected = forget(OWNER)
    assert isinstance(rejected.exception, StartupError)
    assert "there is no data file" in str(rejected.exception)
    assert not (folder / STORE_FILE).exists()


@pytest.mark.slow
def test_it_erases_the_data_of_a_deployment_and_names_renders_of_newer_versions(
    folder: Path, mongo_url: str, make_render: MakeRender
) -> None:
    mine, newer, theirs = (make_render(owner=owner) for owner in (OWNER, OWNER, "rendercast bob"))

    async def fill() -> None:
        async with open_mongo_store(AsyncMongoClient, mongo_url, webhooks_enabled=True) as store:
            for render in (mine, newer, theirs):
                await completed(store, render, folder)
            await store._renders.update_one({"_id": newer.id}, {"$set": {"schema": 99}})

    async def left() -> Sequence[str]:
        async with open_mongo_store(AsyncMongoClient, mongo_url) as store:
            return [*await store.render_ids(OWNER), *await store.render_ids("rendercast bob")]

    asyncio.run(fill())
    client: MongoClient[Document] = MongoClient(mongo_url)
    with client:
        renders = client.get_default_database()["renders"]
        renders.create_index("ended_at", name=RETENTION_INDEX, expireAfterSeconds=3 * 86_400)
        result = forget(OWNER, MONGODB_URL=mongo_url, RENDERCAST_RETENTION_DAYS="1")
        assert renders.index_information()[RETENTION_INDEX]["expireAfterSeconds"] == 3 * 86_400
    assert result.stdout == "Erased 1 render with the stored files, 2 webhook messages and the quota of 1 window.\n"
    assert result.exit_code == 1
    assert isinstance(result.exception, StartupError)
    assert f"this version can't read them: {newer.id}." in str(result.exception)
    assert files(folder) == {newer.id, theirs.id}
    assert asyncio.run(left()) == [newer.id, theirs.id]

"""Starts that can't succeed end with a one-line error that names the cause, and change no stored data."""

import asyncio
import shutil
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Start
from tests.end_to_end.processes import Rendercast, spawn
from tests.support.api_client import GET, TEST_TIMEOUT_S, open_client

DATA_FILE = ".rendercast/rendercast.sqlite3"


def rejection(folder: Path, *arguments: str, **settings: object) -> str:
    """Return the error of a start that fails, which is one line."""
    process = spawn(folder, "dev", "--port", "0", *arguments, **settings)
    try:
        output, _ = process.communicate(timeout=TEST_TIMEOUT_S)
    finally:
        process.kill()
    text = (folder / "stderr").read_text()
    assert (process.returncode, output) == (1, b""), text
    assert text.startswith("rendercast: ")
    assert (text[-1], text.count("\n")) == ("\n", 1)
    return text.removeprefix("rendercast: ").removesuffix("\n")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which Rendercast has run and stored one render."""
    return tmp_path_factory.mktemp("stored")


@pytest.fixture(scope="module")
def render_id(stored: Path) -> str:
    rendercast = Rendercast(stored, text_width=64, text_height=64)
    try:
        render_id = asyncio.run(_one_render(rendercast.url))
        assert rendercast.end() == 0
    finally:
        rendercast.close()
    (stored / "stderr").unlink()
    return render_id


async def _one_render(url: str) -> str:
    async with open_client(url) as client:
        render_id = await client.start_render(durationInFrames=1)
        await client.until(render_id, status="COMPLETE")
        return render_id


@pytest.fixture
def folder(stored: Path, render_id: str, tmp_path: Path) -> Path:
    """A copy of that folder."""
    del render_id
    shutil.copytree(stored, tmp_path, dirs_exist_ok=True)
    return tmp_path


async def check_stored(start: Start, render_id: str) -> None:
    async with open_client(start().url) as client:
        assert (await client.execute(GET, id=render_id))["status"] == "COMPLETE"


async def test_a_data_file_from_a_newer_version_is_not_changed(folder: Path, render_id: str, start: Start) -> None:
    with sqlite3.connect(folder / DATA_FILE) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        database.execute("PRAGMA user_version = 99")
    database.close()
    assert "newer version" in rejection(folder)
    with sqlite3.connect(folder / DATA_FILE) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (99,)
        database.execute(f"PRAGMA user_version = {version}")
    database.close()
    (folder / "stderr").unlink()
    await check_stored(start, render_id)


def test_a_file_that_is_no_data_file_is_not_changed(folder: Path) -> None:
    (folder / DATA_FILE).write_bytes(b"My diary. " * 1000)
    assert DATA_FILE in rejection(folder)
    assert (folder / DATA_FILE).read_bytes() == b"My diary. " * 1000


async def test_a_second_process_on_the_same_data_is_rejected(folder: Path, render_id: str) -> None:
    first = Rendercast(folder)
    try:
        (folder / "stderr").rename(folder / "stderr of the first")
        assert "in use by another Rendercast" in rejection(folder)
        async with open_client(first.url) as client:
            assert (await client.execute(GET, id=render_id))["status"] == "COMPLETE"
            assert (await client.start(text=""))["__typename"] == "InvalidAnimation"
        assert first.end() == 0
    finally:
        first.close()


def test_a_busy_port_is_named_and_no_data_is_created(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert f"127.0.0.1:{port}" in rejection(tmp_path, "--port", str(port))
    assert [path.name for path in tmp_path.iterdir()] == ["stderr"]


@pytest.mark.parametrize("path", ["a file", "/proc/nowhere"])
def test_a_data_folder_that_cant_be_written_is_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "a file").write_text("mine")
    assert path in rejection(tmp_path, data_dir=path)
    assert (tmp_path / "a file").read_text() == "mine"


@pytest.mark.parametrize("name", ["rendercast.sqlite3", "outputs", "download-key"])
def test_a_path_of_the_wrong_type_is_named(tmp_path: Path, name: str) -> None:
    data = tmp_path / ".rendercast"
    data.mkdir()
    if name == "outputs":
        (data / name).write_text("mine")
    else:
        (data / name).mkdir()
    assert name in rejection(tmp_path)


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    error = rejection(tmp_path, quota_limit="abc")
    assert error.startswith("RENDERCAST_QUOTA_LIMIT must be a whole number")


def test_an_address_that_is_not_loopback_is_rejected(tmp_path: Path) -> None:
    assert "0.0.0.0 is not loopback" in rejection(tmp_path, "--host", "0.0.0.0")  # noqa: S104  # never listened on

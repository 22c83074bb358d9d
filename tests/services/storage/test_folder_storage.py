"""The output folder. `tests/transport/test_downloads.py` has the URLs."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from services.errors import BackendUnavailable, StartupError
from services.media import FORMATS, OutputFormat, OutputKind, OutputOptions
from services.models import Output
from services.storage.finished_files import NotStored, store_finished
from services.storage.folder_storage import FolderStorage, open_folder_storage
from services.storage.keys import output_name, poster_name, preview_name
from tests.conftest import MakeRender
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.fake_clock import FakeClock

OUTPUT = Output(bucket="local", key="a.mp4", size_bytes=5, poster_key="a.jpg")
EXPIRY = timedelta(hours=1)


def open_storage(folder: Path, *, shared: bool = False) -> FolderStorage:
    return open_folder_storage(folder, base_url="http://videos.example", clock=FakeClock(), shared=shared)


def test_processes_that_share_a_folder_sign_the_same_urls(tmp_path: Path) -> None:
    one, other = open_storage(tmp_path, shared=True), open_storage(tmp_path, shared=True)
    assert one.sign(OUTPUT, expires_in=EXPIRY) == other.sign(OUTPUT, expires_in=EXPIRY)
    assert one.sign_poster(OUTPUT, expires_in=EXPIRY) == other.sign_poster(OUTPUT, expires_in=EXPIRY)
    assert one.sign_poster(Output(bucket="local", key="a.png", size_bytes=5), expires_in=EXPIRY) is None


def test_the_work_folder_of_a_relative_data_folder_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_storage(Path()).work_folder == tmp_path / "outputs"  # processes in other folders write to it


def test_an_unusable_folder_prevents_the_start(tmp_path: Path) -> None:
    (tmp_path / "outputs").touch()
    with pytest.raises(StartupError, match="can't be used for videos"):
        open_storage(tmp_path)


async def test_an_unusable_folder_is_unavailable(tmp_path: Path, make_render: MakeRender) -> None:
    storage, render = open_storage(tmp_path), make_render()
    unusable = replace(storage, folder=tmp_path / "download-key")
    for use in (
        unusable.stored(render),
        unusable.has_output(OUTPUT),
        unusable.delete(render),
        unusable.store_preview(render, b""),
        unusable.store(render, output=tmp_path / "a", poster=None),
    ):
        with pytest.raises(BackendUnavailable):
            await use


@pytest.mark.parametrize("name", list(OutputFormat))
def test_each_output_has_a_name_of_its_own_beside_its_poster_and_preview(
    make_render: MakeRender, name: OutputFormat
) -> None:
    render = make_render(output_options=OutputOptions(format=name))
    assert output_name(render) == f"{render.id}.{FORMATS[name].extension}"
    assert len({output_name(render), poster_name(render), preview_name(render)}) == 3
    assert (poster_name(render) is None) is (FORMATS[name].kind is OutputKind.STILL)


async def test_the_url_of_a_preview_differs_with_each_frame_and_leads_to_the_newest(
    tmp_path: Path, make_render: MakeRender
) -> None:
    storage, render = open_storage(tmp_path), make_render()
    urls = []
    for frame in (1, 2):
        await storage.store_preview(render, b"jpeg %d" % frame)
        urls.append(storage.sign_preview(render, frame=frame, expires_in=EXPIRY).url)
        query = dict(pair.split("=") for pair in urls[-1].partition("?")[2].split("&"))
        path = storage.find_download(preview_name(render), expires=query["expires"], signature=query["signature"])
        assert path is not None
        assert path.read_bytes() == b"jpeg %d" % frame
    assert len(set(urls)) == 2
    await storage.delete(render)
    assert list(storage.folder.iterdir()) == []


def test_a_file_is_found_by_its_signed_url_only(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    path = storage.folder / OUTPUT.key
    path.touch()
    query = storage.sign(OUTPUT, expires_in=EXPIRY).url.partition("?")[2]
    expires, signature = (part.partition("=")[2] for part in query.split("&"))
    find = partial(storage.find_download, OUTPUT.key, expires=expires)
    assert find(signature=signature) == path
    assert find(signature="") is None
    assert find(signature=signature, file_name="Promo.mp4") is None
    assert storage.find_download("../download-key", expires=expires, signature=signature) is None
    path.unlink()
    assert find(signature=signature) is None


async def test_an_output_that_has_vanished_is_rendered_again_instead_of_awaited(
    tmp_path: Path, make_render: MakeRender
) -> None:
    storage = open_storage(tmp_path)
    async with asyncio.timeout(TEST_TIMEOUT_S):
        with pytest.raises(NotStored) as error:
            await store_finished(
                storage, make_render(), output=storage.folder / "gone.part", poster=None, clock=FakeClock()
            )
    assert (error.value.failure.code, error.value.failure.retryable) == ("OUTPUT_MISSING", True)
    assert "gone.part" in (error.value.failure.detail or "")

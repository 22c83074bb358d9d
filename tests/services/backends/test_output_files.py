from pathlib import Path

import pytest

from services.backends.output_files import OutputFiles, remove
from services.backends.text.formats import TEXT_FORMATS
from services.errors import BackendUnavailable
from services.media import FORMATS, OutputFormat, OutputKind, OutputOptions
from services.models import Output
from tests.conftest import MakeRender


@pytest.fixture
def files(tmp_path: Path) -> OutputFiles:
    return OutputFiles(tmp_path)


def test_each_output_has_a_name_of_its_own_beside_its_poster(files: OutputFiles, make_render: MakeRender) -> None:
    for name in TEXT_FORMATS:
        render = make_render(output_options=OutputOptions(format=name))
        poster = files.poster(render)
        assert files.output(render).name == f"{render.id}.{FORMATS[name].extension}"
        assert files.output(render) != poster
        assert (poster is None) is (FORMATS[name].kind is OutputKind.STILL)


@pytest.mark.parametrize("name", [OutputFormat.H264, OutputFormat.GIF, OutputFormat.JPEG])
def test_a_stored_output_is_found_with_its_poster_and_deleted(
    files: OutputFiles, make_render: MakeRender, name: OutputFormat
) -> None:
    render = make_render(output_options=OutputOptions(format=name))
    assert files.stored(render) is None
    files.output(render).write_bytes(b"12345")
    key, poster = files.output(render).name, files.poster(render)
    assert files.stored(render) == Output(bucket="local", key=key, size_bytes=5)
    if poster is not None:
        poster.touch()
        assert files.stored(render) == Output(bucket="local", key=key, size_bytes=5, poster_key=poster.name)
    assert files.exists(key)
    assert files.find(key) == files.output(render)
    for _ in range(2):
        files.delete(render)
        assert list(files.folder.iterdir()) == []
    assert not files.exists(key)
    assert files.find(key) is None


def test_an_output_of_another_format_is_not_the_renders(files: OutputFiles, make_render: MakeRender) -> None:
    render = make_render(output_options=OutputOptions(format=OutputFormat.VP9))
    (files.folder / f"{render.id}.mp4").touch()
    assert files.stored(render) is None


def test_an_unusable_folder_is_unavailable(files: OutputFiles, make_render: MakeRender) -> None:
    (files.folder / "file").touch()
    unusable, render = OutputFiles(files.folder / "file"), make_render()
    for use in (unusable.stored, unusable.delete):
        with pytest.raises(BackendUnavailable):
            use(render)
    with pytest.raises(BackendUnavailable):
        unusable.exists("a.mp4")


def test_unneeded_files_and_folders_are_removed(files: OutputFiles) -> None:
    (files.part("folder") / "inner").mkdir(parents=True)
    files.part("file").touch()
    files.part("link").symlink_to(files.folder)
    for name in ("folder", "file", "link", "missing"):
        remove(files.part(name))
    assert list(files.folder.iterdir()) == []

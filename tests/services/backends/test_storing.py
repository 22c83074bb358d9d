from pathlib import Path

from services.backends.storing import StoringBackend
from services.storage.folder_storage import open_folder_storage
from tests.conftest import MakeRender
from tests.support.fake_clock import FakeClock


async def test_a_deletion_includes_a_preview_that_is_still_being_stored(
    tmp_path: Path, make_render: MakeRender
) -> None:
    backend = StoringBackend(open_folder_storage(tmp_path, base_url="http://x", clock=FakeClock(), shared=True))
    render = make_render()
    backend._previews.offer(render, b"jpeg", frame=3)
    await backend.delete(render)
    await backend._previews.close()
    assert list(backend.storage.work_folder.iterdir()) == []

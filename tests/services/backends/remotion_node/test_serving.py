"""The backend of processes that run no renders."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.backends.remotion_node.formats import NODE_FORMATS
from services.backends.remotion_node.serving import ServingBackend
from services.errors import BackendUnavailable, StartRejected
from services.ports import AttemptFinished, AttemptMissing
from services.storage.folder_storage import open_folder_storage
from tests.conftest import MakeRender
from tests.support.fake_clock import FakeClock


@pytest.fixture
def backend(tmp_path: Path) -> ServingBackend:
    storage = open_folder_storage(tmp_path, base_url="http://x", clock=FakeClock(), shared=True)
    return ServingBackend(storage, site="node", composition="Title")


async def test_it_renders_nothing(backend: ServingBackend, make_render: MakeRender) -> None:
    with pytest.raises(StartRejected):
        await backend.start(make_render())
    for discover in (backend.site_version, backend.compositions):
        with pytest.raises(BackendUnavailable):
            await discover()
    assert backend.time_limit(make_render()) == timedelta()
    assert (backend.site, backend.animation_composition_id, backend.formats) == ("node", "Title", NODE_FORMATS)


async def test_outputs_of_workers_are_found_signed_and_deleted(
    backend: ServingBackend, make_render: MakeRender
) -> None:
    render = make_render()
    assert await backend.observe(render) == AttemptMissing()
    assert await backend.stop(render) is None
    (backend.storage.work_folder / f"{render.id}.mp4").write_bytes(b"12345")
    finished = await backend.stop(render)
    assert isinstance(finished, AttemptFinished)
    assert await backend.observe(render) == finished
    await backend.abandon(render)
    expiry = timedelta(hours=1)
    assert backend.sign(finished.output, expires_in=expiry).url.startswith(f"http://x/files/{render.id}.mp4?")
    assert backend.sign_poster(finished.output, expires_in=expiry) is None
    assert await backend.has_output(finished.output)
    await backend.delete(render)
    assert not await backend.has_output(finished.output)

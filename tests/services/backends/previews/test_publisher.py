import asyncio
from collections.abc import AsyncIterator

import pytest

from services.backends.previews.publisher import PreviewPublisher
from services.errors import BackendUnavailable
from services.models import Render, RenderPhase
from services.ports import AttemptMissing, AttemptProgress
from tests.conftest import MakeRender
from tests.support.fake_clock import settle

PROGRESS = AttemptProgress(phase=RenderPhase.RENDERING_FRAMES, fraction=0.5, frames_rendered=5)


class MemoryPreviews:
    """A storage of previews, whose calls wait for `gate`, and raise errors while `is_unavailable`."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.calls = 0
        self.is_unavailable = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def store_preview(self, render: Render, jpeg: bytes) -> None:
        await self._call()
        self.stored[render.id] = jpeg

    async def delete_preview(self, render: Render) -> None:
        await self._call()
        self.stored.pop(render.id, None)

    async def _call(self) -> None:
        self.calls += 1
        await self.gate.wait()
        if self.is_unavailable:
            raise BackendUnavailable("no response")


@pytest.fixture
def storage() -> MemoryPreviews:
    return MemoryPreviews()


@pytest.fixture
async def publisher(storage: MemoryPreviews) -> AsyncIterator[PreviewPublisher]:
    opened = PreviewPublisher(storage)
    yield opened
    await opened.close()


def frame(publisher: PreviewPublisher, render: Render) -> int | None:
    observed = publisher.observed(render, PROGRESS)
    assert isinstance(observed, AttemptProgress)
    return observed.preview_frame


async def test_a_stored_preview_is_observed_with_its_number(
    publisher: PreviewPublisher, storage: MemoryPreviews, make_render: MakeRender
) -> None:
    one, other = make_render(), make_render()
    storage.gate.clear()
    publisher.offer(one, b"a", frame=3)
    await settle()
    assert frame(publisher, one) is None
    storage.gate.set()
    await settle()
    assert storage.stored == {one.id: b"a"}
    assert (frame(publisher, one), frame(publisher, other)) == (3, None)
    assert publisher.observed(one, AttemptMissing()) == AttemptMissing()


async def test_a_preview_is_dropped_while_another_is_being_stored(
    publisher: PreviewPublisher, storage: MemoryPreviews, make_render: MakeRender
) -> None:
    render, other = make_render(), make_render()
    storage.gate.clear()
    publisher.offer(render, b"a", frame=3)
    publisher.offer(render, b"b", frame=4)
    publisher.offer(other, b"c", frame=5)
    storage.gate.set()
    await settle()
    assert storage.stored == {render.id: b"a", other.id: b"c"}
    publisher.offer(render, b"d", frame=6)
    await settle()
    assert (storage.stored[render.id], frame(publisher, render)) == (b"d", 6)


async def test_the_end_deletes_the_preview_even_if_it_is_still_being_stored(
    publisher: PreviewPublisher, storage: MemoryPreviews, make_render: MakeRender
) -> None:
    render = make_render()
    storage.gate.clear()
    publisher.offer(render, b"a", frame=3)
    await settle()
    publisher.end(render)
    publisher.end(render)
    publisher.offer(render, b"b", frame=4)
    storage.gate.set()
    await settle()
    assert storage.stored == {}
    assert frame(publisher, render) is None
    publisher.offer(render, b"c", frame=1)
    await settle()
    assert (storage.stored, frame(publisher, render)) == ({render.id: b"c"}, 1)


async def test_waiting_ends_when_the_preview_is_deleted(
    publisher: PreviewPublisher, storage: MemoryPreviews, make_render: MakeRender
) -> None:
    render, other = make_render(), make_render()
    storage.gate.clear()
    publisher.offer(render, b"a", frame=3)
    publisher.end(render)
    waiting = asyncio.create_task(publisher.wait(render))
    await publisher.wait(other)
    await settle()
    assert not waiting.done()
    storage.gate.set()
    await waiting
    assert (storage.calls, storage.stored) == (2, {})


async def test_an_error_is_logged_once_and_ends_the_previews_of_the_attempt(
    publisher: PreviewPublisher, storage: MemoryPreviews, make_render: MakeRender, caplog: pytest.LogCaptureFixture
) -> None:
    render = make_render()
    storage.is_unavailable = True
    for number in range(3):
        publisher.offer(render, b"a", frame=number)
        await settle()
    assert storage.calls == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"render {render.id} has no further previews: BackendUnavailable('no response')"
    ]
    publisher.end(render)
    await settle()
    storage.is_unavailable = False
    publisher.offer(render, b"b", frame=9)
    await settle()
    assert frame(publisher, render) == 9


async def test_closing_waits_for_the_storage(storage: MemoryPreviews, make_render: MakeRender) -> None:
    publisher, render = PreviewPublisher(storage), make_render()
    publisher.offer(render, b"a", frame=3)
    publisher.end(render)
    await publisher.close()
    assert (storage.calls, storage.stored) == (2, {})

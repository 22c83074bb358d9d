"""What is beyond a page is read from the store only when it is asked for."""

import pytest

from services.models import RenderFilter
from services.renders.cursors import encode_cursor
from services.renders.pages import PageRequest, has_next, has_previous, read_page
from tests.conftest import MakeRender
from tests.support.memory_store import MemoryStore
from tests.support.stored_renders import added


class CountingStore(MemoryStore):
    """Counts the reads of what is beyond a page."""

    beyond = 0

    async def exists_newer(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:
        self.beyond += 1
        return await super().exists_newer(render_id, owner=owner, matching=matching)

    async def exists_older(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:
        self.beyond += 1
        return await super().exists_older(render_id, owner=owner, matching=matching)


@pytest.mark.parametrize(
    ("request_", "expected", "reads"),
    [
        (PageRequest(first=2), (True, False), 0),
        (PageRequest(last=2), (False, True), 0),
        (PageRequest(first=9), (False, False), 0),
        (PageRequest(first=1, after="newest"), (True, True), 1),
        (PageRequest(first=9, after="newest"), (False, True), 1),
        (PageRequest(last=9, before="oldest"), (True, False), 1),
        (PageRequest(last=1, before="oldest"), (True, True), 1),
    ],
)
async def test_what_is_beyond_the_cursors_is_read_on_request(
    request_: PageRequest, expected: tuple[bool, bool], reads: int, make_render: MakeRender
) -> None:
    store = CountingStore()
    ids = sorted([(await added(store, make_render())).id for _ in range(3)])
    cursors = {
        None: None,
        "oldest": encode_cursor(ids[0], owner="ann"),
        "newest": encode_cursor(ids[2], owner="ann"),
    }
    request = PageRequest(
        first=request_.first, last=request_.last, after=cursors[request_.after], before=cursors[request_.before]
    )
    page = await read_page(store, request, owner="ann", matching=RenderFilter())
    assert store.beyond == 0
    assert (await has_next(store, page), await has_previous(store, page)) == expected
    assert store.beyond == reads

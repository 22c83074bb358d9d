"""The contract of `RenderStore` on lists of renders, tested on every adapter."""

from datetime import timedelta

from services.models import Render, RenderFilter, RenderStatus
from services.ports import RenderStore
from services.renders import lifecycle
from tests.conftest import MakeRender
from tests.support.stored_renders import ALL, NOW, added

BEFORE_ALL, AFTER_ALL = "0" * 26, "7" + "z" * 25


async def five(store: RenderStore, make_render: MakeRender) -> list[Render]:
    """Store five renders, and return them newest first."""
    return [await added(store, make_render(at=NOW + timedelta(seconds=i))) for i in range(5)][::-1]


async def test_lists_newest_first_and_continues_after_an_id(store: RenderStore, make_render: MakeRender) -> None:
    renders = [await added(store, make_render(at=NOW + timedelta(seconds=i))) for i in range(5)]
    newest_first = renders[::-1]
    assert await store.list(owner="ann", first=2, matching=ALL) == newest_first[:2]
    rest = await store.list(owner="ann", first=9, matching=ALL, older_than=newest_first[1].id)
    assert rest == newest_first[2:]


async def test_exists_newer(store: RenderStore, make_render: MakeRender) -> None:
    old, new = [await added(store, make_render(at=NOW + timedelta(seconds=i))) for i in range(2)]
    assert await store.exists_newer(new.id, owner="ann", matching=ALL)
    assert await store.exists_newer(old.id, owner="ann", matching=ALL)
    assert not await store.exists_newer("7" + "z" * 25, owner="ann", matching=ALL)


async def test_lists_renders_of_all_owners(store: RenderStore, make_render: MakeRender) -> None:
    renders = [
        await added(store, make_render(owner=owner, at=NOW + timedelta(seconds=i)))
        for i, owner in enumerate(("ann", "bob", "ann"))
    ]
    assert await store.list(owner=None, first=9, matching=ALL) == renders[::-1]
    assert await store.list(owner=None, first=9, matching=ALL, older_than=renders[2].id) == renders[1::-1]
    assert await store.list(owner=None, first=9, matching=RenderFilter(generation_id="g")) == []
    assert await store.exists_newer(renders[1].id, owner=None, matching=ALL)
    assert not await store.exists_newer("7" + "z" * 25, owner=None, matching=ALL)


async def test_filters_by_status_and_generation(store: RenderStore, make_render: MakeRender) -> None:
    queued = await added(store, make_render(generation_id="g"))
    other = await added(store, make_render())
    await store.record(lifecycle.cancel(other, now=NOW))
    by_status = RenderFilter(statuses=frozenset({RenderStatus.QUEUED}))
    assert await store.list(owner="ann", first=9, matching=by_status) == [queued]
    assert await store.list(owner="ann", first=9, matching=RenderFilter(generation_id="g")) == [queued]
    assert await store.list(owner="ann", first=9, matching=RenderFilter(statuses=frozenset())) == []


async def test_lists_between_two_ids_from_either_end(store: RenderStore, make_render: MakeRender) -> None:
    renders = await five(store, make_render)
    newest, oldest = renders[0].id, renders[-1].id
    between = await store.list(owner="ann", first=9, matching=ALL, older_than=newest, newer_than=oldest)
    assert between == renders[1:-1]
    assert await store.list(owner="ann", first=2, matching=ALL, newer_than=oldest) == renders[:2]
    assert await store.list(owner="ann", first=2, matching=ALL, oldest_first=True) == renders[:2:-1]
    from_end = await store.list(
        owner="ann", first=1, matching=ALL, older_than=newest, newer_than=oldest, oldest_first=True
    )
    assert from_end == [renders[-2]]
    assert await store.list(owner="ann", first=9, matching=ALL, older_than=oldest) == []
    assert await store.list(owner="ann", first=9, matching=ALL, older_than=oldest, newer_than=newest) == []


async def test_exists_older(store: RenderStore, make_render: MakeRender) -> None:
    new, old = [await added(store, make_render(at=NOW - timedelta(seconds=i))) for i in range(2)]
    assert await store.exists_older(old.id, owner="ann", matching=ALL)
    assert await store.exists_older(new.id, owner=None, matching=ALL)
    assert not await store.exists_older(BEFORE_ALL, owner="ann", matching=ALL)
    assert not await store.exists_older(new.id, owner="bob", matching=ALL)
    assert not await store.exists_older(new.id, owner="ann", matching=RenderFilter(generation_id="g"))


async def test_counts_matching_renders(store: RenderStore, make_render: MakeRender) -> None:
    await added(store, make_render(generation_id="g"))
    await added(store, make_render(owner="bob"))
    cancelled = await added(store, make_render())
    await store.record(lifecycle.cancel(cancelled, now=NOW))
    filters = {
        "all": ALL,
        "queued": RenderFilter(statuses=frozenset({RenderStatus.QUEUED})),
        "generation": RenderFilter(generation_id="g"),
        "none": RenderFilter(statuses=frozenset()),
    }
    counts = {name: await store.count(owner="ann", matching=matching) for name, matching in filters.items()}
    assert counts == {"all": 2, "queued": 1, "generation": 1, "none": 0}
    assert await store.count(owner=None, matching=ALL) == 3
    assert await store.count(owner="cat", matching=ALL) == 0

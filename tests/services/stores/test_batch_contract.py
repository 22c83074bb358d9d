"""Adding, finding and recording several renders at once, and the quota counters, tested on every adapter."""

import asyncio
from dataclasses import replace

from services.models import Render, RenderFilter, RenderStatus
from services.ports import AddManyResult, AddOutcome, RenderStore
from services.renders import lifecycle
from tests.conftest import MakeRender
from tests.support.stored_renders import ALL, FAILURE, NOW, OUTPUT, launched, window

S = RenderStatus


async def rows(make_render: MakeRender, number: int = 3, **values: object) -> list[Render]:
    return [make_render(batch_id="b", idempotency_key=f"batch:b:{i}", **values) for i in range(number)]


async def test_adds_all_and_finds_them_by_their_keys(store: RenderStore, make_render: MakeRender) -> None:
    renders = await rows(make_render)
    assert await store.add_many(renders, window()) == AddManyResult(outcome=AddOutcome.ADDED, used=3)
    keys = [f"batch:b:{i}" for i in range(4)]
    assert await store.find_by_keys("ann", keys) == dict(zip(keys, renders, strict=False))
    assert await store.find_by_keys("bob", keys) == {}
    assert await store.find_by_keys("ann", []) == {}
    assert [await store.queue_position(render) for render in renders] == [1, 2, 3]


async def test_adds_none_if_a_key_is_used(store: RenderStore, make_render: MakeRender) -> None:
    await store.add(make_render(idempotency_key="batch:b:2"), window())
    result = await store.add_many(await rows(make_render), window())
    assert result == AddManyResult(outcome=AddOutcome.DUPLICATE, used=1)
    assert await store.count(owner="ann", matching=ALL) == 1


async def test_adds_none_if_the_quota_is_too_small(store: RenderStore, make_render: MakeRender) -> None:
    await store.add(make_render(), window())
    result = await store.add_many(await rows(make_render), window(limit=3))
    assert result == AddManyResult(outcome=AddOutcome.OVER_QUOTA, used=1)
    assert await store.count(owner="ann", matching=ALL) == await store.quota_used(window()) == 1
    assert (await store.add_many(await rows(make_render, 2), window(limit=3))).used == 3


async def test_concurrent_calls_with_the_same_keys_add_once(store: RenderStore, make_render: MakeRender) -> None:
    calls = [store.add_many(await rows(make_render), window(limit=7)) for _ in range(4)]
    outcomes = [result.outcome for result in await asyncio.gather(*calls)]
    assert sorted(outcome.name for outcome in outcomes) == ["ADDED"] + ["DUPLICATE"] * 3
    assert await store.quota_used(window()) == 3


async def test_concurrent_calls_in_different_windows_add_once(store: RenderStore, make_render: MakeRender) -> None:
    first = window()
    windows = [replace(first, starts_at=first.starts_at + index * first.length) for index in range(4)]
    calls = [store.add_many(await rows(make_render), each) for each in windows]
    outcomes = [result.outcome for result in await asyncio.gather(*calls)]
    assert sorted(outcome.name for outcome in outcomes) == ["ADDED"] + ["DUPLICATE"] * 3
    assert sum([await store.quota_used(each) for each in windows]) == 3


async def test_counts_and_lists_by_batch_and_composition(store: RenderStore, make_render: MakeRender) -> None:
    renders = sorted(await rows(make_render), key=lambda render: render.id)
    await store.add_many(renders, window())
    other = make_render(composition_id="Promo", props=None, input_props="{}")
    await store.add(other, window())
    await store.record(lifecycle.fail(renders[0], failure=FAILURE, now=NOW))
    assert await store.count_by_status("ann", "b") == {S.QUEUED: 2, S.FAILED: 1}
    assert await store.count_by_status("bob", "b") == {}
    failed = RenderFilter(batch_id="b", statuses=frozenset({S.FAILED, S.COMPLETE}))
    listed = await store.list(owner="ann", first=5, matching=failed, oldest_first=True)
    assert [render.id for render in listed] == [renders[0].id]
    assert await store.list(owner="ann", first=2, matching=RenderFilter(batch_id="b")) == [renders[2], renders[1]]
    assert await store.list(owner="ann", first=5, matching=RenderFilter(composition_id="Promo")) == [other]
    assert await store.list(owner=None, first=5, matching=RenderFilter(batch_id="c")) == []
    assert await store.count(owner="ann", matching=failed) == 1
    both = RenderFilter(statuses=frozenset({S.QUEUED, S.FAILED}))
    all_renders = sorted([*(await store.list(owner="ann", first=9, matching=ALL))], key=lambda render: render.id)
    assert await store.list(owner="ann", first=9, matching=both, oldest_first=True) == all_renders
    assert await store.exists_newer(all_renders[-1].id, owner="ann", matching=both)
    assert await store.count(owner="ann", matching=both) == 4


async def test_records_those_that_were_not_changed(store: RenderStore, make_render: MakeRender) -> None:
    renders = await rows(make_render)
    await store.add_many(renders, window())
    changed = launched(renders[0])
    await store.record(changed)
    cancelled = [lifecycle.cancel(render, now=NOW) for render in renders]
    assert await store.record_many(cancelled) == {render.id for render in renders[1:]}
    assert await store.get_many([renders[0].id]) == [changed]
    assert await store.quota_used(window()) == 1


async def test_a_unit_is_returned_once_and_to_its_window(store: RenderStore, make_render: MakeRender) -> None:
    renders = await rows(make_render, 2)
    await store.add_many(renders, window())
    cancelled = lifecycle.cancel(renders[0], now=NOW)
    results = await asyncio.gather(*(store.record(cancelled) for _ in range(5)))
    assert (results.count(True), await store.quota_used(window())) == (1, 1)
    running = launched(renders[1])
    await store.record(running)
    await store.record(lifecycle.complete(running, output=OUTPUT, cost_usd=None, warnings=(), now=NOW))
    assert await store.delete(renders[1].id, owner="ann")
    assert await store.quota_used(window()) == 1

"""Batches: starts of all or none, keys, other users, and cancelling."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from services import models
from services.errors import (
    BatchNotFound,
    IdempotencyKeyReused,
    InvalidInput,
    RenderQuotaExceeded,
    RenderServiceNotConfigured,
    RenderTokenForbidden,
)
from services.models import Render, RenderStatus, StartAllResult
from services.realtime.pubsub import open_pubsub
from services.renders.batches import BatchService
from services.renders.quota import QuotaRule
from services.renders.requests import BatchRequest, CompositionRequest, StartRequest
from tests.conftest import PROPS
from tests.support.batches import BOB, BROKEN, HELLO, end, progress, request, rows, start, stored, text_of
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import FakeClock, settle
from tests.support.memory_store import MemoryStore
from tests.support.worker_bench import ANN, Bench


@pytest.fixture
def batches(bench: Bench) -> BatchService:
    return BatchService(renders=bench.renders)


def problems(error: pytest.ExceptionInfo[InvalidInput]) -> list[str]:
    return [problem.path for problem in error.value.problems]


async def test_all_renders_are_queued_in_the_order_of_the_input(bench: Bench, batches: BatchService) -> None:
    texts = [f"row {number}" for number in range(100)]
    result = await batches.start(ANN, request(*texts))
    assert [text_of(render) for render in result.renders] == texts
    assert list(await stored(bench)) == list(result.renders), "ids sort in this order"
    assert {(render.batch_id, render.status) for render in result.renders} == {("b", RenderStatus.QUEUED)}
    assert (result.duplicates, result.quota.remaining) == (0, 900)


async def test_nothing_is_started_if_one_row_is_invalid_and_every_problem_names_its_row(
    bench: Bench, batches: BatchService
) -> None:
    invalid = [
        HELLO,
        replace(HELLO, animation=models.replace(PROPS, text="", font_size=0), generation_id="\x00"),
        StartRequest(composition=CompositionRequest(id="Nothing", props=[])),
        StartRequest(),
    ]
    with pytest.raises(InvalidInput) as error:
        await batches.start(ANN, BatchRequest(batch_id="", renders=invalid, idempotency_key="x" * 201))
    assert problems(error) == [
        "/batchId",
        "/idempotencyKey",
        "/renders/1/animationProps/text",
        "/renders/1/animationProps/fontSize",
        "/renders/1/generationId",
        "/renders/3",
    ]
    assert await stored(bench) == ()
    checked = await batches.check(ANN, invalid)
    assert [each.path for each in checked] == problems(error)[2:]
    assert await batches.check(ANN, [HELLO]) == ()


@pytest.mark.parametrize("number", [0, 101])
async def test_a_call_has_1_to_100_renders(batches: BatchService, number: int) -> None:
    with pytest.raises(InvalidInput) as error:
        await batches.start(ANN, BatchRequest(batch_id="b", renders=[HELLO] * number))
    assert problems(error) == ["/renders"]


async def test_of_many_problems_the_first_are_reported_with_the_number_of_the_others(batches: BatchService) -> None:
    invalid = replace(HELLO, animation=models.replace(PROPS, text="", font_size=0))
    found = await batches.check(ANN, [invalid] * 60)
    assert (len(found), found[-1].path, found[-1].message) == (101, "/renders", "There are 20 more problems.")


async def test_each_key_occurs_once_in_a_call(batches: BatchService) -> None:
    with pytest.raises(InvalidInput) as error:
        await batches.start(ANN, BatchRequest(batch_id="b", renders=rows("1", "2", idempotency_key="k")))
    assert problems(error) == ["/renders/1/idempotencyKey"]


async def test_the_quota_is_taken_for_all_or_none(bench: Bench, batches: BatchService) -> None:
    renders = replace(bench.renders, quota_rule=QuotaRule(limit=5, window=timedelta(hours=1)))
    small = BatchService(renders=renders)
    await small.start(ANN, request("1", "2", "3"))
    with pytest.raises(RenderQuotaExceeded) as error:
        await small.start(ANN, request("4", "5", "6"))
    assert (error.value.quota.remaining, len(await stored(bench))) == (2, 3)
    assert str(error.value).endswith("Start 2 or fewer now, or try again later.")
    assert (await small.start(ANN, request("4", "5"))).quota.remaining == 0
    with pytest.raises(RenderQuotaExceeded, match=r"Please try again later\.$"):
        await small.start(ANN, request("6", "7"))
    assert (await progress(batches)).total == 5


async def test_a_repeated_call_returns_the_same_renders_and_uses_no_quota(bench: Bench, batches: BatchService) -> None:
    first = await batches.start(ANN, request("1", "2", key="k"))
    again = await batches.start(ANN, request("1", "2", key="k"))
    assert (again.renders, again.duplicates, again.quota) == (first.renders, 2, first.quota)
    assert len(await stored(bench)) == 2
    with pytest.raises(IdempotencyKeyReused) as error:
        await batches.start(ANN, request("1", "other", key="k"))
    assert error.value.render == first.renders[1]
    with pytest.raises(IdempotencyKeyReused):
        await batches.start(ANN, request("1", "2", batch_id="other", key="k"))
    assert len(await stored(bench)) == 2


async def test_rows_with_keys_of_their_own_are_started_once_however_they_are_grouped(
    bench: Bench, batches: BatchService
) -> None:
    keyed = [replace(row, idempotency_key=str(number)) for number, row in enumerate(rows("1", "2", "3"))]

    async def send(*requests: StartRequest) -> StartAllResult:
        return await batches.start(ANN, BatchRequest(batch_id="b", renders=requests))

    (one,) = (await send(keyed[1])).renders
    all_of_them = await send(*keyed)
    assert (all_of_them.renders[1], all_of_them.duplicates, all_of_them.quota.remaining) == (one, 1, 997)
    assert (await send(keyed[2], keyed[0])).renders == (all_of_them.renders[2], all_of_them.renders[0])
    assert len(await stored(bench)) == 3


class OvertakenStore(MemoryStore):
    """Lets another call store its renders after the first `find_by_keys`."""

    overtake: Callable[[], Awaitable[object]] | None = None

    async def find_by_keys(self, owner: str, keys: Collection[str | None]) -> Mapping[str, Render]:
        found = await super().find_by_keys(owner, keys)
        if self.overtake is not None:
            overtake, self.overtake = self.overtake, None
            await overtake()
        return found


async def test_a_call_that_another_one_overtakes_starts_nothing_twice(backend: FakeBackend, clock: FakeClock) -> None:
    store = OvertakenStore(clock)
    async with open_pubsub("memory://") as pubsub:
        bench = Bench(store, backend, clock, pubsub)
        batches = BatchService(renders=bench.renders)
        store.overtake = partial(batches.start, ANN, request("1", "2", key="k"))
        result = await batches.start(ANN, request("1", "2", key="k"))
        assert (result.duplicates, len(await stored(bench))) == (2, 2)


async def test_a_batch_of_another_user_is_invisible(batches: BatchService) -> None:
    await start(batches, "1")
    assert await batches.progress(BOB, "b") is None
    with pytest.raises(BatchNotFound):
        await batches.cancel(BOB, "b")
    with pytest.raises(BatchNotFound):
        await anext(batches.watch(BOB, "b"))
    guest = replace(ANN, render_id="x")
    for call in (batches.progress(guest, "b"), batches.cancel(guest, "b"), anext(batches.watch(guest, "b"))):
        with pytest.raises(RenderTokenForbidden):
            await call
    assert (await progress(batches)).count(RenderStatus.QUEUED) == 1


async def test_an_id_that_no_batch_can_have_is_not_found(batches: BatchService) -> None:
    for batch_id in ("", "\ud800", "x" * 201):
        assert await batches.progress(ANN, batch_id) is None
        with pytest.raises(BatchNotFound):
            await batches.cancel(ANN, batch_id)


async def test_nothing_can_be_started_without_a_renderer(bench: Bench) -> None:
    none = BatchService(renders=replace(bench.renders, backend=None))
    with pytest.raises(RenderServiceNotConfigured):
        await none.start(ANN, request("1"))
    with pytest.raises(RenderServiceNotConfigured):
        await none.check(ANN, rows("1"))


async def test_cancelling_ends_what_is_queued_and_stops_what_is_running(
    backend: FakeBackend, bench: Bench, batches: BatchService
) -> None:
    backend.capacity = 2
    renders = await start(batches, *(str(number) for number in range(100)))
    renders = [*renders, *await start(batches, *(str(number) for number in range(100, 150)))]
    (other,) = await start(batches, "x", batch_id="other")
    async with bench.working():
        backend.finish(renders[0].id)
        await bench.clock.advance(1)
        cancellation, after = await batches.cancel(ANN, "b")
        assert (cancellation.cancelled, cancellation.stopping) == (147, 2)
        assert (after.total, after.count(RenderStatus.COMPLETE), after.count(RenderStatus.QUEUED)) == (150, 1, 0)
        await settle()
        assert (await progress(batches)).count(RenderStatus.CANCELLED) == 149
        again, _ = await batches.cancel(ANN, "b")
        assert (again.cancelled, again.stopping) == (0, 0)
    assert set(backend.stopped) == {render.id for render in renders[1:3]}
    assert (await bench.get(other.id)).status is not RenderStatus.CANCELLED
    assert await bench.quota_used() == 4


async def test_a_retry_belongs_to_the_batch(batches: BatchService) -> None:
    (one,) = await start(batches, "1")
    await end(batches, one, failure=BROKEN)
    again = (await batches.renders.retry(ANN, one.id)).render
    assert again.batch_id == "b"
    assert (await progress(batches)).counts == {RenderStatus.FAILED: 1, RenderStatus.QUEUED: 1}

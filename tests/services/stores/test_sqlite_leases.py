"""Leases of the embedded store while the wall clock is set forward or back."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.stores.sqlite import open_sqlite_store
from tests.conftest import MakeRender
from tests.support.fake_clock import FakeClock
from tests.support.stored_renders import added

LEASE = timedelta(seconds=30)
HOUR_S = 3600.0


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S])
async def test_a_step_of_the_wall_clock_neither_ends_nor_extends_a_lease(
    tmp_path: Path, make_render: MakeRender, step_s: float
) -> None:
    clock = FakeClock()
    async with open_sqlite_store(tmp_path / "renders.sqlite3", clock) as store:
        render = await added(store, make_render())
        await store.acquire(worker="w1", lease=LEASE)
        clock.jump(step_s)
        await clock.advance(29)
        assert await store.reacquire(worker="w2", lease=LEASE) is None
        assert await store.renew([render.id], worker="w1", lease=LEASE) == {render.id}
        await clock.advance(29)
        assert await store.reacquire(worker="w2", lease=LEASE) is None
        await clock.advance(2)
        assert await store.reacquire(worker="w2", lease=LEASE) == render

"""Random clock steps, suspensions and restarts of workers, while renders run: none fails, and none is started twice."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from services.models import RenderStatus
from services.ports import AttemptProgress
from services.worker.run_context import RunLimits
from tests.support.fake_clock import FakeClock
from tests.support.limits import MEDIA_LIMITS
from tests.support.worker_bench import ANN, OPTIONS, Bench

RENDERS = 6
MAX_TURNS = 100
OFFSETS_S = (90, 3600, 86_400)
LIMITS = RunLimits(queue_timeout=timedelta(minutes=15), max_attempts=3, media=MEDIA_LIMITS)
DISTURBED = replace(OPTIONS, poll_interval=timedelta(seconds=5), lease=timedelta(seconds=30), limits=LIMITS)


async def disturb(clock: FakeClock, chance: random.Random) -> None:
    kind = chance.random()
    if kind < 0.1:
        clock.jump(chance.choice((1, -1)) * chance.choice(OFFSETS_S))
    elif kind < 0.15:
        await clock.suspend(chance.choice(OFFSETS_S))


def draw(bench: Bench, chance: random.Random) -> None:
    """Draw ten frames of about half of the running attempts."""
    for render_id, attempt in list(bench.backend.attempts.items()):
        if isinstance(attempt, AttemptProgress) and chance.random() < 0.5:
            bench.backend.draw(render_id, 10)


@pytest.mark.parametrize("seed", range(8))
async def test_random_disturbances_lose_no_render(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # not for secrets
    bench.backend.capacity = 3
    ids = [await bench.start() for _ in range(RENDERS)]
    async with bench.working(bench.worker("other", options=DISTURBED)):
        for turn in range(MAX_TURNS):
            async with bench.working(bench.worker(f"w{turn}", options=DISTURBED)):
                for _ in range(chance.randrange(1, 20)):
                    await disturb(bench.clock, chance)
                    await bench.clock.advance(5)
                    draw(bench, chance)
            if not await bench.store.unfinished([ANN.id], first=1):
                break
    assert {(await bench.get(render_id)).status for render_id in ids} == {RenderStatus.COMPLETE}
    assert sorted(bench.backend.starts) == sorted(ids)
    assert bench.backend.overlaps == []

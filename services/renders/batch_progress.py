"""Computes the progress of a batch from its stored renders."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from services.models import TERMINAL, Render, RenderFilter, RenderStatus
from services.models.batches import MAX_PERCENT_UNFINISHED, BatchProgress
from services.ports import RenderStore

MAX_FAILURES = 10  # in the progress of a batch; `list` returns all
MAX_RUNNING = 100  # RENDERING renders whose progress is read; it counts for further ones too
SAMPLE = 20  # newest COMPLETE renders, from which the speed is estimated
# Between the ends of two renders: one that is longer than the longest render may be a pause of the queue.
MIN_INTERVAL_S = 1.0


async def read_batch(store: RenderStore, *, owner: str, batch_id: str, now: datetime) -> BatchProgress | None:
    """Return the progress of the owner's batch; None if it has no renders. Raises `StoreUnavailable`."""
    counts = await store.count_by_status(owner, batch_id)
    if not any(counts.values()):
        return None

    async def some(status: RenderStatus, *, first: int, oldest_first: bool = False) -> Sequence[Render]:
        if not counts.get(status):
            return ()
        matching = RenderFilter(statuses=frozenset({status}), batch_id=batch_id)
        return await store.list(owner=owner, first=first, matching=matching, oldest_first=oldest_first)

    running = await some(RenderStatus.RENDERING, first=MAX_RUNNING)
    remaining = _remaining(counts, running)
    done = await some(RenderStatus.COMPLETE, first=SAMPLE) if remaining else ()
    return BatchProgress(
        batch_id=batch_id,
        counts=counts,
        percent=_percent(counts, remaining),
        failures=tuple(await some(RenderStatus.FAILED, first=MAX_FAILURES, oldest_first=True)),
        estimated_completion_at=_estimate(done, remaining, now=now),
    )


def _remaining(counts: Mapping[RenderStatus, int], running: Sequence[Render]) -> float:
    """Return how many whole renders are left: of one that is RENDERING, the fraction that it has not done."""
    unfinished = sum(count for status, count in counts.items() if status not in TERMINAL)
    mean = sum(render.progress for render in running) / len(running) / 100 if running else 0.0
    return unfinished - counts.get(RenderStatus.RENDERING, 0) * mean


def _percent(counts: Mapping[RenderStatus, int], remaining: float) -> int:
    total = sum(counts.values())
    return min(int(100 * (total - remaining) / total), MAX_PERCENT_UNFINISHED) if remaining else 100


def _estimate(done: Sequence[Render], remaining: float, *, now: datetime) -> datetime | None:
    """Return when the remaining renders are complete at the speed of those that were completed last; None if unknown.

    The speed is the mean time between two ends. A pause of the batch does not count: no interval counts for longer than
    the longest of these renders took.
    """
    times = sorted((each.completed_at, each.started_at) for each in done if each.completed_at and each.started_at)
    if len(times) < 2:  # noqa: PLR2004  # an interval has two ends
        return None
    longest_s = max(MIN_INTERVAL_S, *((end - start).total_seconds() for end, start in times))
    intervals_s = [min(longest_s, (later - earlier).total_seconds()) for (earlier, _), (later, _) in pairwise(times)]
    return now + timedelta(seconds=remaining * sum(intervals_s) / len(intervals_s))

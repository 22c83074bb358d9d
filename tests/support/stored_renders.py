"""Times, results and stored renders for tests of stores."""

from datetime import UTC, datetime, timedelta

from services.models import Failure, Output, QuotaWindow, Render, RenderFilter
from services.ports import MAX_DUE_DELAY, AddOutcome, RenderStore
from services.renders import lifecycle
from tests.support.fake_clock import START_OF_TIME

NOW = START_OF_TIME
LATER = NOW + timedelta(seconds=10)
HOUR = timedelta(hours=1)
NO_TIME = timedelta(0)
ALL = RenderFilter()
FAILURE = Failure(code="BROKEN", message="It broke.", retryable=True)
USERS_FAILURE = Failure(code="COMPOSITION_ERROR", message="It can't be drawn.", retryable=False)
OUTPUT = Output(bucket="b", key="k.mp4", size_bytes=7)
WINDOW_STARTS_AT = datetime.now(UTC).replace(microsecond=0)


def window(owner: str = "ann", *, limit: int = 100) -> QuotaWindow:
    return QuotaWindow(owner=owner, limit=limit, starts_at=WINDOW_STARTS_AT, length=HOUR)


def not_due() -> datetime:
    """Return a time until which no store lets a render be acquired during a test."""
    return datetime.now(UTC) + MAX_DUE_DELAY - timedelta(minutes=1)


async def added(store: RenderStore, render: Render) -> Render:
    result = await store.add(render, window(render.owner))
    assert result.outcome is AddOutcome.ADDED
    return render


def launched(render: Render) -> Render:
    return lifecycle.launch(render, now=NOW)

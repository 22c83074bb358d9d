"""Times, results and stored renders for tests of stores."""

from datetime import UTC, datetime, timedelta

from services.models import Failure, Output, QuotaWindow, Render, RenderFilter
from services.ports import AddOutcome, RenderStore
from services.renders import lifecycle
from tests.support.fake_clock import START_OF_TIME

NOW = START_OF_TIME
LATER = NOW + timedelta(seconds=10)
HOUR = timedelta(hours=1)
NO_TIME = timedelta(0)
FAR_FUTURE = datetime(2999, 1, 1, tzinfo=UTC)
ALL = RenderFilter()
FAILURE = Failure(code="BROKEN", message="It broke.", retryable=True)
OUTPUT = Output(bucket="b", key="k.mp4", size_bytes=7)


def window(owner: str = "ann", *, limit: int = 100) -> QuotaWindow:
    return QuotaWindow(owner=owner, limit=limit, starts_at=NOW, length=HOUR)


async def added(store: RenderStore, render: Render) -> Render:
    result = await store.add(render, window(render.owner))
    assert result.outcome is AddOutcome.ADDED
    return render


def launched(render: Render) -> Render:
    return lifecycle.launch(render, now=NOW)

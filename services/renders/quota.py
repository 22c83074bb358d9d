"""The quota of renders per user, in fixed windows that start at multiples of their length since the Unix epoch."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.errors import RenderQuotaExceeded
from services.models import Quota, QuotaWindow

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaRule:
    """At most `limit` renders per owner in each window of length `window`."""

    limit: int
    window: timedelta

    def window_at(self, now: datetime, *, owner: str) -> QuotaWindow:
        """Return the owner's window that contains `now`."""
        starts_at = EPOCH + (now - EPOCH) // self.window * self.window
        return QuotaWindow(owner=owner, limit=self.limit, starts_at=starts_at, length=self.window)


def quota_left(window: QuotaWindow, *, used: int, now: datetime) -> Quota:
    """Return the quota that is left in a window of which `used` units are taken."""
    return Quota(
        limit=window.limit,
        remaining=max(window.limit - used, 0),
        window=window.length,
        resets_at=window.ends_at,
        resets_in_s=max(1, math.ceil((window.ends_at - now).total_seconds())),
    )


def quota_exceeded(window: QuotaWindow, *, used: int, now: datetime, wanted: int = 1) -> RenderQuotaExceeded:
    """Return the error for a window with fewer than `wanted` units left."""
    return RenderQuotaExceeded(quota_left(window, used=used, now=now), wanted=wanted)

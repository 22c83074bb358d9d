"""The leases of the embedded store."""

from dataclasses import dataclass
from datetime import timedelta

from services.ports import Clock


@dataclass(frozen=True, slots=True)
class Lease:
    """The current time and the end of a lease, in milliseconds of the monotonic clock.

    A step of the wall clock can't end or extend such a lease. No lease outlives the process, so none is compared with
    the monotonic clock of another boot.
    """

    now_ms: int
    until_ms: int


def lease_from(clock: Clock, length: timedelta) -> Lease:
    """Return a lease that starts now."""
    now_ms = round(clock.monotonic() * 1000)
    return Lease(now_ms, now_ms + round(length.total_seconds() * 1000))

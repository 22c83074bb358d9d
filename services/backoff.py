"""How long to wait before trying again."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Standard Webhooks 1.0.0, "Deliverability and reliability": the first attempt at once, the others so long after the
# one before, over three days.
RETRY_DELAYS_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
MAX_TRIES = 1 + len(RETRY_DELAYS_S)
MAX_RETRY_AFTER_S = 86_400.0


def backoff_s(failures: int, *, first_s: float = 0.5, longest_s: float = 30.0) -> float:
    """Return seconds to wait after this many failures in a row: doubling, between half and the whole of it.

    The randomness keeps many workers from coming back at the same moment.
    """
    ceiling = min(longest_s, first_s * 2.0 ** min(max(failures, 1) - 1, 30))
    return ceiling * random.uniform(0.5, 1.0)


def retry_delay_s(tries: int, *, retry_after_s: float | None = None) -> float | None:
    """Return seconds to wait after so many tries; None if they were all.

    Up to a fifth more than scheduled, so that what failed together doesn't come back together. As long as the
    receiver asks for if that is longer, but a day at most.
    """
    if tries >= MAX_TRIES:
        return None
    scheduled_s = RETRY_DELAYS_S[tries - 1] * random.uniform(1.0, 1.2)
    return max(scheduled_s, min(retry_after_s or 0.0, MAX_RETRY_AFTER_S))


def read_retry_after(header: str | None, *, now: datetime) -> float | None:
    """Return the seconds that a header `Retry-After` asks for (RFC 9110, section 10.2.3); None if it isn't one."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())

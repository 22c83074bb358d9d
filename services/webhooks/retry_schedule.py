"""When a webhook message is sent again: retries with a growing delay (backoff)."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Standard Webhooks 1.0.0, "Deliverability and reliability": seconds from each attempt to the next, over three days. The
# first attempt is made immediately.
RETRY_DELAYS_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
MAX_TRIES = 1 + len(RETRY_DELAYS_S)
MAX_RETRY_AFTER_S = 86_400.0


def retry_delay_s(tries: int, *, retry_after_s: float | None = None) -> float | None:
    """Return the delay before the next try, in seconds, after this many `tries`; None if that was the last.

    The scheduled delay is increased by a random amount of up to a fifth, so that messages that failed together are not
    retried together. If the receiver requested a longer delay, `retry_after_s`, that is used, up to one day.
    """
    if tries >= MAX_TRIES:
        return None
    scheduled_s = RETRY_DELAYS_S[tries - 1] * random.uniform(1.0, 1.2)
    return max(scheduled_s, min(retry_after_s or 0.0, MAX_RETRY_AFTER_S))


def parse_retry_after(header: str | None, *, now: datetime) -> float | None:
    """Return the seconds in a `Retry-After` header (RFC 9110, section 10.2.3); None if it is absent or invalid."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())

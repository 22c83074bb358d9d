"""Delays before a retry."""

import random


def backoff_s(failures: int, *, base_s: float = 0.5, max_s: float = 30.0) -> float:
    """Return the delay after this many consecutive failures, in seconds: exponential, with jitter.

    The ceiling is `base_s` for one failure and doubles with each, up to `max_s`. The delay lies between half the
    ceiling and the ceiling, so that many workers don't retry at the same moment.
    """
    ceiling = min(max_s, base_s * 2.0 ** min(max(failures, 1) - 1, 30))
    return ceiling * random.uniform(0.5, 1.0)

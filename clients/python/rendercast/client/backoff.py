"""Delays before a retry."""

import random

MAX_S = 5.0


def backoff_s(failures: int) -> float:
    """Return the delay after this many consecutive failures, in seconds.

    The ceiling is 0.5 s for one failure and doubles with each, up to `MAX_S`. The delay lies between half the ceiling
    and the ceiling, so that many clients of a restarted server don't return at the same moment.
    """
    ceiling = min(MAX_S, 0.5 * 2.0 ** min(failures - 1, 10))
    return ceiling * random.uniform(0.5, 1.0)

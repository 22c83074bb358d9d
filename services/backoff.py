"""How long to wait before trying again."""

import random


def backoff_s(failures: int, *, first_s: float = 0.5, longest_s: float = 30.0) -> float:
    """Return seconds to wait after this many failures in a row: doubling, between half and the whole of it.

    The randomness keeps many workers from coming back at the same moment.
    """
    ceiling = min(longest_s, first_s * 2.0 ** min(max(failures, 1) - 1, 30))
    return ceiling * random.uniform(0.5, 1.0)

"""The rate limit on mutations per caller, which applies in addition to the render quota."""

import math
from collections import OrderedDict, deque

from services.errors import LimitExceeded

WINDOW_S = 60.0
MAX_CALLERS = 10_000  # stored, each with the times of at most `per_minute` mutations


class MutationRateLimiter:
    """Admits at most `per_minute` mutations of each caller in any 60 seconds. Counts in this process only."""

    def __init__(self, per_minute: int) -> None:
        self._limit = per_minute
        self._admitted: OrderedDict[str, deque[float]] = OrderedDict()  # ordered by each caller's last admission

    def __len__(self) -> int:
        return len(self._admitted)

    def admit(self, caller_id: str, number: int, *, now_s: float) -> None:
        """Count a caller's mutations. Raises `LimitExceeded`, and counts none of them, if there are too many."""
        self._remove_expired(now_s)
        times = self._admitted.get(caller_id, deque())
        while times and times[0] <= now_s - WINDOW_S:
            times.popleft()
        excess = len(times) + number - self._limit
        if excess > 0:
            wait_s = times[excess - 1] + WINDOW_S - now_s if excess <= len(times) else WINDOW_S
            raise LimitExceeded(
                f"You may run {self._limit} mutations per minute. Try again in {math.ceil(wait_s)} seconds."
            )
        times.extend([now_s] * number)
        self._admitted[caller_id] = times
        self._admitted.move_to_end(caller_id)

    def _remove_expired(self, now_s: float) -> None:
        """Remove callers without a mutation in the window, and the least recent callers beyond `MAX_CALLERS`."""
        while self._admitted:
            caller_id, times = next(iter(self._admitted.items()))
            if times[-1] > now_s - WINDOW_S and len(self._admitted) < MAX_CALLERS:
                return
            del self._admitted[caller_id]

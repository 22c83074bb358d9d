"""The rate limit on mutations per caller, which applies in addition to the render quota."""

import math
from collections import OrderedDict, deque
from typing import Protocol, cast

from resolvers.context import Info
from services.errors import LimitExceeded

WINDOW_S = 60.0
RENDERS_PER_MUTATION = 10  # of `startRenders`: each takes 0.08 ms of CPU time, a `startRender` 0.5 ms and a request
MAX_CALLERS = 10_000  # stored, each with the times of at most `per_minute` mutations


class MutationRateLimiter:
    """Admits at most `per_minute` mutations of each caller in any 60 seconds. Counts in this process only.

    `now_s` is a monotonic time in seconds.
    """

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

    def admit_renders(self, caller_id: str, number: int, *, now_s: float) -> None:
        """Count the renders of a `startRenders` that was admitted: each `RENDERS_PER_MUTATION` as one mutation.

        A call with more than the limit is admitted if it is the only one. Raises `LimitExceeded` as `admit` does.
        """
        if further := self._further(number):
            self.admit(caller_id, further, now_s=now_s)

    def forget_renders(self, caller_id: str, number: int, *, duplicates: int) -> None:
        """Do not count the renders of an admitted `startRenders` that an earlier call had started."""
        times = self._admitted.get(caller_id, deque())
        for _ in range(min(len(times), self._further(number) - self._further(number - duplicates))):
            times.pop()

    def _further(self, number: int) -> int:
        """Return for how many mutations the renders of a call count besides the call itself."""
        return max(0, min((number - 1) // RENDERS_PER_MUTATION, self._limit - 1))

    def _remove_expired(self, now_s: float) -> None:
        """Remove callers without a mutation in the window, and the least recent callers beyond `MAX_CALLERS`."""
        while self._admitted:
            caller_id, times = next(iter(self._admitted.items()))
            if times and times[-1] > now_s - WINDOW_S and len(self._admitted) < MAX_CALLERS:
                return
            del self._admitted[caller_id]


class LimitsMutations(Protocol):
    """A schema with a rate limit."""

    mutation_rate: MutationRateLimiter


def limiter_of(info: Info) -> MutationRateLimiter:
    """Return the rate limiter of the schema that is executed."""
    return cast("LimitsMutations", info.schema).mutation_rate

"""How long an operation may be executed, and how many of one caller at once: graphql-core knows no limits."""

import asyncio
from collections import deque
from collections.abc import Awaitable

from graphql import ExecutionResult, GraphQLError

from services.errors import TookTooLong


class Limit:
    """Ends what the present task is at by cancelling the task, as `asyncio.timeout` does, for less."""

    __slots__ = ("_cancellations", "_is_over", "_task")

    def __init__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only tasks can be cancelled")
        self._task = task
        self._cancellations = task.cancelling()
        self._is_over = False

    def end(self) -> None:
        """End the execution."""
        self._is_over = True
        self._task.cancel()

    def lift(self) -> bool:
        """Take the cancellation back, if there was one; return whether there was no other."""
        was_over, self._is_over = self._is_over, False
        return was_over and self._task.uncancel() <= self._cancellations


class ExecutionTimeouts:
    """Ends executions that take longer than `timeout_s`.

    Only what waits can be ended; `resolvers/admission/cost.py` bounds the rest. There is one timer for all, of the
    execution that began first: one for each would take longer than all else that limits a small query.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._ends: dict[Limit, float] = {}  # in their order, by the loop's clock
        self._timer: tuple[asyncio.AbstractEventLoop, asyncio.TimerHandle] | None = None

    async def keep(self, result: Awaitable[ExecutionResult]) -> ExecutionResult:
        """Return the result, or one that says that it took too long."""
        limit = Limit()
        self._begin(limit)
        try:
            return await result
        except asyncio.CancelledError:
            if not limit.lift():
                raise
            error = TookTooLong(self._timeout_s)
            return ExecutionResult(data=None, errors=[GraphQLError(str(error), original_error=error)])
        finally:
            self._ends.pop(limit, None)
            limit.lift()

    def _begin(self, limit: Limit) -> None:
        loop = asyncio.get_running_loop()
        self._ends[limit] = end = loop.time() + self._timeout_s
        if self._timer is None or self._timer[0] is not loop:
            self._timer = loop, loop.call_at(end, self._end_overdue, loop)

    def _end_overdue(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        while self._ends:
            limit, end = next(iter(self._ends.items()))
            if end > loop.time():
                self._timer = loop, loop.call_at(end, self._end_overdue, loop)
                return
            del self._ends[limit]
            limit.end()


class OperationLimiter:
    """Lets `most` operations of each caller be executed at once, so that nobody has all the time there is.

    asyncio's semaphores do the same, in several times the time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[str, int] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def take(self, caller_id: str) -> None:
        """Take a part of the caller's share when there is one; who comes first is served first."""
        taken = self._taken.get(caller_id, 0)
        if taken < self._most:
            self._taken[caller_id] = taken + 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller_id, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given a moment before
                self.give_back(caller_id)
            raise

    def give_back(self, caller_id: str) -> None:
        """Give it back, to who has waited longest."""
        waiting = self._waiting.get(caller_id)
        while waiting:
            turn = waiting.popleft()
            if not waiting:
                del self._waiting[caller_id]
            if not turn.done():
                turn.set_result(None)
                return
        self._taken[caller_id] -= 1
        if not self._taken[caller_id]:
            del self._taken[caller_id]

"""Two corrections of graphql-core's executor.

It executes without a limit of time. And graphql-core 3.3.1 and 3.3.2 share the cache of collected sub-fields between
all events of a subscription, keyed by the identity of a list that is new for each event: it grows by about 2 KiB an
event and is never hit. Remove `build_per_event_executor` once a subscription's memory stays flat without it
(`tests/resolvers/test_subscription_memory.py` tells).
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from graphql import ExecutionResult, GraphQLError
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from services.errors import TookTooLong


class BoundedExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes a query, a mutation or one event of a subscription, within its time and in memory of its own.

    Only what waits can be stopped; that the rest is little is the work of `resolvers/cost.py`.
    """

    timeout_s: float

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: FBT001  # graphql-core's signature
        """Return the result, or what it can be awaited by."""
        result = super().execute_operation(serially)
        return self._in_time(result) if self.is_awaitable(result) else result

    async def _in_time(self, result: Awaitable[ExecutionResult]) -> ExecutionResult:
        limit = asyncio.timeout(self.timeout_s)
        try:
            async with limit:
                return await result
        except TimeoutError:
            if not limit.expired():
                raise
            error = TookTooLong(self.timeout_s)
            return ExecutionResult(data=None, errors=[GraphQLError(str(error), original_error=error)])

    def build_per_event_executor(self, payload: Any) -> Any:
        """Return the executor of one event."""
        executor = super().build_per_event_executor(payload)
        executor._relevant_sub_fields = {}  # noqa: SLF001
        return executor


def executor_within(timeout_s: float) -> type[BoundedExecutor]:
    """Return the executor that stops after `timeout_s`."""
    return type("ExecutorInTime", (BoundedExecutor,), {"timeout_s": timeout_s})

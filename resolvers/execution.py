"""A correction of graphql-core's executor.

graphql-core 3.3.1 and 3.3.2 share the cache of collected sub-fields between all events of a subscription, keyed by
the identity of a list that is new for each event: it grows by about 2 KiB an event and is never hit. Remove this
once a subscription's memory stays flat without it (`tests/resolvers/test_subscription_memory.py` tells).
"""

from typing import Any

from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class FlatMemoryExecutor(StrawberryGraphQLCoreExecutionContext):
    """Gives each event of a subscription a cache of its own."""

    def build_per_event_executor(self, payload: Any) -> Any:
        """Return the executor of one event."""
        executor = super().build_per_event_executor(payload)
        executor._relevant_sub_fields = {}  # noqa: SLF001
        return executor

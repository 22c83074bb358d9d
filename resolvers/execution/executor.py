"""graphql-core's executor, bounded, and shorter on the ways that are gone most.

Two of its ways are corrected. It executes without a limit of time, and as much at once as it is asked to. And it
collects the root's fields anew for each event of a subscription, and graphql-core 3.3.1 and 3.3.2 keep what is below
them by the identity of what they collected, for all events: about 2 KiB an event that nothing finds again. Here all
events have the root's fields of the first
(`tests/resolvers/execution/test_subscription_memory.py` shows whether that is still
needed).
"""

from contextlib import suppress
from functools import cached_property, partial
from typing import Any

from graphql import ExecutionResult, GraphQLError, GraphQLObjectType, OperationType
from graphql.execution.collect_fields import FieldDetails, collect_fields
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from resolvers.execution.fields import LeafReaders
from resolvers.execution.limits import ExecutionTimeouts, OperationLimiter
from resolvers.execution.projection import Projection, Projections, Result
from schema.render import Render
from services import models
from services.json_text import write_json
from services.renders.service import RenderService


class Done:
    """An event of a subscription whose result is there."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def execute_operation(self, serially: bool | None = None) -> ExecutionResult:  # noqa: ARG002, FBT001
        """Return the result."""
        return ExecutionResult(data=self._result, errors=None)


class BoundedExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes a query, a mutation or one event of a subscription, within its time and in memory of its own."""

    deadlines: ExecutionTimeouts
    shares: OperationLimiter
    leaves: LeafReaders
    projections: Projections | None = None
    fields_of_events: Any = None

    @cached_property
    def projection(self) -> Projection | None:
        """What makes this subscription's results without executing them, if anything does."""
        return None if self.projections is None else self.projections.of(self)

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: FBT001  # graphql-core's signature
        """Return the result, or what it can be awaited by."""
        if self.operation.operation is not OperationType.SUBSCRIPTION:
            return self.deadlines.keep(self._in_turn(serially))
        result = super().execute_operation(serially)  # of one event
        return self.deadlines.keep(result) if self.is_awaitable(result) else result

    async def _in_turn(self, serially: bool | None) -> Any:  # noqa: FBT001
        """Execute the operation when it is the caller's turn, and its connection's."""
        context = self.context_value
        if context.turn is not None:
            await context.turn.begin()
        caller_id = "" if context.identity is None else context.identity.caller.id
        await self.shares.take(caller_id)
        try:
            result = super().execute_operation(serially)
            return await result if self.is_awaitable(result) else result
        finally:
            self.shares.give_back(caller_id)

    def build_per_event_executor(self, payload: Any) -> Any:
        """Return the executor of one event."""
        if self.context_value and self.context_value.feed:
            tell = self.projection.text if self.projection else self._tell
            self.context_value.feed.begin(partial(tell, payload.renders))
        if self.projection and (result := self.projection.result(payload)):
            return Done(result)
        return self._event(payload)

    def execute_collected_root_fields(self, root_type: Any, root_value: Any, fields: Any, *rest: Any) -> Any:
        """Execute the root's fields: for all events the very same, by which the cache of their sub-fields is kept."""
        return super().execute_collected_root_fields(root_type, root_value, self.fields_of_events or fields, *rest)

    def execute_fields(
        self, parent_type: Any, source_value: Any, path: Any, grouped_field_set: Any, position_context: Any = None
    ) -> Any:
        """Return an object's fields, or what they can be awaited by; at once if none has any below it."""
        names = [details[0].node.name.value for details in grouped_field_set.values()]
        readers = [read for name in names if (read := self.leaves.reader(parent_type, name))]
        if len(readers) == len(names):
            with suppress(Exception):  # graphql-core finds it too, and tells it as it tells everything
                return {key: read(source_value) for key, read in zip(grouped_field_set, readers, strict=True)}
        return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, field_details_list: list[FieldDetails], *rest: Any
    ) -> Any:
        """Return the field's completed value, or what it can be awaited by."""
        read = self.leaves.reader(parent_type, field_details_list[0].node.name.value)
        if read is not None:
            with suppress(Exception):  # graphql-core finds it too, and tells it as it tells everything
                return read(source)
        return super().execute_field(parent_type, source, field_details_list, *rest)

    def _event(self, payload: Render) -> "BoundedExecutor":
        if self.fields_of_events is None:
            self.fields_of_events = self._collect()
        return super().build_per_event_executor(payload)  # type: ignore[return-value]  # a copy of this one

    def _collect(self) -> Any:
        root: Any = self.schema.subscription_type
        return collect_fields(self.schema, self.fragments, self.variable_values, root, self.operation).grouped_field_set

    def _tell(self, renders: RenderService, state: models.Render) -> bytes | None:
        """Return the JSON of what is told of a state, if nothing is wrong and nothing must be waited for."""
        event = self._event(render := Render.from_model(state, renders))
        try:
            data = event.execute_fields(self.schema.subscription_type, render, None, self.fields_of_events)
        except GraphQLError:
            return None
        if self.is_awaitable(data):
            self.settle_in_background([data])
            return None
        return None if event.collected_errors.errors else write_json(data)


def executor_within(timeout_s: float, *, at_once: int) -> type[BoundedExecutor]:
    """Return the executor whose executions end after `timeout_s`, and of which each caller has so many at once.

    Its `projections` are for who has the schema to set.
    """
    bounds = {"deadlines": ExecutionTimeouts(timeout_s), "shares": OperationLimiter(at_once), "leaves": LeafReaders()}
    return type("ExecutorWithin", (BoundedExecutor,), bounds)

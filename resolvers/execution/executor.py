"""graphql-core's executor with time and concurrency limits, and with shortcuts for the most frequent paths.

Changes to graphql-core's behaviour:

- Executions have a time limit, and each caller a limit on concurrent executions. graphql-core has neither.
- All events of a subscription share the root fields collected for the first. graphql-core collects them for each event,
  and 3.3.1 and 3.3.2 cache the sub-fields of all events by the identity of the collected root fields: about 2 KiB per
  event that are never used again. `tests/resolvers/execution/test_subscription_memory.py` shows whether this is still
  needed.
- An execution ends its fields when it ends. If a field fails at once, graphql-core returns and goes on with the others
  in the background, outside of both limits. It creates the coroutines of several fields before it awaits the first; if
  the execution is cancelled or a field fails then, it leaves them, and Python warns of each that was never awaited.
- Fields without a selection are read by `resolvers.execution.fields`, and those with one by
  `resolvers.execution.selections`, unless graphql-core must complete them.

Written for graphql-core 3.3.2 and Strawberry 0.341.2: overrides undocumented methods of `Executor` and derives from
Strawberry's `StrawberryGraphQLCoreExecutionContext`. `tests/resolvers/test_private_names.py` checks them.
"""

from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from functools import cached_property
from inspect import CORO_CREATED, getcoroutinestate
from types import CoroutineType
from typing import Any

from graphql import ExecutionResult, GraphQLError, GraphQLObjectType, GraphQLOutputType, OperationType
from graphql.execution.collect_fields import FieldDetails
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from resolvers.execution.fields import LeafReaders, Reader, innermost
from resolvers.execution.limits import ExecutionTimeouts, OperationLimiter
from resolvers.execution.projection import EventObject, Projection, Projections, Result
from resolvers.execution.selections import Key
from resolvers.execution.shapes import collect_root_fields
from resolvers.json_text import write_json
from resolvers.strawberry_fields import python_class
from schema.render import RenderLoader
from services import models


class ProjectedEvent:
    """Replaces an event's executor if a projection has already computed the result."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def execute_operation(self, serially: bool | None = None) -> ExecutionResult:  # noqa: ARG002, FBT001
        """Return the result."""
        return ExecutionResult(data=self._result, errors=None)


class BoundedExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes a query, a mutation or one event of a subscription within the limits."""

    timeouts: ExecutionTimeouts
    limiter: OperationLimiter
    leaf_readers: LeafReaders
    projections: Projections | None = None
    event_fields: Any = None

    @cached_property
    def projection(self) -> Projection | None:
        """The projection that computes this subscription's results; None if graphql-core executes each event."""
        return None if self.projections is None else self.projections.of(self)

    @cached_property
    def used_readers(self) -> dict[Key, Reader | None]:
        """The readers that this execution has used, if they depend on variables."""
        return {}

    @cached_property
    def coroutines(self) -> list[Coroutine[Any, Any, Any]]:
        """The coroutines of this execution, each after those that it awaits.

        Those of awaitable list items and of types that must be awaited, of which the schema has none, are left out.
        """
        return []

    @cached_property
    def event_class(self) -> type[EventObject]:
        """The class of the GraphQL objects of this subscription's events."""
        root: Any = self.schema.subscription_type
        [details, *_] = collect_root_fields(self).values()
        return python_class(innermost(root.fields[details[0].node.name.value].type))  # type: ignore[arg-type]

    def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: FBT001  # graphql-core's signature
        """Return the result, or an awaitable of it."""
        if self.operation.operation is not OperationType.SUBSCRIPTION:
            return self.timeouts.run(self._execute_in_slot(serially))
        result = super().execute_operation(serially)  # of one event
        if self.is_awaitable(result):
            return self.timeouts.run(self._complete(result))
        if self.background_futures:
            self._end_fields()
        return result

    async def _execute_in_slot(self, serially: bool | None) -> Any:  # noqa: FBT001
        """Execute the operation once its connection and its caller each have a free slot."""
        context = self.context_value
        if context.slot is not None:
            await context.slot.acquire()
        caller_id = "" if context.identity is None else context.identity.caller.limit_key
        await self.limiter.acquire(caller_id)
        try:
            result = super().execute_operation(serially)
            return await result if self.is_awaitable(result) else result
        finally:
            self._end_fields()
            self.limiter.release(caller_id)

    async def _complete(self, result: Awaitable[ExecutionResult]) -> ExecutionResult:
        try:
            return await result
        finally:
            self._end_fields()

    def _end_fields(self) -> None:
        """Cancel what is executed in the background, and close the coroutines that have not started."""
        for future in tuple(self.background_futures):
            future.cancel()
        for coroutine in self.coroutines:
            if getcoroutinestate(coroutine) == CORO_CREATED:
                coroutine.close()
        self.coroutines.clear()  # the executor is freed by the garbage collector, since it is part of a cycle

    def _tracked(self, value: Any) -> Any:
        """Return the value, and add it to `coroutines` if it is one."""
        if type(value) is CoroutineType:
            self.coroutines.append(value)
        return value

    def build_per_event_executor(self, payload: Any) -> Any:
        """Return the executor of one event, and enable the fast path for the following ones."""
        if self.context_value and self.context_value.fast_path:
            self.context_value.fast_path.open(self.projection or self, payload.loader)
        if self.projection and (result := self.projection.result(payload)):
            return ProjectedEvent(result)
        return self._event(payload)

    def execute_event(self, payload: EventObject) -> Any:
        """Return the result of one event of a subscription, or an awaitable of it."""
        return self._event(payload).execute_operation()

    def encode(self, loader: RenderLoader, state: models.Render) -> bytes | None:
        """Return the JSON of an event's data; None if the execution has errors or must await something."""
        if state.status is models.RenderStatus.QUEUED:  # its position is read from the store
            return None
        event = self._event(source := self.event_class.from_model(state, loader))
        try:
            data = event.execute_fields(self.schema.subscription_type, source, None, self.event_fields)
        except GraphQLError:
            return None
        if self.is_awaitable(data):
            self.settle_in_background([data])
            return None
        return None if event.collected_errors.errors else write_json(data)

    def execute_collected_root_fields(self, root_type: Any, root_value: Any, fields: Any, *rest: Any) -> Any:
        """Execute the root fields. All events pass the same object, since sub-fields are cached by its identity."""
        return super().execute_collected_root_fields(root_type, root_value, self.event_fields or fields, *rest)

    def execute_fields(
        self, parent_type: Any, source_value: Any, path: Any, grouped_field_set: Any, position_context: Any = None
    ) -> Any:
        """Return an object's fields, or an awaitable of them. If none has a selection, they are read directly."""
        names = [details[0].node.name.value for details in grouped_field_set.values()]
        readers = [read for name in names if (read := self.leaf_readers.reader(parent_type, name))]
        if len(readers) == len(names):
            with suppress(Exception):  # graphql-core raises the same error and reports it
                return {key: read(source_value) for key, read in zip(grouped_field_set, readers, strict=True)}
        return self._tracked(
            super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)
        )

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, field_details_list: list[FieldDetails], *rest: Any
    ) -> Any:
        """Return the field's completed value, or an awaitable of it."""
        read = self.leaf_readers.reader(parent_type, field_details_list[0].node.name.value)
        if read is not None:
            with suppress(Exception):  # graphql-core raises the same error and reports it
                return read(source)
        return self._tracked(super().execute_field(parent_type, source, field_details_list, *rest))

    def complete_awaitable_value(
        self, return_type: Any, field_details_list: list[FieldDetails], info: Any, path: Any, result: Any, *rest: Any
    ) -> Any:
        """Return an awaitable of the completed value of a result that is awaited."""
        return super().complete_awaitable_value(
            return_type, field_details_list, info, path, self._tracked(result), *rest
        )

    def complete_object_value(
        self, return_type: Any, field_details_list: list[FieldDetails], info: Any, path: Any, result: Any, *rest: Any
    ) -> Any:
        """Return the selected fields of an object, or an awaitable of them."""
        if (read := self._selection_reader(return_type, field_details_list)) is not None:
            with suppress(Exception):  # graphql-core raises the same error and reports it
                return read(result)
        return super().complete_object_value(return_type, field_details_list, info, path, result, *rest)

    def complete_list_value(
        self, return_type: Any, field_details_list: list[FieldDetails], info: Any, path: Any, result: Any, *rest: Any
    ) -> Any:
        """Return the completed items of a list, or an awaitable of them."""
        if (read := self._selection_reader(return_type, field_details_list)) is not None:
            with suppress(Exception):  # graphql-core raises the same error and reports it
                return read(result)
        return self._tracked(super().complete_list_value(return_type, field_details_list, info, path, result, *rest))

    def complete_list_item_value(self, item: Any, complete_results: list[Any], *rest: Any) -> bool:
        """Append the completed item, or an awaitable of it, to the results. Returns whether it is awaitable."""
        is_awaitable = super().complete_list_item_value(item, complete_results, *rest)
        if is_awaitable:
            self._tracked(complete_results[-1])
        return is_awaitable

    def _selection_reader(self, type_: GraphQLOutputType, details: list[FieldDetails]) -> Reader | None:
        selections = self.context_value and self.context_value.selections
        return None if selections is None else selections.reader(self, type_, details, used=self.used_readers)

    def _event(self, payload: EventObject) -> "BoundedExecutor":
        if self.event_fields is None:
            self.event_fields = collect_root_fields(self)
        return super().build_per_event_executor(payload)  # type: ignore[return-value]  # a copy of this one


def bounded_executor(timeout_s: float, *, max_at_once: int) -> type[BoundedExecutor]:
    """Return an executor class with a time limit per execution and at most `max_at_once` executions per caller.

    `projections` is None: it needs the schema, which is built with this class, so the caller sets it afterwards.
    """
    limits = {
        "timeouts": ExecutionTimeouts(timeout_s),
        "limiter": OperationLimiter(max_at_once),
        "leaf_readers": LeafReaders(),
    }
    return type("ConfiguredExecutor", (BoundedExecutor,), limits)

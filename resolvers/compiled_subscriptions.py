"""Starts subscriptions without graphql-core.

graphql-core coerces variables, collects fields and calls a resolver for each subscription, and Strawberry wraps its
events in three generators, although subscriptions with the same document differ only in the render that they follow.
Here a document gets a plan once: which arguments its root field has, and the shape of its selection (`projection`). A
selection that depends on variables has no plan, and graphql-core executes it.

Written for graphql-core 3.3.2, whose `Executor.build` is not documented.
`tests/resolvers/test_private_names.py` checks them.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from weakref import WeakKeyDictionary

from graphql import DocumentNode, ExecutionResult, GraphQLError, StringValueNode, VariableNode

from resolvers.admission.documents import AcceptedDocument
from resolvers.context import Context
from resolvers.errors import to_client_error
from resolvers.execution.executor import BoundedExecutor
from resolvers.execution.fields import NotCompilable, Shape
from resolvers.execution.projection import Projection, Projections, Result
from resolvers.execution.shapes import collect_root_fields, depends_on_variables
from services.realtime.subscribers import RenderEvent, Subscriber

Arguments = Mapping[str, str]
# Opens the subscriber of a root field with its arguments, named as in GraphQL. Raises the errors of the resolver.
Opener = Callable[[Context, Arguments], Awaitable[Subscriber]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What all subscriptions with the same operation share. Each argument has a value or the name of a variable."""

    open: Opener
    shape: Shape
    values: Arguments
    variables: Mapping[str, str]

    def arguments(self, given: Mapping[str, object]) -> Arguments | None:
        """Return the root field's arguments; None if graphql-core must convert one, or report that it is missing."""
        arguments = dict(self.values)
        for name, variable in self.variables.items():
            value = given.get(variable)
            if not isinstance(value, str):
                return None
            arguments[name] = value
        return arguments


class CompiledSubscription:
    """A client's subscription with a plan. `suggestions` is as for `to_client_error`."""

    __slots__ = ("_arguments", "_build_executor", "_context", "_executor", "_open", "_projection", "_suggestions")

    def __init__(
        self,
        plan: Plan,
        arguments: Arguments,
        context: Context,
        *,
        projection: Projection,
        build_executor: Callable[[], BoundedExecutor],
        suggestions: bool,
    ) -> None:
        self._open = plan.open
        self._arguments = arguments
        self._context = context
        self._projection = projection
        self._build_executor = build_executor
        self._executor: BoundedExecutor | None = None
        self._suggestions = suggestions

    async def open(self) -> Subscriber:
        """Return the subscriber to the events, whose states the context's fast path pushes. Raises as the resolver."""
        subscriber = await self._open(self._context, self._arguments)
        if self._context.fast_path is not None:
            self._context.fast_path.open(self._projection, self._context.render_loader)
        return subscriber

    async def close(self, subscriber: Subscriber) -> None:
        """Stop receiving events."""
        await self._context.services.hub.close(subscriber)

    async def result(self, event: RenderEvent) -> Result | ExecutionResult:
        """Return the result for an event, which graphql-core executes if the projection can't compute it."""
        source = self._projection.event_class.from_model(event, self._context.render_loader)  # type: ignore[arg-type]
        if (projected := self._projection.result(source)) is not None:
            return projected
        if self._executor is None:
            self._executor = self._build_executor()
        executing: Any = self._executor.execute_event(source)
        result: ExecutionResult = await executing if self._executor.is_awaitable(executing) else executing
        return self._result(result.data, result.errors or ())

    def failure(self, error: Exception) -> ExecutionResult:
        """Return the result with an error of `open`."""
        return self._result(None, [GraphQLError(str(error), original_error=error)])

    def _result(self, data: dict[str, Any] | None, errors: Iterable[GraphQLError]) -> ExecutionResult:
        shown = [to_client_error(error, suggestions=self._suggestions) for error in errors]
        return ExecutionResult(data=data, errors=shown or None)


class Compiler:
    """Makes plans of operations. `openers` are those of the root fields that can have one."""

    def __init__(
        self, executor_class: type[BoundedExecutor], projections: Projections, openers: Mapping[str, Opener]
    ) -> None:
        self._executor_class = executor_class
        self._projections = projections
        self._openers = openers
        self._plans: WeakKeyDictionary[AcceptedDocument, dict[str | None, Plan | None]] = WeakKeyDictionary()

    def subscription(
        self,
        accepted: AcceptedDocument,
        name: str | None,
        variables: Mapping[str, object],
        context: Context,
        *,
        suggestions: bool,
    ) -> CompiledSubscription | None:
        """Return a subscription of a valid document; None if graphql-core must execute it.

        Raises `GraphQLError` if its variables are not valid.
        """
        plans = self._plans.setdefault(accepted, {})
        if name not in plans:
            plans[name] = self._plan(self._build(accepted.document, name, variables))
        plan = plans[name]
        arguments = None if plan is None else plan.arguments(variables)
        if plan is None or arguments is None:
            return None
        return CompiledSubscription(
            plan,
            arguments,
            context,
            projection=self._projections.get(plan.shape),
            build_executor=partial(self._build, accepted.document, name, variables, context),
            suggestions=suggestions,
        )

    def _build(
        self,
        document: DocumentNode,
        name: str | None,
        variables: Mapping[str, object],
        context: Context | None = None,
    ) -> BoundedExecutor:
        """Return graphql-core's executor of an operation. Raises `GraphQLError` if the variables are not valid."""
        built = self._executor_class.build(
            self._projections.core_schema,
            document,
            context_value=context,
            raw_variable_values=dict(variables),
            operation_name=name,
        )
        if isinstance(built, list):
            raise built[0]
        return cast("BoundedExecutor", built)

    def _plan(self, executor: BoundedExecutor) -> Plan | None:
        """Return the plan of the executor's operation; None if it has none."""
        try:
            shape = self._projections.shape(executor)
            self._projections.get(shape)
        except NotCompilable:
            return None
        root_fields = next(iter(collect_root_fields(executor).values()))
        given = {each.name.value: each.value for details in root_fields for each in details.node.arguments or ()}
        values = {name: value.value for name, value in given.items() if isinstance(value, StringValueNode)}
        variables = {name: value.name.value for name, value in given.items() if isinstance(value, VariableNode)}
        opener = self._openers.get(root_fields[0].node.name.value)
        if opener is None or len(values) + len(variables) < len(given) or depends_on_variables(executor):
            return None
        return Plan(open=opener, shape=shape, values=values, variables=variables)

"""The roots put together into the executable schema, with the limits that hold for every operation on it."""

from typing import TYPE_CHECKING

from graphql import GraphQLError
from graphql import OperationType as GraphQLOperationType
from strawberry import Schema
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.schema._graphql_core import ResultType
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionContext
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from resolvers.admission.cost import Operation
from resolvers.admission.documents import DocumentRefused, Documents, check_variables
from resolvers.admission.mutation_rate import MutationRate
from resolvers.context import Context
from resolvers.errors import client_error
from resolvers.execution.executor import executor_within
from resolvers.execution.projection import Projections
from resolvers.execution.tracing import traced
from resolvers.mutation import Mutation
from resolvers.query import Query
from resolvers.subscription import Subscription
from schema.render import Render
from schema.scalars import SCALARS
from services.errors import LimitExceeded
from services.settings import Settings

if TYPE_CHECKING:
    from services.observability.tracing import Tracing

KINDS = {kind: OperationType(kind.value) for kind in GraphQLOperationType}  # Strawberry has its own name for each


class RendercastSchema(Schema):
    """Admits operations, over HTTP and WebSockets alike, as the settings say."""

    def __init__(self, settings: Settings, tracing: "Tracing | None" = None) -> None:
        executor = executor_within(settings.execution_timeout_s, at_once=settings.max_operations_at_once)
        if tracing:
            executor = traced(executor, tracing)
        super().__init__(
            query=Query,
            mutation=Mutation,
            subscription=Subscription,
            types=[Render],
            config=StrawberryConfig(scalar_map=SCALARS),
            execution_context_class=executor,
        )
        if settings.projections:
            executor.projections = Projections(self._schema)
        self.documents = Documents(self._schema, settings)
        self.mutation_rate = MutationRate(settings.max_mutations_per_minute)
        self._settings = settings

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log nothing here: `client_error` does, which tells clients' mistakes from ours."""

    async def _prepare_operation_async(
        self,
        context: ExecutionContext,
        extensions_runner: SchemaExtensionsRunner,  # noqa: ARG002
    ) -> PreExecutionError | None:
        """Parse, validate and choose the operation, in the place of Strawberry's own way, which has no limits."""
        try:
            self._admit(context, context.query or "")
        except DocumentRefused as refused:
            return PreExecutionError(data=None, errors=refused.errors)
        return None

    async def _handle_execution_result(
        self,
        context: ExecutionContext,
        result: ResultType,
        extensions_runner: SchemaExtensionsRunner,
        *,
        skip_process_errors: bool = False,
    ) -> ExecutionResult:
        """Turn the errors of any result into what clients may see: every result comes by here, whatever broke."""
        handled = await super()._handle_execution_result(
            context, result, extensions_runner, skip_process_errors=skip_process_errors
        )
        if handled.errors:
            hints = bool(self._settings.introspection)
            handled.errors = [client_error(error, hints=hints) for error in handled.errors]
        return handled

    def _admit(self, context: ExecutionContext, text: str) -> None:
        accepted = self.documents.accept(text)
        operation = accepted.operation(context._provided_operation_name)  # noqa: SLF001  # else the first one's
        context.graphql_document = accepted.document
        kind = KINDS[operation.type]
        if kind not in context.allowed_operations:
            raise InvalidOperationTypeError(kind)
        if context.variables:
            check_variables(context.variables, self._settings)
        if kind is OperationType.MUTATION:
            self._admit_mutation(context.context, operation)

    def _admit_mutation(self, context: Context, operation: Operation) -> None:
        if context.identity is None:  # who will be asked to sign in
            return
        now_s = context.services.clock.now().timestamp()
        try:
            self.mutation_rate.admit(context.identity.caller.id, operation.root_fields, now_s=now_s)
        except LimitExceeded as error:
            raise DocumentRefused(GraphQLError(str(error), original_error=error)) from error


def build_schema(settings: Settings | None = None, *, tracing: "Tracing | None" = None) -> RendercastSchema:
    """Return the schema that `schema/schema.graphql` is exported from; with default limits if it is only shown."""
    return RendercastSchema(settings or Settings.model_construct(), tracing)

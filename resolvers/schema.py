"""The executable schema: the root types, and the limits that apply to every operation.

Relies on private names of Strawberry, written for 0.341.2: `Schema._schema`, `Schema._prepare_operation_async`,
`Schema._handle_execution_result`, `ExecutionContext._provided_operation_name` and `strawberry.schema._graphql_core`.
`tests/resolvers/test_private_names.py` checks them.
"""

from typing import TYPE_CHECKING

from graphql import GraphQLError, GraphQLSchema
from graphql import OperationType as GraphQLOperationType
from strawberry import Schema
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.schema._graphql_core import ResultType
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionContext
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from resolvers.admission.cost import MeasuredOperation
from resolvers.admission.documents import DocumentRejected, Documents, check_variables
from resolvers.admission.mutation_rate import MutationRateLimiter
from resolvers.admission.trusted_documents import load_trusted_documents
from resolvers.context import Context
from resolvers.errors import to_client_error
from resolvers.execution.executor import bounded_executor
from resolvers.execution.projection import Projections
from resolvers.execution.tracing import traced
from resolvers.mutation import Mutation
from resolvers.query import Query
from resolvers.subscription import Subscription
from schema.render import Render
from schema.scalars import SCALARS
from services.errors import LimitExceeded, Unauthenticated, UserError
from services.settings import GraphQLSettings, default_settings

if TYPE_CHECKING:
    from services.observability.tracing import Tracing

MIN_LONG_COST = 100  # the weighted number of fields that take about a millisecond
OPERATION_TYPES = {type_: OperationType(type_.value) for type_ in GraphQLOperationType}  # Strawberry has its own enum


class RendercastSchema(Schema):
    """Executes operations within the limits of the settings. HTTP and WebSockets share it."""

    def __init__(self, settings: GraphQLSettings, tracing: "Tracing | None" = None) -> None:
        executor = bounded_executor(settings.execution_timeout_s, max_at_once=settings.max_concurrent_operations)
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
        self.core_schema: GraphQLSchema = self._schema
        if settings.projections:
            executor.projections = Projections(self.core_schema)
        self.documents = Documents(self.core_schema, settings)
        self.trusted_documents = load_trusted_documents(settings)
        self.mutation_rate = MutationRateLimiter(settings.max_mutations_per_minute)
        self._settings = settings

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log nothing: `to_client_error` logs internal errors. Errors that clients caused are not logged."""

    async def _prepare_operation_async(
        self,
        context: ExecutionContext,
        extensions_runner: SchemaExtensionsRunner,  # noqa: ARG002
    ) -> PreExecutionError | None:
        """Parse, measure and validate the document, and select the operation. Strawberry's own method has no limits.

        It waits for the caller's turn before what takes milliseconds: a new document, and many fields.
        """
        turns = context.context
        try:
            text = self._find_document(context)
            is_new = text not in self.documents.cache
            if turns is not None:
                turns.note_activity()
                if is_new:
                    await turns.turn()
            operation = self._admit(context, text)
        except DocumentRejected as rejected:
            return PreExecutionError(data=None, errors=rejected.errors)
        if turns is not None and _is_long(operation) and not is_new:
            await turns.turn()
        return None

    async def _handle_execution_result(
        self,
        context: ExecutionContext,
        result: ResultType,
        extensions_runner: SchemaExtensionsRunner,
        *,
        skip_process_errors: bool = False,
    ) -> ExecutionResult:
        """Replace the errors of a result by the errors for clients. Strawberry calls this for every result."""
        handled = await super()._handle_execution_result(
            context, result, extensions_runner, skip_process_errors=skip_process_errors
        )
        if handled.errors:
            suggestions = self._shows_schema(context.context)
            handled.errors = [to_client_error(error, suggestions=suggestions) for error in handled.errors]
        return handled

    def _find_document(self, context: ExecutionContext) -> str:
        document_id = None if context.context is None else context.context.document_id
        try:
            return self.trusted_documents.find(context.query, document_id)
        except UserError as error:
            raise DocumentRejected(GraphQLError(str(error), original_error=error)) from error

    def _admit(self, context: ExecutionContext, text: str) -> MeasuredOperation:
        accepted = self.documents.accept(text)
        # The public `operation_name` would return the first operation's name if the client sent none.
        operation = accepted.operation(context._provided_operation_name)  # noqa: SLF001
        context.graphql_document = accepted.document
        operation_type = OPERATION_TYPES[operation.type]
        if operation_type not in context.allowed_operations:
            raise InvalidOperationTypeError(operation_type)
        if context.variables:
            check_variables(context.variables, operation.variable_types, self._settings)
        if operation.introspects and not self._shows_schema(context.context):
            raise _unauthenticated(context.context)
        if operation_type is OperationType.MUTATION:
            self._admit_mutation(context.context, operation)
        return operation

    def _shows_schema(self, context: Context | None) -> bool:
        """Return whether the caller may read the schema: all callers if it is public, else those with an identity."""
        allowed = self._settings.introspection
        return allowed == "public" or (bool(allowed) and (context is None or context.identity is not None))

    def _admit_mutation(self, context: Context, operation: MeasuredOperation) -> None:
        if context.identity is None:  # the resolver raises `Unauthenticated`
            return
        now_s = context.services.clock.now().timestamp()
        try:
            self.mutation_rate.admit(context.identity.caller.limit_key, operation.root_fields, now_s=now_s)
        except LimitExceeded as error:
            raise DocumentRejected(GraphQLError(str(error), original_error=error)) from error


def _is_long(operation: MeasuredOperation) -> bool:
    """Return whether the execution takes a millisecond or more. A subscription's events have turns of their own."""
    return operation.cost >= MIN_LONG_COST and operation.type is not GraphQLOperationType.SUBSCRIPTION


def _unauthenticated(context: Context) -> DocumentRejected:
    error = context.authentication_error or Unauthenticated("Sign in to read the schema.")
    return DocumentRejected(GraphQLError(str(error), original_error=error))


def build_schema(settings: GraphQLSettings | None = None, *, tracing: "Tracing | None" = None) -> RendercastSchema:
    """Return the schema. Without settings, it has the default limits, as for the export of `schema/schema.graphql`."""
    return RendercastSchema(settings or default_settings().graphql, tracing)

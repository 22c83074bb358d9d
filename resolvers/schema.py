"""The executable schema: the root types, and the limits that apply to every operation.

Relies on private names of Strawberry, written for 0.341.2: `Schema._schema`, `Schema._prepare_operation_async`,
`Schema._handle_execution_result`, `ExecutionContext._provided_operation_name`, `strawberry.schema._graphql_core` and
`strawberry.execution.is_awaitable`.
`tests/resolvers/test_private_names.py` checks them.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from graphql import DocumentNode, GraphQLError, GraphQLSchema
from graphql import OperationType as GraphQLOperationType
from strawberry import Schema
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.schema._graphql_core import ResultType
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionContext
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from resolvers.admission.cost import MeasuredOperation
from resolvers.admission.documents import AcceptedDocument, DocumentRejected, Documents, check_variables
from resolvers.admission.mutation_rate import MutationRateLimiter
from resolvers.admission.trusted_documents import load_trusted_documents
from resolvers.compiled_subscriptions import CompiledSubscription, Compiler
from resolvers.context import Context
from resolvers.errors import to_client_error
from resolvers.execution.executor import bounded_executor
from resolvers.execution.projection import Projections
from resolvers.execution.tracing import traced
from resolvers.mutation import Mutation
from resolvers.query import Query
from resolvers.strawberry_inputs import compile_inputs
from resolvers.strawberry_resolvers import compile_resolvers
from resolvers.subscription import OPENERS, Subscription
from schema.render import Render
from schema.scalars import SCALARS
from services.errors import LimitExceeded, Unauthenticated, UserError
from services.settings import GraphQLSettings, default_settings

if TYPE_CHECKING:
    from services.observability.tracing import Tracing

MIN_LONG_COST = 500  # the weighted number of compiled fields that take about a millisecond
OPERATION_TYPES = {type_: OperationType(type_.value) for type_ in GraphQLOperationType}  # Strawberry has its own enum


class _Request(NamedTuple):
    """An operation that a client requests. `allowed_types` are those that its transport allows; None: all."""

    query: str | None
    operation_name: str | None
    variables: Mapping[str, object]
    context: Context | None
    allowed_types: Iterable[OperationType] | None


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
        compile_inputs(self.core_schema)
        compile_resolvers(self.core_schema)
        self._compiler: Compiler | None = None
        if settings.projections:
            executor.projections = Projections(self.core_schema)
            self._compiler = Compiler(executor, executor.projections, OPENERS)
        self.documents = Documents(self.core_schema, settings)
        self.trusted_documents = load_trusted_documents(settings)
        self.mutation_rate = MutationRateLimiter(settings.max_mutations_per_minute)
        self._settings = settings

    def compiled_subscription(
        self, text: str | None, name: str | None, variables: Mapping[str, object], context: Context
    ) -> CompiledSubscription | None:
        """Return a subscription that needs no graphql-core to start; None if `stream` must execute the operation.

        It must do so for the first execution of a document, and for each operation that it rejects.
        """
        try:
            accepted = self.documents.cache.get(self.trusted_documents.find(text, context.document_id))
            if self._compiler is None or accepted is None or not _subscribes(accepted.operation(name)):
                return None
            check_variables(variables, accepted.operation(name).variable_types, self._settings)
            shows_schema = self._shows_schema(context)
            compiled = self._compiler.subscription(accepted, name, variables, context, suggestions=shows_schema)
        except (UserError, DocumentRejected, GraphQLError):
            return None
        context.note_activity()
        return compiled

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log nothing: `to_client_error` logs internal errors. Errors that clients caused are not logged."""

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Context | None = None,
        root_value: object = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> ExecutionResult:
        """Return the result of a query or mutation. Raises `InvalidOperationTypeError`.

        Strawberry's own method also calls extensions, of which there are none. It takes 25 µs more.
        """
        request = _Request(query, operation_name, variable_values or {}, context_value, allowed_operation_types)
        try:
            document = await self._prepare(request)
            executor: Any = self.execution_context_class.build(
                self.core_schema,
                document,
                root_value=root_value,
                context_value=context_value,
                raw_variable_values=variable_values,
                operation_name=operation_name,
                is_awaitable=cast("Any", optimized_is_awaitable),
            )
            if isinstance(executor, list):  # of errors
                return self._for_client(ExecutionResult(data=None, errors=executor), context_value)
            executed = executor.execute_operation()
            result = await executed if executor.is_awaitable(executed) else executed
        except InvalidOperationTypeError:
            raise
        except DocumentRejected as rejected:
            return self._for_client(PreExecutionError(data=None, errors=rejected.errors), context_value)
        except Exception as error:  # noqa: BLE001  # logged with its id
            failed = PreExecutionError(data=None, errors=[GraphQLError(str(error), original_error=error)])
            return self._for_client(failed, context_value)
        return self._for_client(ExecutionResult(data=result.data, errors=result.errors), context_value)

    async def _prepare_operation_async(
        self,
        context: ExecutionContext,
        extensions_runner: SchemaExtensionsRunner,  # noqa: ARG002
    ) -> PreExecutionError | None:
        """Prepare an operation of `stream`. Strawberry's own method has no limits."""
        request = _Request(
            context.query,
            # The public `operation_name` would return the first operation's name if the client sent none.
            context._provided_operation_name,  # noqa: SLF001
            context.variables or {},
            context.context,
            context.allowed_operations,
        )
        try:
            context.graphql_document = await self._prepare(request)
        except DocumentRejected as rejected:
            return PreExecutionError(data=None, errors=rejected.errors)
        return None

    async def _prepare(self, request: _Request) -> DocumentNode:
        """Parse, measure and validate the document, select the operation, and return the document.

        It waits for the caller's turn before what takes milliseconds: a new document, and many fields. Raises
        `DocumentRejected` or `InvalidOperationTypeError`.
        """
        turns = request.context
        text = self._find_document(request)
        is_new = text not in self.documents.cache
        if turns is not None:
            turns.note_activity()
            if is_new:
                await turns.turn()
        accepted = self.documents.accept(text)
        operation = self._admit(accepted, request)
        if turns is not None and not is_new:
            turns.selections = operation.selections if self._compiler is not None else None
            if _is_long(operation):
                await turns.turn()
        return accepted.document

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
        return self._for_client(handled, context.context)

    def _for_client(self, result: ExecutionResult, context: Context | None) -> ExecutionResult:
        if result.errors:
            suggestions = self._shows_schema(context)
            result.errors = [to_client_error(error, suggestions=suggestions) for error in result.errors]
        return result

    def _find_document(self, request: _Request) -> str:
        document_id = None if request.context is None else request.context.document_id
        try:
            return self.trusted_documents.find(request.query, document_id)
        except UserError as error:
            raise DocumentRejected(GraphQLError(str(error), original_error=error)) from error

    def _admit(self, accepted: AcceptedDocument, request: _Request) -> MeasuredOperation:
        operation = accepted.operation(request.operation_name)
        operation_type = OPERATION_TYPES[operation.type]
        if request.allowed_types is not None and operation_type not in request.allowed_types:
            raise InvalidOperationTypeError(operation_type)
        if request.variables:
            check_variables(request.variables, operation.variable_types, self._settings)
        if operation.introspects and not self._shows_schema(request.context):
            raise _unauthenticated(request.context)
        if operation_type is OperationType.MUTATION:
            self._admit_mutation(request.context, operation)
        return operation

    def _shows_schema(self, context: Context | None) -> bool:
        """Return whether the caller may read the schema: all callers if it is public, else those with an identity."""
        allowed = self._settings.introspection
        return allowed == "public" or (bool(allowed) and (context is None or context.identity is not None))

    def _admit_mutation(self, context: Context | None, operation: MeasuredOperation) -> None:
        if context is None or context.identity is None:  # the resolver raises `Unauthenticated`
            return
        now_s = context.services.clock.monotonic()
        try:
            self.mutation_rate.admit(context.identity.caller.limit_key, operation.root_fields, now_s=now_s)
        except LimitExceeded as error:
            raise DocumentRejected(GraphQLError(str(error), original_error=error)) from error


def _subscribes(operation: MeasuredOperation) -> bool:
    return operation.type is GraphQLOperationType.SUBSCRIPTION


def _is_long(operation: MeasuredOperation) -> bool:
    """Return whether the execution takes a millisecond or more. A subscription's events have turns of their own."""
    return operation.cost >= MIN_LONG_COST and not _subscribes(operation)


def _unauthenticated(context: Context | None) -> DocumentRejected:
    error = (context and context.authentication_error) or Unauthenticated("Sign in to read the schema.")
    return DocumentRejected(GraphQLError(str(error), original_error=error))


def build_schema(settings: GraphQLSettings | None = None, *, tracing: "Tracing | None" = None) -> RendercastSchema:
    """Return the schema. Without settings, it has the default limits, as for the export of `schema/schema.graphql`."""
    return RendercastSchema(settings or default_settings().graphql, tracing)

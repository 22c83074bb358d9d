"""GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Protocol

from graphql import GraphQLError, GraphQLFormattedError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry import Schema
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from auth.authenticator import Authenticator
from resolvers.context import Context
from resolvers.errors import result_too_large, to_client_error
from resolvers.json_text import write_json
from services.errors import ExecutionTimeout, PersistedQueryNotFound, PersistedQueryNotSupported, Unavailable
from services.runtime.services import Services
from transport.authentication import identify
from transport.graphql_request import BadRequest, read_parameters
from transport.graphql_stream import GraphQLStreams, StreamedRequest
from transport.json_response import JsonResponse, error_response
from transport.media_types import MediaType, accepts_html, negotiate
from transport.operation_request import OperationRequest
from transport.request_headers import RequestHeaders
from transport.stream_formats import FORMATS

METHODS = ("GET", "POST")
MAX_ANONYMOUS_BODY_BYTES = 16 * 1024  # without a valid token, since many such requests may arrive concurrently
GET_OPERATIONS = frozenset({OperationType.QUERY})  # allowed by GET, which browsers send for other sites too
DOCUMENT_PARAMETERS = frozenset({"query", "documentId", "extensions"})  # one of them is in every GraphQL request
POST_OPERATIONS = frozenset({OperationType.QUERY, OperationType.MUTATION})
# Errors after which clients send another request, though not all do after a status other than 200.
CONTINUING_CODES = frozenset({PersistedQueryNotFound.code, PersistedQueryNotSupported.code})
SUBSCRIPTION_NOT_ACCEPTED = (
    f"Send subscriptions over a WebSocket (graphql-transport-ws), or accept {MediaType.EVENT_STREAM} "
    f"or {MediaType.MULTIPART};subscriptionSpec=1.0."
)
NOT_READABLE = "Open event streams by `EventSource` or by `fetch` with CORS."
NOT_ACCEPTABLE = (
    f"This server sends {MediaType.GRAPHQL_JSON}, {MediaType.JSON}, {MediaType.EVENT_STREAM} and "
    f"{MediaType.MULTIPART};subscriptionSpec=1.0."
)


class HtmlPage(Protocol):
    """A page for browsers."""

    def response(self) -> Response:
        """Return the response with the page."""
        ...


class GraphQLHttpEndpoint:
    """The endpoint `/graphql` over HTTP. A browser's GET request without a query gets GraphiQL's page."""

    def __init__(
        self,
        services: Services,
        *,
        schema: Schema,
        authenticate: Authenticator,
        graphiql: HtmlPage | None,
        streams: GraphQLStreams,
    ) -> None:
        self._services = services
        self._schema = schema
        self._authenticate = authenticate
        self._graphiql = graphiql
        self._streams = streams
        self._max_body_bytes = services.settings.server.max_body_bytes
        self._max_result_bytes = services.settings.graphql.max_result_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> ASGIApp:
        headers = RequestHeaders(request.scope["headers"])
        accept = headers.value(b"accept")
        if self._graphiql is not None and _accepts_page(request, accept):
            return self._graphiql.response()
        acceptable = negotiate(accept)
        if not acceptable:
            return error_response(BadRequest(HTTPStatus.NOT_ACCEPTABLE, NOT_ACCEPTABLE))
        media_type = MediaType.JSON if acceptable[0].is_stream else acceptable[0]  # of errors
        try:
            # If authentication fails, the context has no identity and raises the error in resolvers that need a caller.
            context = Context(services=self._services)
            await identify(context, self._authenticate, request, {})
            parameters = await self._read_parameters(request, headers, context)
            context.document_id = parameters.document_id
            return await self._execute(request, parameters, context, acceptable)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # not sent: the client has disconnected
        except BadRequest as error:
            return error_response(error, media_type)

    async def _read_parameters(self, request: Request, headers: RequestHeaders, context: Context) -> OperationRequest:
        error = context.authentication_error
        if error is None:
            return await read_parameters(request, headers, max_body_bytes=self._max_body_bytes)
        try:
            return await read_parameters(request, headers, max_body_bytes=MAX_ANONYMOUS_BODY_BYTES)
        except BadRequest as rejected:
            if rejected.status is not HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                raise
            # So that clients renew their token, or try again: then the body may be small enough.
            reason = to_client_error(GraphQLError("", original_error=error), suggestions=False)
            status = HTTPStatus.SERVICE_UNAVAILABLE if isinstance(error, Unavailable) else rejected.status
            raise BadRequest(status, reason.message, code=error.code) from rejected

    async def _execute(
        self, request: Request, parameters: OperationRequest, context: Context, acceptable: Sequence[MediaType]
    ) -> ASGIApp:
        """Return the response with the result in the preferred media type; a subscription's results need a stream."""
        if acceptable[0].is_stream:
            return self._stream(request, acceptable[0], parameters, context)
        try:
            result = await self._schema.execute(
                parameters.query,
                variable_values=parameters.variables,
                context_value=context,
                operation_name=parameters.operationName,
                allowed_operation_types=_allowed_types(request),
            )
        except InvalidOperationTypeError as error:
            stream_type = next((each for each in acceptable if each.is_stream), None)
            if stream_type is None or error.operation_type is not OperationType.SUBSCRIPTION:
                raise _wrong_operation(error.operation_type) from error
            return self._stream(request, stream_type, parameters, context)
        return _result_response(result, acceptable[0], max_bytes=self._max_result_bytes)

    def _stream(
        self, request: Request, media_type: MediaType, parameters: OperationRequest, context: Context
    ) -> ASGIApp:
        """Return the response with all results. Raises `BadRequest` for a page that could not read it.

        A page of any site can send such a request by GET, and would keep connections of the user open.
        """
        if request.headers.get("sec-fetch-mode") == "no-cors":
            raise BadRequest(HTTPStatus.FORBIDDEN, NOT_READABLE)
        return self._streams.response(
            StreamedRequest(
                format=FORMATS[media_type],
                operation=parameters,
                context=context,
                allowed_types=_allowed_types(request) | {OperationType.SUBSCRIPTION},
            )
        )


def _allowed_types(request: Request) -> frozenset[OperationType]:
    return POST_OPERATIONS if request.method == "POST" else GET_OPERATIONS


def _accepts_page(request: Request, accept: str) -> bool:
    return request.method != "POST" and accepts_html(accept) and DOCUMENT_PARAMETERS.isdisjoint(request.query_params)


def _wrong_operation(kind: OperationType) -> BadRequest:
    if kind is OperationType.MUTATION:
        return BadRequest(HTTPStatus.METHOD_NOT_ALLOWED, "Send mutations by POST.", (b"allow", b"POST"))
    return BadRequest(HTTPStatus.BAD_REQUEST, SUBSCRIPTION_NOT_ACCEPTED)


def _result_response(result: ExecutionResult, media_type: MediaType, *, max_bytes: int) -> JsonResponse:
    """Return the response for a result, or for an error if the result exceeds `max_bytes`.

    If the request was not executed, the response has no `data`. Its status is then 400, or 200 for the media type
    application/json, as the draft requires, and for `CONTINUING_CODES`.
    """
    errors = [error.formatted for error in result.errors or []]
    executed = result.data is not None or any("path" in each or _code(each) == ExecutionTimeout.code for each in errors)
    content: dict[str, object] = {"errors": errors} if errors else {}
    if executed:
        content = {"data": result.data, **content}
    is_ok = executed or media_type is MediaType.JSON or any(_code(each) in CONTINUING_CODES for each in errors)
    status = HTTPStatus.OK if is_ok else HTTPStatus.BAD_REQUEST
    body = write_json(content)
    if len(body) > max_bytes:
        body = write_json({"data": None, "errors": [result_too_large(max_bytes).formatted]})
    return JsonResponse(body, status, media_type)


def _code(error: GraphQLFormattedError) -> object:
    return error.get("extensions", {}).get("code")

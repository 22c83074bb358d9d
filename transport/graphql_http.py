"""GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/)."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from graphql import GraphQLFormattedError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry import Schema
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from auth.authenticator import Authenticator
from resolvers.context import Context
from resolvers.errors import result_too_large
from services.errors import ExecutionTimeout
from resolvers.json_text import write_json
from services.runtime.services import Services
from transport.authentication import identify
from transport.graphql_request import (
    JSON,
    NOT_ACCEPTABLE,
    BadRequest,
    Parameters,
    negotiate_media_type,
    read_parameters,
)
from transport.request_headers import RequestHeaders

METHODS = ("GET", "POST")
MAX_ANONYMOUS_BODY_BYTES = 16 * 1024  # without a valid token, since many such requests may arrive concurrently
ALLOWED_BY_POST = {OperationType.QUERY, OperationType.MUTATION}


@dataclass(frozen=True, slots=True)
class JsonResponse:
    """A JSON response."""

    body: bytes
    status: HTTPStatus
    media_type: str
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the response."""
        headers = [
            (b"cache-control", b"no-store"),
            (b"content-length", b"%d" % len(self.body)),
            (b"content-type", b"%b; charset=utf-8" % self.media_type.encode()),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


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
        graphiql: HtmlPage,
    ) -> None:
        self._services = services
        self._schema = schema
        self._authenticate = authenticate
        self._graphiql = graphiql
        self._max_body_bytes = services.settings.server.max_body_bytes
        self._max_result_bytes = services.settings.graphql.max_result_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> ASGIApp:
        headers = RequestHeaders(request.scope["headers"])
        if _accepts_page(request, headers):
            return self._graphiql.response()
        media_type = negotiate_media_type(headers.value(b"accept"))
        if media_type is None:
            return _error_response(NOT_ACCEPTABLE, JSON)
        try:
            # If authentication fails, the context has no identity and raises the error in resolvers that need a caller.
            context = Context(services=self._services)
            await identify(context, self._authenticate, request, {})
            max_body_bytes = MAX_ANONYMOUS_BODY_BYTES if context.identity is None else self._max_body_bytes
            parameters = await read_parameters(request, headers, max_body_bytes=max_body_bytes)
            result = await self._execute(request, parameters, context)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # not sent: the client has disconnected
        except BadRequest as error:
            return _error_response(error, media_type)
        return _result_response(result, media_type, max_bytes=self._max_result_bytes)

    async def _execute(self, request: Request, parameters: Parameters, context: Context) -> ExecutionResult:
        try:
            return await self._schema.execute(
                parameters.query,
                variable_values=parameters.variables,
                context_value=context,
                operation_name=parameters.operationName,
                allowed_operation_types=ALLOWED_BY_POST if request.method == "POST" else {OperationType.QUERY},
            )
        except InvalidOperationTypeError as error:
            raise _wrong_operation(error.operation_type) from error


def _accepts_page(request: Request, headers: RequestHeaders) -> bool:
    is_without_query = request.method != "POST" and "query" not in request.query_params
    return is_without_query and "text/html" in headers.value(b"accept")


def _wrong_operation(kind: OperationType) -> BadRequest:
    if kind is OperationType.MUTATION:
        return BadRequest(HTTPStatus.METHOD_NOT_ALLOWED, "Send mutations by POST.", (b"allow", b"POST"))
    return BadRequest(HTTPStatus.BAD_REQUEST, "Send subscriptions over a WebSocket (graphql-transport-ws).")


def _result_response(result: ExecutionResult, media_type: str, *, max_bytes: int) -> JsonResponse:
    """Return the response for a result, or for an error if the result exceeds `max_bytes`.

    If the request was not executed, the response has no `data`. Its status is then 400, or 200 for the media type
    application/json, as the draft requires.
    """
    errors = [error.formatted for error in result.errors or []]
    executed = result.data is not None or any("path" in each or _code(each) == ExecutionTimeout.code for each in errors)
    content: dict[str, object] = {"errors": errors} if errors else {}
    if executed:
        content = {"data": result.data, **content}
    status = HTTPStatus.OK if executed or media_type == JSON else HTTPStatus.BAD_REQUEST
    body = write_json(content)
    if len(body) > max_bytes:
        body = write_json({"data": None, "errors": [result_too_large(max_bytes).formatted]})
    return JsonResponse(body, status, media_type)


def _code(error: GraphQLFormattedError) -> object:
    return error.get("extensions", {}).get("code")


def _error_response(error: BadRequest, media_type: str) -> JsonResponse:
    content = {"errors": [{"message": error.message, "extensions": {"code": "BAD_USER_INPUT"}}]}
    return JsonResponse(write_json(content), error.status, media_type, error.headers)

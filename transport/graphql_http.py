"""GraphQL over HTTP, as https://graphql.github.io/graphql-over-http/draft/ has it."""

from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Protocol

from graphql import GraphQLFormattedError
from pydantic import BaseModel, Field, Json, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry import Schema
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from auth.bearer import Authenticate
from resolvers.context import Context
from resolvers.errors import result_too_large
from services.errors import TookTooLong
from services.json_text import read_json, write_json
from services.runtime.services import Services
from transport.authentication import identify
from transport.request_body import read_body

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
TIMEOUT = TookTooLong.code
METHODS = ("GET", "POST")
STRANGERS_BODY_BYTES = 16 * 1024  # of who is not known; many of them may send at once
ALLOWED_BY_POST = {OperationType.QUERY, OperationType.MUTATION}


class Parameters(BaseModel):
    """What a request asks for, in the body of a POST."""

    query: Annotated[str, Field(min_length=1)]
    variables: dict[str, Any] | None = None
    operationName: str | None = None  # noqa: N815  # the specification's name
    extensions: dict[str, Any] | None = None


class UrlParameters(Parameters):
    """The same in the URL of a GET."""

    variables: Json[dict[str, Any] | None] = None
    extensions: Json[dict[str, Any] | None] = None


class BadRequest(Exception):  # noqa: N818  # HTTP's word
    """The request can't be answered by a result."""

    def __init__(self, status: HTTPStatus, message: str, *headers: tuple[bytes, bytes]) -> None:
        self.status = status
        self.message = message
        self.headers = headers
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Answer:
    """JSON on its way to the client."""

    text: bytes
    status: HTTPStatus
    media_type: str
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send it."""
        headers = [
            (b"cache-control", b"no-store"),
            (b"content-length", b"%d" % len(self.text)),
            (b"content-type", b"%b; charset=utf-8" % self.media_type.encode()),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.text})


class Head(dict[bytes, bytes]):
    """A request's headers by their names, each looked for at once; of one sent twice, both (RFC 9110, section 5.3)."""

    def __init__(self, headers: Collection[tuple[bytes, bytes]]) -> None:
        super().__init__(headers)
        if len(self) == len(headers):  # as nearly always
            return
        self.clear()
        for name, value in headers:
            self[name] = b"%b, %b" % (self[name], value) if name in self else value

    def value(self, name: bytes) -> str:
        """Return the header's text, empty if it isn't there."""
        return self.get(name, b"").decode("latin-1")


NOT_ACCEPTABLE = BadRequest(HTTPStatus.NOT_ACCEPTABLE, f"This server answers {GRAPHQL_JSON} and {JSON}.")


class HtmlPage(Protocol):
    """A page for browsers."""

    def page(self) -> Response:
        """Return the response with the page."""
        ...


class GraphQLOverHttp:
    """Answers requests to `/graphql`. A browser's GET without a query gets the page for people."""

    def __init__(
        self,
        services: Services,
        *,
        schema: Schema,
        authenticate: Authenticate,
        graphiql: HtmlPage,
    ) -> None:
        self._services = services
        self._schema = schema
        self._authenticate = authenticate
        self._graphiql = graphiql
        self._max_body_bytes = services.settings.max_body_bytes
        self._max_result_bytes = services.settings.max_result_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> ASGIApp:
        """Return the result, or what is wrong with the request."""
        head = Head(request.scope["headers"])
        if _wants_page(request, head):
            return self._graphiql.page()
        media_type = _media_type(head.value(b"accept"))
        if media_type is None:
            return _refusal(NOT_ACCEPTABLE, JSON)
        try:
            context = await self._context(request)
            largest = STRANGERS_BODY_BYTES if context.identity is None else self._max_body_bytes
            parameters = await self._parameters(request, head, at_most=largest)
            result = await self._execute(request, parameters, context)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # which nobody will see
        except BadRequest as refused:
            return _refusal(refused, media_type)
        return _answer(result, media_type, at_most=self._max_result_bytes)

    async def _context(self, request: Request) -> Context:
        context = Context(services=self._services)
        await identify(
            context, self._authenticate, request, {}
        )  # the context raises the refusal for what needs a caller
        return context

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

    async def _parameters(self, request: Request, head: Head, *, at_most: int) -> Parameters:
        try:
            if request.method != "POST":  # GET, or HEAD, which asks for the head of what GET is answered
                return UrlParameters.model_validate(dict(request.query_params))
            _require_json(head)
            return Parameters.model_validate(_json(await _body(request, at_most)))
        except ValidationError as error:
            raise BadRequest(HTTPStatus.BAD_REQUEST, _what_is_wrong(error)) from error


async def _body(request: Request, at_most: int) -> bytes:
    body = await read_body(request, at_most=at_most)
    if body is None:
        raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body may have {at_most} bytes.")
    return body


def _wants_page(request: Request, head: Head) -> bool:
    return request.method != "POST" and "query" not in request.query_params and "text/html" in head.value(b"accept")


def _media_type(accept: str) -> str | None:
    """Return the type that is accepted and comes first, None if it is neither of ours."""
    if not accept:
        return JSON
    for each in accept.split(","):
        media_type = each.partition(";")[0].strip().lower()
        if media_type in {JSON, GRAPHQL_JSON}:
            return media_type
        if media_type in {"*/*", "application/*"}:
            return JSON
    return None


def _require_json(head: Head) -> None:
    """Raise unless the body says that it is JSON in UTF-8, which no form of another site can."""
    encoding = head.value(b"content-encoding")
    if not _is_json(head.value(b"content-type")) or encoding.lower() not in {"", "identity"}:
        raise BadRequest(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send a body of {JSON} in UTF-8, without a content encoding."
        )


def _is_json(content_type: str) -> bool:
    if content_type == JSON:
        return True
    media_type, *options = [part.strip().lower() for part in content_type.split(";")]
    charsets = {option.partition("=")[2].strip('"') for option in options if option.startswith("charset=")}
    return media_type == JSON and charsets <= {"utf-8", "utf8"}


def _json(body: bytes) -> object:
    try:
        return read_json(body)
    except ValueError as error:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "The body is no JSON.") from error


def _what_is_wrong(error: ValidationError) -> str:
    """Return a sentence that repeats nothing of what was sent."""
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"`{where}`: {first['msg']}." if where else "The body must be a JSON object."


def _wrong_operation(kind: OperationType) -> BadRequest:
    if kind is OperationType.MUTATION:
        return BadRequest(HTTPStatus.METHOD_NOT_ALLOWED, "Send mutations by POST.", (b"allow", b"POST"))
    return BadRequest(HTTPStatus.BAD_REQUEST, "Send subscriptions over a WebSocket (graphql-transport-ws).")


def _answer(result: ExecutionResult, media_type: str, *, at_most: int) -> Answer:
    """Return a result. One of a request that wasn't executed has no data, and tells so by its status if it may."""
    errors = [error.formatted for error in result.errors or []]
    executed = result.data is not None or any("path" in each or _code(each) == TIMEOUT for each in errors)
    body: dict[str, object] = {"errors": errors} if errors else {}
    if executed:
        body = {"data": result.data, **body}
    status = HTTPStatus.OK if executed or media_type == JSON else HTTPStatus.BAD_REQUEST
    text = write_json(body)
    if len(text) > at_most:
        text = write_json({"data": None, "errors": [result_too_large(at_most).formatted]})
    return Answer(text, status, media_type)


def _code(error: GraphQLFormattedError) -> object:
    return error.get("extensions", {}).get("code")


def _refusal(refused: BadRequest, media_type: str) -> Answer:
    error = {"message": refused.message, "extensions": {"code": "BAD_USER_INPUT"}}
    return Answer(write_json({"errors": [error]}), refused.status, media_type, refused.headers)

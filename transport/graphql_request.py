"""Parsing of the parameters of GraphQL over HTTP requests."""

from http import HTTPStatus
from typing import Any

from pydantic import Json, ValidationError
from starlette.requests import Request

from resolvers.json_text import JsonRejected, read_json
from transport.media_types import MediaType
from transport.operation_request import OperationRequest
from transport.request_body import read_body
from transport.request_headers import RequestHeaders


class BadRequest(Exception):  # noqa: N818  # HTTP's name for the status 400
    """A request that gets an HTTP error status instead of a GraphQL result."""

    def __init__(
        self, status: HTTPStatus, message: str, *headers: tuple[bytes, bytes], code: str = "BAD_USER_INPUT"
    ) -> None:
        self.status = status
        self.message = message
        self.headers = headers
        self.code = code
        super().__init__(message)


class UrlParameters(OperationRequest):
    """The parameters of a GraphQL request in the URL of a GET."""

    variables: Json[dict[str, Any] | None] = None
    extensions: Json[dict[str, Any] | None] = None


async def read_parameters(request: Request, headers: RequestHeaders, *, max_body_bytes: int) -> OperationRequest:
    """Return the parameters of a GET, HEAD or POST request. Raises `BadRequest` or `ClientDisconnect`."""
    try:
        if request.method != "POST":
            parameters: OperationRequest = UrlParameters.model_validate(_url_parameters(request))
        else:
            _require_json(headers)
            parameters = OperationRequest.model_validate(_parse_json(await _read_body(request, max_body_bytes)))
    except ValidationError as error:
        raise BadRequest(HTTPStatus.BAD_REQUEST, _describe(error)) from error
    if not (parameters.query or parameters.document_id):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "`query` must not be empty.")
    return parameters


def _url_parameters(request: Request) -> dict[str, str]:
    """Return the parameters in the URL; forms and templates send those without a value too, as `variables=`."""
    return {name: value for name, value in request.query_params.items() if value}


async def _read_body(request: Request, max_bytes: int) -> bytes:
    body = await read_body(request, max_bytes=max_bytes)
    if body is None:
        message = f"The request body must not be larger than {max_bytes} bytes."
        raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    return body


def _require_json(headers: RequestHeaders) -> None:
    """Raise `BadRequest` unless the content type is JSON in UTF-8, which an HTML form of another site can't send."""
    encoding = headers.value(b"content-encoding")
    if not _is_json(headers.value(b"content-type")) or encoding.lower() not in {"", "identity"}:
        message = f"The request body must be {MediaType.JSON} in UTF-8, without a content encoding."
        raise BadRequest(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)


def _is_json(content_type: str) -> bool:
    if content_type == MediaType.JSON:
        return True
    media_type, *options = [part.strip().lower() for part in content_type.split(";")]
    charsets = {option.partition("=")[2].strip('"') for option in options if option.startswith("charset=")}
    return media_type == MediaType.JSON and charsets <= {"utf-8", "utf8"}


def _parse_json(body: bytes) -> object:
    try:
        return read_json(body)
    except JsonRejected as error:
        raise BadRequest(HTTPStatus.BAD_REQUEST, str(error)) from error
    except ValueError as error:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "The request body is not valid JSON.") from error


def _describe(error: ValidationError) -> str:
    """Return a sentence about the first error. It contains none of the request's values."""
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    if not field:  # an error of the whole
        _, is_ours, message = first["msg"].partition("Value error, ")
        return f"{message}." if is_ours else "The request body must be a JSON object."
    return f"`{field}`: {first['msg']}."

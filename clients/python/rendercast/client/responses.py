"""The data of GraphQL responses, and their errors as exceptions."""

from typing import Any

from rendercast.client.errors import (
    RendercastError,
    RequestRejected,
    ServerUnreachable,
    Unauthenticated,
    UnexpectedResponse,
)
from rendercast.client.reading import Json

RETRYABLE_CODES = {"SERVICE_UNAVAILABLE", "TIMEOUT"}  # of GraphQL errors


def data_of(response: Any) -> Json:
    """Return the data of a response. Raises `RendercastError` for its first error, and if it is not a response."""
    found = response if isinstance(response, dict) else {}
    if errors := found.get("errors"):
        raise graphql_error(errors)
    data = found.get("data")
    if not isinstance(data, dict):
        raise UnexpectedResponse(ValueError("it has no data"))
    return data


def root_value(data: Json) -> Any:
    """Return the value of an operation's only root field. Raises `UnexpectedResponse` if there is not exactly one."""
    try:
        (value,) = data.values()
    except ValueError as error:
        raise UnexpectedResponse(error) from error
    return value


def graphql_error(errors: Any) -> RendercastError:
    """Return the exception for the first of a response's GraphQL errors."""
    try:
        message, code = str(errors[0]["message"]), str(errors[0].get("extensions", {}).get("code", "ERROR"))
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        return UnexpectedResponse(error)
    if code == "UNAUTHENTICATED":
        return Unauthenticated(message)
    if code in RETRYABLE_CODES:
        return ServerUnreachable(message, code=code, response_lost=True)
    return RequestRejected(message, code=code)

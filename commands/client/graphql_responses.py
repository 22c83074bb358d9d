"""The data of GraphQL responses, and their errors as errors of commands."""

from typing import Any

from commands.client.errors import CommandError, ServerUnreachableError
from commands.client.options import Server
from commands.client.responses import Json, unexpected_response

RETRYABLE_CODES = {"SERVICE_UNAVAILABLE", "TIMEOUT"}  # of GraphQL errors


def root_value(response: Json, server: Server) -> Any:
    """Return the value of the operation's only root field. Raises `CommandError` for the response's first error."""
    if errors := response.get("errors"):
        raise graphql_error(errors, server)
    (value,) = response["data"].values()
    return value


def graphql_error(errors: Any, server: Server) -> CommandError:
    """Return the error for the first of a response's GraphQL errors."""
    try:
        message, code = str(errors[0]["message"]), str(errors[0].get("extensions", {}).get("code", "ERROR"))
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        return unexpected_response(error)
    if code == "UNAUTHENTICATED":
        return unauthenticated(message, server)
    if code in RETRYABLE_CODES:
        return ServerUnreachableError(message, code=code, response_lost=True)
    return CommandError(message, code=code)


def unauthenticated(message: str, server: Server) -> CommandError:
    """Return the error for a token that is missing, invalid or expired."""
    hint = "Check RENDERCAST_TOKEN." if server.token else "Set RENDERCAST_TOKEN to your token for this server."
    return CommandError(f"{message} {hint}", code="UNAUTHENTICATED")


def connection_lost(server: Server) -> ServerUnreachableError:
    """Return the error for a subscription whose connection has ended."""
    return ServerUnreachableError(f"The connection to {server.name} was lost.", response_lost=True)

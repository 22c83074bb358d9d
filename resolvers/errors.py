"""Maps errors to the GraphQL errors that clients receive.

Errors that a client can act on keep their message. All others are logged with an id and masked.
"""

import logging
import re
import secrets

from graphql import GraphQLError
from strawberry.schema.exceptions import InvalidOperationTypeError

from services.errors import InvalidArgument, LimitExceeded, RendercastError, Unavailable, UserError

MAX_MESSAGE_LENGTH = 500  # characters; a message about a long input must not return the whole input
SUGGESTION = re.compile(r" Did you mean .*", re.DOTALL)

log = logging.getLogger(__name__)


def to_client_error(error: GraphQLError, *, suggestions: bool) -> GraphQLError:
    """Return the error as the client receives it, with `extensions.code`.

    Without `suggestions`, graphql-core's "Did you mean …" is removed: it names other parts of the schema, which clients
    must not learn if introspection is off.
    """
    match cause := cause_of(error):
        case None | GraphQLError():  # raised by graphql-core itself: syntax, validation, variables
            message = error.message if suggestions else SUGGESTION.sub("", error.message)
            return _client_error(error, message, code="BAD_USER_INPUT")
        case InvalidOperationTypeError():  # of a stream; without one, the endpoint handles it
            return _client_error(error, "Send mutations by POST.", code=UserError.code)
        case InvalidArgument():
            return _client_error(error, str(cause), code=cause.code, field=cause.field)
        case UserError():
            return _client_error(error, str(cause), code=cause.code)
        case Unavailable():
            log.error("unavailable at %s: %s", error.path, cause)
            return _client_error(error, "The service can't do this right now. Please try again later.", code=cause.code)
        case _:
            return mask_error(error, cause)


def cause_of(error: GraphQLError) -> Exception | None:
    """Return the original exception; None or a `GraphQLError` if graphql-core itself raised the error."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def result_too_large(max_bytes: int) -> GraphQLError:
    """Return the error that replaces a result of more than `max_bytes`."""
    return GraphQLError(
        f"The result exceeds {max_bytes} bytes. Request fewer fields, or a shorter page with `first`.",
        extensions={"code": LimitExceeded.code},
    )


def mask_error(error: GraphQLError, cause: Exception) -> GraphQLError:
    """Log the cause with a new id, and return an error that contains only this id."""
    error_id = secrets.token_hex(6)
    log.error("error %s at %s", error_id, error.path, exc_info=cause, extra={"error_id": error_id})
    return _client_error(
        error, f"Something went wrong on our side (error {error_id}).", code=RendercastError.code, id=error_id
    )


def _client_error(error: GraphQLError, message: str, **extensions: str) -> GraphQLError:
    return GraphQLError(
        message if len(message) <= MAX_MESSAGE_LENGTH else f"{message[:MAX_MESSAGE_LENGTH]}…",
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=dict(extensions),
    )

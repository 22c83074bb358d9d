"""Errors as clients see them: what they can act on is told, everything else is logged with an id and masked."""

import logging
import re
import secrets

from graphql import GraphQLError

from services.errors import InvalidArgument, LimitExceeded, RendercastError, Unavailable, UserError

MAX_MESSAGE = 500  # characters; what is wrong with a long input must not send it back
HINT = re.compile(r" Did you mean .*", re.DOTALL)

log = logging.getLogger(__name__)


def client_error(error: GraphQLError, *, hints: bool) -> GraphQLError:
    """Return what the client may see of an error, with `extensions.code`.

    Without `hints`, it doesn't tell what else the schema has: that is for those who may read it.
    """
    match cause := cause_of(error):
        case None | GraphQLError():  # found by graphql-core itself: syntax, validation, variables
            message = error.message if hints else HINT.sub("", error.message)
            return _told(error, message, code="BAD_USER_INPUT")
        case InvalidArgument():
            return _told(error, str(cause), code=cause.code, field=cause.field)
        case UserError():
            return _told(error, str(cause), code=cause.code)
        case Unavailable():
            log.error("unavailable at %s: %s", error.path, cause)
            return _told(error, "The service can't do this right now. Please try again later.", code=cause.code)
        case _:
            return masked(error, cause)


def cause_of(error: GraphQLError) -> Exception | None:
    """Return what was raised in the first place; None or an error of its own if graphql-core found the fault."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def result_too_large(limit_bytes: int) -> GraphQLError:
    """Return what is told in the place of a result that is larger than is sent."""
    return GraphQLError(
        f"This answer would have more than {limit_bytes} bytes. Ask for fewer fields, or a shorter page with `first`.",
        extensions={"code": LimitExceeded.code},
    )


def masked(error: GraphQLError, cause: Exception) -> GraphQLError:
    """Return an error that tells nothing but the id under which the log has the cause."""
    error_id = secrets.token_hex(6)
    log.error("error %s at %s", error_id, error.path, exc_info=cause, extra={"error_id": error_id})
    message = f"Something went wrong on our side (error {error_id})."
    return _told(error, message, code=RendercastError.code, id=error_id)


def _told(error: GraphQLError, message: str, **extensions: str) -> GraphQLError:
    return GraphQLError(
        message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…",
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=dict(extensions),
    )

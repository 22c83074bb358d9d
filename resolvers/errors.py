"""Errors as clients see them: what they can act on is told, everything else is logged with an id and masked."""

import logging
import secrets

from graphql import GraphQLError
from strawberry.extensions import MaskErrors

from services.errors import InvalidArgument, RendercastError, Unavailable, UserFault

log = logging.getLogger(__name__)


class ClientErrors(MaskErrors):
    """Turns every error of a result, streamed or not, into one with `extensions.code`."""

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        """Return what the client may see of the error."""
        cause = error.original_error
        while isinstance(cause, GraphQLError) and cause.original_error is not None:
            cause = cause.original_error
        match cause:
            case None | GraphQLError():  # found by graphql-core itself: syntax, validation, variables
                return _told(error, error.message, code="BAD_USER_INPUT")
            case InvalidArgument():
                return _told(error, str(cause), code=cause.code, field=cause.field)
            case UserFault():
                return _told(error, str(cause), code=cause.code)
            case Unavailable():
                log.error("unavailable at %s: %s", error.path, cause)
                return _told(error, "The service can't do this right now. Please try again later.", code=cause.code)
            case _:
                return _masked(error, cause)


def _masked(error: GraphQLError, cause: Exception) -> GraphQLError:
    error_id = secrets.token_hex(6)
    log.error("error %s at %s", error_id, error.path, exc_info=cause)
    message = f"Something went wrong on our side (error {error_id})."
    return _told(error, message, code=RendercastError.code, id=error_id)


def _told(error: GraphQLError, message: str, **extensions: str) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=dict(extensions),
    )

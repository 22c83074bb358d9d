"""Authentication of an HTTP request or a WebSocket."""

from collections.abc import Mapping

from starlette.requests import HTTPConnection

from auth.authenticator import Authenticator
from resolvers.context import Context
from services.errors import RendercastError
from services.observability import log_context


async def identify(
    context: Context, authenticate: Authenticator, connection: HTTPConnection, params: Mapping[str, object]
) -> RendercastError | None:
    """Authenticate the caller and store the identity in the context and the log context.

    Returns the error if authentication fails, and stores it in the context too; returns None on success.
    """
    try:
        context.identity = await authenticate(connection, params)
    except RendercastError as error:
        context.authentication_error = error
        return error
    log_context.user_id.set(context.identity.caller.id)
    return None

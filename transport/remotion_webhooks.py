"""Where Remotion's function tells that a render has ended."""

import logging
from http import HTTPStatus

from pydantic import SecretStr
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from services.backends.remotion_lambda.webhooks import (
    MAX_BODY_BYTES,
    SIGNATURE,
    SIGNATURE_HEADER,
    is_genuine,
    render_told_of,
)
from services.realtime.hub import ProgressHub
from transport.request_body import read_body

log = logging.getLogger(__name__)


class RemotionWebhooks:
    """Takes the function's messages. A genuine one makes the render's worker look at once, and does nothing else."""

    def __init__(self, hub: ProgressHub, secret: SecretStr) -> None:
        self._hub = hub
        self._secret = secret

    async def receive(self, request: Request) -> Response:
        """Answer 200, 401 if the message is not genuine, 413 if it is too large."""
        signature = request.headers.get(SIGNATURE_HEADER, "")
        if not SIGNATURE.fullmatch(signature):
            return Response(status_code=HTTPStatus.UNAUTHORIZED)
        try:
            body = await read_body(request, at_most=MAX_BODY_BYTES)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # which nobody will see
        if body is None:
            return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if not is_genuine(body, signature, self._secret.get_secret_value()):
            return Response(status_code=HTTPStatus.UNAUTHORIZED)
        if render_id := render_told_of(body):
            log.info("the function tells that render %s has ended", render_id)
            await self._hub.wake_workers(render_id)
        return Response()

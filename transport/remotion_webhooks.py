"""The endpoint for the webhooks that Remotion's Lambda function sends at the end of a render."""

import logging
from http import HTTPStatus

from pydantic import SecretStr
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from services.backends.remotion_lambda.webhooks import (
    MAX_BODY_BYTES,
    SIGNATURE,
    SIGNATURE_HEADER,
    has_valid_signature,
    parse_render_id,
)
from services.realtime.hub import ProgressHub
from transport.request_body import read_body

log = logging.getLogger(__name__)


class RemotionWebhookEndpoint:
    """Receives the function's webhooks. One with a valid signature only makes the render's worker poll immediately."""

    def __init__(self, hub: ProgressHub, secret: SecretStr) -> None:
        self._hub = hub
        self._secret = secret

    async def receive(self, request: Request) -> Response:
        """Return 200, 401 if the signature is missing or wrong, or 413 if the body is too large."""
        signature = request.headers.get(SIGNATURE_HEADER, "")
        if not SIGNATURE.fullmatch(signature):
            return Response(status_code=HTTPStatus.UNAUTHORIZED)
        try:
            body = await read_body(request, max_bytes=MAX_BODY_BYTES)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # not sent: the client has disconnected
        if body is None:
            return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if not has_valid_signature(body, signature, self._secret.get_secret_value()):
            return Response(status_code=HTTPStatus.UNAUTHORIZED)
        if render_id := parse_render_id(body):
            log.info("webhook received: render %s has ended", render_id)
            await self._hub.notify_worker(render_id)
        return Response()

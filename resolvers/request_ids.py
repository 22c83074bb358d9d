"""An id for each HTTP request and each WebSocket, in the log and in the answer."""

import re
import secrets
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import log_ids

HEADER = b"x-request-id"
GOOD_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
ANSWERS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


class RequestIds:
    """Takes the id that a proxy or client has given, if it is one, and else makes one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request and its answer."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = _given(scope["headers"]) or secrets.token_hex(8).encode()
        log_ids.begin_request(request_id.decode())

        async def send_with_id(message: Message) -> None:
            if message["type"] in ANSWERS:
                message["headers"] = [*message.get("headers", ()), (HEADER, request_id)]
            await send(message)

        await self._app(scope, receive, send_with_id)


def _given(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    for name, value in headers:
        if name == HEADER:
            return value if GOOD_ID.fullmatch(value) else None
    return None

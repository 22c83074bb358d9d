"""Bodies of requests, of which strangers may send any size."""

from starlette.requests import Request


async def read_body(request: Request, *, at_most: int) -> bytes | None:
    """Return the body; None as soon as it is known to have more bytes than that. Raises `ClientDisconnect`."""
    if int(request.headers.get("content-length", 0)) > at_most:
        return None
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > at_most:
            return None
    return bytes(body)

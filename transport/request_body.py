"""Reading of request bodies up to a maximum size."""

from starlette.requests import ClientDisconnect, Request


async def read_body(request: Request, *, max_bytes: int) -> bytes | None:
    """Return the body, or None as soon as it is known to be larger than `max_bytes`. Raises `ClientDisconnect`."""
    if int(request.headers.get("content-length", 0)) > max_bytes:
        return None
    body, more_body = bytearray(), True
    while more_body:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > max_bytes:
            return None
        more_body = message.get("more_body", False)
    return bytes(body)

"""Bodies of requests, of which strangers may send any size."""

from starlette.requests import ClientDisconnect, Request


async def read_body(request: Request, *, at_most: int) -> bytes | None:
    """Return the body; None as soon as it is known to have more bytes than that. Raises `ClientDisconnect`."""
    if int(request.headers.get("content-length", 0)) > at_most:
        return None
    body, more_comes = bytearray(), True
    while more_comes:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > at_most:
            return None
        more_comes = message.get("more_body", False)
    return bytes(body)

"""HTTP sessions with timeouts, the download of a URL, and the mapping of aiohttp's errors."""

import os
from collections.abc import AsyncGenerator
from http import HTTPStatus

import aiohttp

from commands.client.errors import ServerUnreachableError
from commands.client.options import is_local

CONNECT_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_S = 40.0  # the server stops a request after 30 s
IDLE_TIMEOUT_S = 30.0  # of a download; a WebSocket without messages for this time is pinged
MAX_CHUNK_BYTES = 256 * 1024


def new_session(url: str) -> aiohttp.ClientSession:
    """Return a session for this URL. It uses the environment's proxy unless the host is loopback."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S, connect=10.0),
        trust_env=not is_local(url),
    )


async def download(url: str) -> AsyncGenerator[bytes, None]:
    """Yield the content of a URL that needs no token.

    Raises `ServerUnreachableError`, with code GONE if the URL has expired or its file was deleted.
    """
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=IDLE_TIMEOUT_S)
    name = url.partition("?")[0]
    try:
        async with new_session(url) as http, http.get(url, timeout=timeout) as response:
            if response.status != HTTPStatus.OK:
                gone = response.status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
                message = f"{name} responded with status {response.status}."
                raise ServerUnreachableError(message, code="GONE" if gone else "UNREACHABLE")
            async for chunk in response.content.iter_chunked(MAX_CHUNK_BYTES):
                yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise unreachable(name, error) from error


def unreachable(name: str, error: Exception) -> ServerUnreachableError:
    """Return the error for a request without a response; `name` is the server's URL."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        reason = "no response in time" if isinstance(error, TimeoutError) else _reason(error)
        message = f"{name} can't be reached: {reason}. Check that the server is running and that --url is correct."
        return ServerUnreachableError(message)
    if isinstance(error, TimeoutError):
        return ServerUnreachableError(f"{name} did not respond in time.", response_lost=True)
    message = f"The connection to {name} was lost ({type(error).__name__})."
    return ServerUnreachableError(message, response_lost=True)


def _reason(error: aiohttp.ClientConnectionError) -> str:
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    number = getattr(cause, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number)
    return str(getattr(cause, "strerror", None) or cause).rstrip(".")

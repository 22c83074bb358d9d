"""HTTP sessions with timeouts, and aiohttp's errors as those of this package."""

import os

import aiohttp

from rendercast.client.addresses import is_local
from rendercast.client.errors import ServerUnreachable

CONNECT_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_S = 40.0  # the server stops a request after 30 s
IDLE_TIMEOUT_S = 30.0  # of a stream or a download; a WebSocket without messages for this time is pinged


def new_session(url: str) -> aiohttp.ClientSession:
    """Return a session for this URL. It uses the environment's proxy unless the host is loopback."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S, connect=10.0),
        trust_env=not is_local(url),
    )


def stream_timeout() -> aiohttp.ClientTimeout:
    """Return the timeout of a response that may take any time in total."""
    return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=IDLE_TIMEOUT_S)


def unreachable(name: str, error: Exception) -> ServerUnreachable:
    """Return the exception for a request without a response; `name` is the server's URL."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        reason = "no response in time" if isinstance(error, TimeoutError) else _reason(error)
        message = f"{name} can't be reached: {reason}. Check that the server is running and that its URL is correct."
        return ServerUnreachable(message)
    if isinstance(error, TimeoutError):
        return ServerUnreachable(f"{name} did not respond in time.", response_lost=True)
    message = f"The connection to {name} was lost ({type(error).__name__})."
    return ServerUnreachable(message, response_lost=True)


def _reason(error: aiohttp.ClientConnectionError) -> str:
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    number = getattr(cause, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number)
    return str(getattr(cause, "strerror", None) or cause).rstrip(".")

"""Responses to requests that never reach the application, such as malformed or too large ones."""

from dataclasses import dataclass
from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from resolvers.json_text import write_json
from transport.security_headers import SECURITY_HEADERS

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Rejection:
    """An error response. The message is for the client."""

    status: HTTPStatus
    message: str
    headers: tuple[Header, ...] = ()
    code: str = "BAD_USER_INPUT"

    def body(self) -> bytes:
        """Return the response's body: JSON in the format of GraphQL errors."""
        return write_json({"errors": [{"message": self.message, "extensions": {"code": self.code}}]})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the response, as an ASGI application."""
        body = self.body()
        await send({"type": "http.response.start", "status": self.status.value, "headers": self._all_headers(body)})
        await send({"type": "http.response.body", "body": body})

    def response(self) -> bytes:
        """Return the complete HTTP/1.1 response, after which the connection is closed."""
        body = self.body()
        headers = (*SECURITY_HEADERS, *self._all_headers(body))
        status_line = f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n".encode()
        return status_line + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + body

    def _all_headers(self, body: bytes) -> tuple[Header, ...]:
        return (
            *self.headers,
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        )


class RequestRejected(Exception):  # noqa: N818  # not an error of the server
    """A request that gets this response. Raise a new one each time: an exception keeps the frames it passes."""

    def __init__(self, rejection: Rejection) -> None:
        self.rejection = rejection
        super().__init__(rejection.message)


MALFORMED = Rejection(HTTPStatus.BAD_REQUEST, "Invalid HTTP request received.")
TOO_MANY_HEADERS = Rejection(HTTPStatus.BAD_REQUEST, "Too many headers.")
HEAD_TOO_LARGE = Rejection(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's URL and headers are too large.")
SHUTTING_DOWN = Rejection(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The server is shutting down. Send the request again.",
    ((b"retry-after", b"1"),),
    code="SERVICE_UNAVAILABLE",
)

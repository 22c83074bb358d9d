"""Responses to requests that never reach the application: malformed, too large, or refused handshakes."""

from http import HTTPStatus

from resolvers.json_text import write_json
from transport.middleware import SECURITY_HEADERS

Header = tuple[bytes, bytes]


class Refusal(Exception):  # noqa: N818  # not an error of the server
    """A request that gets an error response. The message is for the client."""

    def __init__(self, status: HTTPStatus, message: str, *headers: Header, code: str = "BAD_USER_INPUT") -> None:
        self.status = status
        self.message = message
        self.headers = headers
        self.code = code
        super().__init__(message)

    def body(self) -> bytes:
        """Return the response's body: JSON in the format of GraphQL errors."""
        return write_json({"errors": [{"message": self.message, "extensions": {"code": self.code}}]})

    def response(self) -> bytes:
        """Return the complete HTTP/1.1 response, after which the connection is closed."""
        body = self.body()
        headers = (
            *SECURITY_HEADERS,
            *self.headers,
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        )
        status_line = f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n".encode()
        return status_line + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + body


MALFORMED = Refusal(HTTPStatus.BAD_REQUEST, "Invalid HTTP request received.")
TOO_MANY_HEADERS = Refusal(HTTPStatus.BAD_REQUEST, "Too many headers.")
HEAD_TOO_LARGE = Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's URL and headers are too large.")
SHUTTING_DOWN = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The server is shutting down. Send the request again.",
    (b"retry-after", b"1"),
    code="SERVICE_UNAVAILABLE",
)

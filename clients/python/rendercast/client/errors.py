"""Errors that are not part of the schema.

RendercastError            every error of this package
├── ServerUnreachable      no server, or no usable response in time
├── UnexpectedResponse     a response that does not match Rendercast's schema
├── WatchTimedOut          the render or batch did not end in time
├── RequestRejected         the server has rejected the request: `code` is that of the GraphQL error
│   └── Unauthenticated    the token is missing, invalid or expired
└── UserError              an error of the schema: `user_errors`
"""


class RendercastError(Exception):
    """The message is a sentence for users that says what to do. `code` is stable, for programs."""

    code: str = "ERROR"


class ServerUnreachable(RendercastError):
    """The server sent no usable response. With `response_lost`, it may have executed the request.

    `code` is UNREACHABLE, NOT_RENDERCAST for another kind of server, SERVICE_UNAVAILABLE or TIMEOUT from the server,
    GONE for a file that no longer exists, or INCOMPLETE for a part of one.
    """

    code = "UNREACHABLE"

    def __init__(self, message: str, *, code: str = code, response_lost: bool = False) -> None:
        self.code = code
        self.response_lost = response_lost
        super().__init__(message)


class UnexpectedResponse(RendercastError):
    """The response does not match Rendercast's schema: the server has another version than this package."""

    code = "NOT_UNDERSTOOD"

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"The server's response has an unexpected format ({type(error).__name__}: {error}). Check its version."
        )


class WatchTimedOut(RendercastError):
    """The render or batch did not end in time. It continues."""

    code = "NOT_IN_TIME"


class RequestRejected(RendercastError):
    """The server has rejected the request with a GraphQL error, such as FORBIDDEN, BAD_USER_INPUT or LIMIT_EXCEEDED."""

    def __init__(self, message: str, *, code: str) -> None:
        self.code = code
        super().__init__(message)


class Unauthenticated(RequestRejected):
    """The token is missing, invalid or expired."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="UNAUTHENTICATED")
